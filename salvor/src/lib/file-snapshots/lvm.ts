/**
 * Snapshots of logical volumes of LVM, classic and thin.
 *
 * A command that makes or removes one suspends the volume for a moment, with all that is written to it. Killed in that
 * moment it would leave it so, and every site on it waiting for ever: these commands are never stopped, and live on when we
 * die. Whoever looks for what a dead process left waits for them first.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Mount } from '../mounts.ts';
import { run } from '../run.ts';
import type { SnapshotSource } from './file-snapshot.ts';
import { openMounted } from './hold-mount.ts';
import { planVolumeSnapshot } from './plan-volume-snapshot.ts';
import { type Volume, readVolumes } from './read-volumes.ts';

/** On each snapshot of ours: nothing without it is ever removed. */
const TAG = 'salvor';
const LOOK_AGAIN_MS = 50;
const MAX_COMMAND_MS = 120_000;

/**
 * How the file systems that are known are mounted. Making the snapshot has frozen the file system, which writes all to its
 * place: there is no journal to be replayed, and on a device that can't be written none could be.
 */
const MOUNT_OPTIONS: Readonly<Record<string, readonly string[]>> = {
  ext3: ['noload'],
  ext4: ['noload'],
  // The volume itself is mounted under the same UUID.
  xfs: ['norecovery', 'nouuid'],
};

/** The logical volume under a mount. Throws `command-failed`, `command-missing`. */
export async function findVolume(mount: Mount, signal: AbortSignal): Promise<SnapshotSource | null> {
  if (MOUNT_OPTIONS[mount.type] === undefined || !isVolume(mount.device)) return null;
  const all = await readVolumes(signal);
  const volume = all.find(({ device }) => device === mount.device);
  const plan = volume === undefined ? null : planVolumeSnapshot(volume, all);
  if (volume === undefined || plan === null) return null;
  const lacks = 'lacks' in plan ? plan.lacks : null;
  const name = `${volume.group}/${volume.name}`;
  return { kind: 'lvm', name, top: mount.point, fileSystem: mount.type, lacks };
}

/** `origin` and `name` are `GROUP/VOLUME`; `type` is that of the file system. */
export async function makeVolumeSnapshot(
  origin: string,
  name: string,
  { place, type }: { readonly place: string; readonly type: string },
  signal: AbortSignal,
): Promise<number> {
  const all = await readVolumes(signal);
  const volume = find(all, origin);
  const plan = volume === null ? null : planVolumeSnapshot(volume, all);
  if (plan === null || 'lacks' in plan) throw new Error(plan?.lacks ?? `${origin} is not there any more`);
  signal.throwIfAborted();
  // A thin one would not be there to be mounted; a classic one has its size.
  const own = plan.extents === null ? ['--setactivationskip', 'n'] : ['--extents', `${plan.extents}`];
  const args = ['--yes', '--quiet', '--snapshot', ...own, '--permission', 'r', '--addtag', TAG];
  await run('lvcreate', { args: [...args, '--name', labelOf(name), origin], livesOn: true });
  return await openMounted(`/dev/${name}`, { type, options: MOUNT_OPTIONS[type] ?? [], place }, signal);
}

/** Not so where it ran full: then what can be read of it is still right, but what can't is missing. */
export async function isVolumeSnapshotWhole(name: string): Promise<boolean> {
  return find(await readVolumes(), name)?.isInvalid === false;
}

/** Only what has our tag. False where there is no such snapshot. */
export async function removeVolumeSnapshot(name: string): Promise<boolean> {
  await awaitCommandsOn(name);
  const volume = find(await readVolumes(), name);
  if (volume === null) return false;
  if (!volume.tags.includes(TAG)) throw new Error(`${name} has no tag ${TAG}: it is somebody else’s`);
  await run('lvremove', { args: ['--yes', '--quiet', name], livesOn: true });
  return true;
}

function find(all: readonly Volume[], wanted: string): Volume | null {
  return all.find(({ group, name }) => `${group}/${name}` === wanted) ?? null;
}

function labelOf(name: string): string {
  return name.slice(name.indexOf('/') + 1);
}

/** As the device mapper tells: what is between a volume and its mount, such as encryption, is no volume. */
function isVolume(device: string): boolean {
  try {
    return readFileSync(`/sys/dev/block/${device}/dm/uuid`, 'utf8').startsWith('LVM-');
  } catch {
    return false;
  }
}

/** Of a process that died: what it has begun to make is there when they have ended. */
async function awaitCommandsOn(name: string): Promise<void> {
  for (let waited = 0; isCommandOn(name); waited += LOOK_AGAIN_MS) {
    if (waited > MAX_COMMAND_MS) throw new Error(`a command of LVM that works on ${name} does not end`);
    await sleep(LOOK_AGAIN_MS);
  }
}

function isCommandOn(name: string): boolean {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .some((pid) => {
      const words = wordsOf(pid);
      return (
        words.some((word) => /(?:^|\/)lv(?:create|remove)$/.test(word)) &&
        words.some((word) => word === name || word === labelOf(name))
      );
    });
}

function wordsOf(pid: string): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}
