/** Snapshots of datasets of ZFS. */
import type { Mount } from '../mounts.ts';
import { run } from '../run.ts';
import type { SnapshotSource } from './file-snapshot.ts';
import { openMounted } from './hold-mount.ts';

/** While there is a snapshot nothing that is deleted gives its room back: with less left than that there is none. */
const MIN_FREE_SHARE = 0.05;
const MAX_LOOK_MS = 30_000;

/** The dataset that is mounted there. Throws `command-failed`, `command-missing`. */
export async function findDataset({ source, point }: Mount, signal: AbortSignal): Promise<SnapshotSource> {
  const args = ['list', '-H', '-p', '-o', 'available,used', source];
  const within = AbortSignal.any([signal, AbortSignal.timeout(MAX_LOOK_MS)]);
  const listed = (await run('zfs', { args, signal: within })).toString('utf8');
  return { kind: 'zfs', name: source, top: point, fileSystem: 'zfs', lacks: judgeRoom(source, listed) };
}

/** Of what `zfs list -Hp -o available,used` says: bytes. Null where there is room. */
export function judgeRoom(dataset: string, listed: string): string | null {
  const [available = 0, used = 0] = listed.trim().split('\t').map(Number);
  const isEnough = available >= MIN_FREE_SHARE * (available + used);
  return isEnough ? null : `dataset ${dataset} has less than ${MIN_FREE_SHARE * 100} % of its room left`;
}

/** `name` is `DATASET@NAME`. */
export async function makeDatasetSnapshot(name: string, place: string, signal: AbortSignal): Promise<number> {
  await run('zfs', { args: ['snapshot', checked(name)], signal });
  // By a mount of our own: what `.zfs/snapshot` mounts by itself is seen by all, and unmounted when the kernel likes.
  return await openMounted(name, { type: 'zfs', options: [], place }, signal);
}

/** What somebody holds, or has cloned, goes with the hold or the clone (`-d`). */
export async function removeDatasetSnapshot(name: string): Promise<boolean> {
  const args = ['list', '-H', '-t', 'snapshot', '-o', 'name', '-d', '1', name.slice(0, name.indexOf('@'))];
  const listed = (await run('zfs', { args, maxBytes: MAX_LIST_BYTES })).toString('utf8');
  if (!listed.split('\n').includes(name)) return false;
  await run('zfs', { args: ['destroy', '-d', checked(name)] });
  return true;
}

/** Some hosts keep ten thousands of snapshots. */
const MAX_LIST_BYTES = 64 * 1024 * 1024;

/** Without the part behind the `@` a dataset itself would be meant. */
function checked(name: string): string {
  if (!/^[^@]+@[^@]+$/.test(name)) throw new Error(`${name} is no snapshot of a dataset`);
  return name;
}
