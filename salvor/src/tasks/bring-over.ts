import { type Repository, type Snapshot, copy } from '@salvor/engine';

/** Brings points of an account from one of its repositories into another, with everything they need. How many came. */
export async function bringOver(
  from: Repository,
  to: Repository,
  {
    isWanted,
    workers,
    signal,
    onProgress,
  }: {
    readonly isWanted: (snapshot: Snapshot) => boolean;
    readonly workers: number;
    readonly signal: AbortSignal;
    readonly onProgress: (blobs: number) => void;
  },
): Promise<number> {
  const { copied } = await copy({
    from,
    to,
    wanted: (snapshot) => snapshot.tags.includes('salvor') && isWanted(snapshot),
    workers,
    signal,
    onProgress: ({ blobs }) => onProgress(blobs),
  });
  return copied.length;
}
