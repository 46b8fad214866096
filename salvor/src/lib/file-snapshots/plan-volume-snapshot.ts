import type { Volume } from './read-volumes.ts';

/** Of the volume: what is written to it while a night reads is seldom more, and what is not used is free again after it. */
const WANTED_SHARE = 0.2;
/** A snapshot that is smaller would be full before the night is over: better none. */
const MIN_SHARE = 0.01;
/** A pool that runs full stops the sites that write to it. */
const MAX_POOL_FILL = 90;

/** Room that a snapshot takes out of its group; none is asked for where it shares a pool with its volume. */
export type VolumePlan = { readonly extents: number | null } | { readonly lacks: string };

/** How a snapshot of a volume would be made. Null where LVM makes none of such a volume. Pure. */
export function planVolumeSnapshot(volume: Volume, all: readonly Volume[]): VolumePlan | null {
  if (volume.layout.includes('thin')) return planThin(volume, all);
  if (volume.roles.includes('thicksnapshot')) return null;
  const { bytes, extentBytes, group } = volume;
  const wanted = Math.min(WANTED_SHARE * bytes, volume.groupFreeBytes);
  const extents = Math.floor(wanted / extentBytes);
  if (extents >= 1 && extents * extentBytes >= MIN_SHARE * bytes) return { extents };
  return { lacks: `volume group ${group} has no free room for a snapshot of ${volume.name}` };
}

function planThin(volume: Volume, all: readonly Volume[]): VolumePlan | null {
  const pool = all.find(({ group, name }) => group === volume.group && name === volume.pool);
  if (pool === undefined) return null;
  const { fill, metadataFill } = pool;
  if ((fill ?? 100) <= MAX_POOL_FILL && (metadataFill ?? 100) <= MAX_POOL_FILL) return { extents: null };
  return { lacks: `thin pool ${pool.group}/${pool.name} is more than ${MAX_POOL_FILL} % full` };
}
