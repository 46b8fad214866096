/** Which parts of which packs hold the wanted blobs: each part is read once, in the order of the pack. Pure. */
import type { BlobPlace } from '../index/blob-index.ts';
import { RANGE_BYTES, RANGE_GAP_BYTES } from '../limits.ts';

/** A blob that some files need. */
export type Need<Target> = { readonly id: string; readonly place: BlobPlace; readonly targets: readonly Target[] };

export type PackRange<Target> = {
  readonly pack: string;
  readonly offset: number;
  readonly length: number;
  readonly needs: readonly Need<Target>[];
};

/** Ranges of at most 8 MiB (one blob may be larger), by pack; small gaps are read over. */
export function planRanges<Target>(needs: Iterable<Need<Target>>): PackRange<Target>[] {
  const byPack = new Map<string, Need<Target>[]>();
  for (const need of needs) {
    const inPack = byPack.get(need.place.pack);
    if (inPack === undefined) byPack.set(need.place.pack, [need]);
    else inPack.push(need);
  }
  return [...byPack].flatMap(([pack, inPack]) => rangesOf(pack, inPack));
}

function rangesOf<Target>(pack: string, needs: readonly Need<Target>[]): PackRange<Target>[] {
  const ranges: PackRange<Target>[] = [];
  let current: Need<Target>[] = [];
  let from = 0;
  let to = 0;
  const close = (): void => {
    if (current.length > 0) ranges.push({ pack, offset: from, length: to - from, needs: current });
    current = [];
  };
  for (const need of needs.toSorted((a, b) => a.place.offset - b.place.offset)) {
    const { offset, length } = need.place;
    if (current.length > 0 && (offset - to > RANGE_GAP_BYTES || offset + length - from > RANGE_BYTES)) close();
    if (current.length === 0) from = offset;
    current.push(need);
    to = offset + length;
  }
  close();
  return ranges;
}
