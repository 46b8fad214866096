/**
 * A root of its own over this machine's: what is written there is gone at the end, and so is every process. An overlay in a
 * mount namespace of its own, with its own process numbers. Where it is booted, systemd is its first process, with control
 * groups of its own; else one that only takes in what others left.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { basename, join } from 'node:path';
import { inOwnMounts } from '../own-mounts.ts';

export type ThrowAwayRoot = AsyncDisposable & {
  /** Runs a line of shell in it, as root; whatever becomes of it. */
  shell(line: string): Promise<{ readonly exit: number; readonly out: string; readonly err: string }>;
};

export type ThrowAwayRootOptions = {
  readonly boots?: boolean;
  /** Directories that are this machine's own, at the same place. */
  readonly shared?: readonly string[];
};

/** Without the variables that a test is run with. */
const ENVIRONMENT = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8' };

export async function openThrowAwayRoot({ boots, shared }: ThrowAwayRootOptions = {}): Promise<ThrowAwayRoot> {
  const at = mkdtempSync('/tmp/salvor-root-');
  mkdirSync(join(at, 'on'));
  const lines = [
    `mount -t tmpfs -o size=400m tmpfs ${at}/on`,
    `cd ${at}/on && mkdir upper work root`,
    'mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root',
    'mount -t proc proc root/proc && mount -t tmpfs tmpfs root/run',
    ...(shared ?? []).map((path) => `mkdir -p root${path} && mount --bind ${path} root${path}`),
    ...(boots === true ? BOOT : IDLE),
  ];
  const [file, ...args] = inOwnMounts(lines.join('\n'), [basename(at)], ['--pid', '--fork', '--kill-child', '--uts']);
  const holder = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'], env: ENVIRONMENT });
  const close = async (): Promise<void> => {
    const closed = once(holder, 'close');
    holder.kill('SIGKILL');
    await closed;
    if (boots === true) await removeGroup(basename(at));
    rmSync(at, { recursive: true, force: true });
  };
  try {
    await awaitReady(holder);
  } catch (error) {
    await close();
    throw error;
  }
  const inner = readFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`, 'utf8').trim();
  return {
    shell: async (line) => {
      const enter = ['--target', inner, '--mount', '--root', '--wd', '--pid', 'sh', '-c', line];
      const child = spawn('nsenter', enter, { stdio: ['ignore', 'pipe', 'pipe'], env: ENVIRONMENT });
      const closed = once(child, 'close') as Promise<[number | null]>;
      const [out, err, [exit]] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
      return { exit: exit ?? -1, out, err };
    },
    [Symbol.asyncDispose]: close,
  };
}

/** The first process takes in what others left, as on any host: else what has ended looks alive. */
const IDLE = [
  'mount --rbind /dev root/dev',
  `exec chroot root sh -c 'echo ready; while :; do sleep 1000 & wait; done'`,
];

/** What a container has: devices of no hardware, kernel settings to be read, and one branch of the control groups. */
const BOOT = [
  'mount -t tmpfs -o mode=755 tmpfs root/dev && mkdir root/dev/pts root/dev/shm',
  'for name in null zero full random urandom tty; do touch root/dev/$name; mount --bind /dev/$name root/dev/$name; done',
  'mount -t devpts -o newinstance,ptmxmode=666 devpts root/dev/pts && mount -t tmpfs tmpfs root/dev/shm',
  'ln -s pts/ptmx root/dev/ptmx && ln -s /proc/self/fd root/dev/fd',
  'mount --bind root/proc/sys root/proc/sys && mount -o remount,bind,ro root/proc/sys',
  'mkdir groups && mount -t cgroup2 cgroup2 groups && mkdir groups/$1 && echo $$ >groups/$1/cgroup.procs',
  'hostname throw-away && mkdir root/old && tr -d - </proc/sys/kernel/random/uuid >root/etc/machine-id && cd root',
  'mkdir -p run/systemd/system',
  // What would empty /tmp, also where it is shared, or belongs to a kernel that is not only ours.
  'for unit in systemd-tmpfiles-setup systemd-remount-fs modprobe@; do ln -s /dev/null run/systemd/system/$unit.service; done',
  // Tells when all is up. Services of the machine itself are none of ours: nothing is begun beyond what every boot has.
  'mkfifo run/up && { cat run/up & }',
  `printf '%s\\n' '[Unit]' Requires=basic.target After=basic.target '[Service]' 'ExecStart=sh -c "echo ready >/run/up"' >run/systemd/system/up.service`,
  `start='mount -t sysfs -o ro sysfs sys && mount -t cgroup2 cgroup2 sys/fs/cgroup && pivot_root . old && umount -l old
    exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --unit=up.service --log-level=warning --show-status=no'`,
  'exec nsenter --mount=/proc/self/ns/mnt --wd=. unshare --cgroup sh -ec "$start"',
];

/** Of a root that was booted: its control groups stay when their processes have gone, which takes a moment. */
async function removeGroup(name: string): Promise<void> {
  const lines = [
    'mount -t cgroup2 cgroup2 /mnt && cd "/mnt/$1" && echo 1 >cgroup.kill',
    "while grep -q 'populated 1' cgroup.events; do sleep 0.02; done",
    'cd / && find "/mnt/$1" -depth -type d -exec rmdir {} +',
  ];
  const [file, ...args] = inOwnMounts(lines.join('\n'), [name]);
  const child = spawn(file, args, { stdio: ['ignore', 'inherit', 'inherit'], env: ENVIRONMENT });
  await once(child, 'close');
}

async function awaitReady(holder: ChildProcess): Promise<void> {
  assert.ok(holder.stdout !== null);
  for await (const line of createInterface({ input: holder.stdout })) if (line === 'ready') return;
  assert.fail('the throw-away root could not be made');
}
