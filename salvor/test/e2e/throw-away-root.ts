/**
 * A root of its own over this machine's: what is written there is gone at the end, and so is every process. An overlay in a
 * mount namespace of its own, with its own process numbers.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { join } from 'node:path';
import { inOwnMounts } from '../own-mounts.ts';

export type ThrowAwayRoot = AsyncDisposable & {
  /** Runs a line of shell in it, as root; whatever becomes of it. */
  shell(line: string): Promise<{ readonly exit: number; readonly out: string; readonly err: string }>;
};

/** Without the variables that a test is run with. */
const ENVIRONMENT = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8' };

export async function openThrowAwayRoot(): Promise<ThrowAwayRoot> {
  const at = mkdtempSync('/tmp/salvor-root-');
  mkdirSync(join(at, 'on'));
  const root = join(at, 'on/root');
  const lines = [
    `mount -t tmpfs -o size=400m tmpfs ${at}/on`,
    `cd ${at}/on && mkdir upper work root`,
    'mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root',
    'mount -t proc proc root/proc && mount --rbind /dev root/dev && mount -t tmpfs tmpfs root/run',
    // The first process takes in what others left, as on any host: else what has ended looks alive.
    'echo ready; while :; do sleep 1000 & wait; done',
  ];
  const [file, ...args] = inOwnMounts(lines.join('\n'), [], ['--pid', '--fork', '--kill-child']);
  const holder = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'], env: ENVIRONMENT });
  try {
    await awaitReady(holder);
  } catch (error) {
    holder.kill('SIGKILL');
    rmSync(at, { recursive: true, force: true });
    throw error;
  }
  const inner = readFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`, 'utf8').trim();
  return {
    shell: async (line) => {
      const enter = ['--target', inner, '--mount', '--root', '--pid', 'chroot', root, 'sh', '-c', line];
      const child = spawn('nsenter', enter, { stdio: ['ignore', 'pipe', 'pipe'], env: ENVIRONMENT });
      const closed = once(child, 'close') as Promise<[number | null]>;
      const [out, err, [exit]] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
      return { exit: exit ?? -1, out, err };
    },
    [Symbol.asyncDispose]: async () => {
      const closed = once(holder, 'close');
      holder.kill('SIGKILL');
      await closed;
      rmSync(at, { recursive: true, force: true });
    },
  };
}

async function awaitReady(holder: ChildProcess): Promise<void> {
  assert.ok(holder.stdout !== null);
  for await (const line of createInterface({ input: holder.stdout })) if (line === 'ready') return;
  assert.fail('the throw-away root could not be made');
}
