/**
 * Read-only snapshots of what a directory lies on, which the kernel makes in an instant: Btrfs's of a subvolume, ZFS's of a
 * dataset, LVM's of a logical volume. A directory can be read from one where all of it lies on the one mount; elsewhere,
 * and for everybody but root, there is none.
 *
 *   find → name it (journals) → make → read at a descriptor → was it whole to the end? → close → remove
 *
 * One of LVM or ZFS is mounted where nobody sees it, and so that it is unmounted when its descriptor is closed, or we are
 * dead: what a crash leaves is the snapshot, and its name says whose it is. Knows nothing of tasks and homes.
 */
import { mountOf, mountsWithin } from '../mounts.ts';
import { findSubvolume } from './btrfs.ts';
import { findVolume, isVolumeSnapshotWhole, makeVolumeSnapshot, removeVolumeSnapshot } from './lvm.ts';
import { findDataset, makeDatasetSnapshot, removeDatasetSnapshot } from './zfs.ts';

/** What a snapshot is made of. */
export type SnapshotSource = {
  readonly kind: 'btrfs' | 'lvm' | 'zfs';
  /** What its commands call it: a subvolume's path, `GROUP/VOLUME`, a dataset. */
  readonly name: string;
  /** The directory that a snapshot shows at its top. */
  readonly top: string;
  /** As mounts name it. */
  readonly fileSystem: string;
  /** Why there is no room for a snapshot now, in words; null where there is. */
  readonly lacks: string | null;
};

/** A snapshot that lies in no directory, by what finds it again: it is there, was there, or never came to be. */
export type VolumeSnapshot = { readonly kind: 'lvm' | 'zfs'; readonly name: string };

/** Null where there is no such thing, or no right to one. Throws `command-failed`, `command-missing`. */
export async function findSource(directory: string, signal: AbortSignal): Promise<SnapshotSource | null> {
  if (process.getuid?.() !== 0 || mountsWithin(directory).some((mount) => mount !== directory)) return null;
  const mount = mountOf(directory);
  if (mount === null) return null;
  if (mount.type === 'btrfs') {
    const name = await findSubvolume(directory, signal);
    return name === null ? null : { kind: 'btrfs', name, top: name, fileSystem: 'btrfs', lacks: null };
  }
  // Of one that is mounted in part it is not known here where in a snapshot that part is.
  if (mount.root !== '/') return null;
  return mount.type === 'zfs' ? await findDataset(mount, signal) : await findVolume(mount, signal);
}

/** The name that a snapshot of a volume or dataset would have; `label` has letters, digits and dashes alone. */
export function nameSnapshot({ kind, name }: SnapshotSource & VolumeSnapshot, label: string): VolumeSnapshot {
  return { kind, name: kind === 'zfs' ? `${name}@${label}` : `${name.slice(0, name.indexOf('/'))}/${label}` };
}

/**
 * Makes it, and opens its top; whoever gets the descriptor closes it. `place` is an empty directory of ours. Throws
 * `command-failed`, `command-missing`; then it may be there or not.
 */
export async function makeSnapshot(
  source: SnapshotSource,
  { kind, name }: VolumeSnapshot,
  place: string,
  signal: AbortSignal,
): Promise<number> {
  if (kind === 'zfs') return await makeDatasetSnapshot(name, place, signal);
  return await makeVolumeSnapshot(source.name, name, { place, type: source.fileSystem }, signal);
}

/** Whether all that was read from it up to now is of its instant. */
export async function isSnapshotWhole({ kind, name }: VolumeSnapshot): Promise<boolean> {
  // A dataset keeps what its snapshots hold: rather a write to itself fails.
  return kind === 'zfs' || (await isVolumeSnapshotWhole(name));
}

/** False where it is not there. Throws where it can't be removed: somebody holds it. */
export async function removeSnapshot({ kind, name }: VolumeSnapshot): Promise<boolean> {
  return kind === 'zfs' ? await removeDatasetSnapshot(name) : await removeVolumeSnapshot(name);
}
