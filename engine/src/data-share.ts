/**
 * Which packs of a repository are read in one go, so that all of its data is read in many nights. Pure.
 *
 * Parts are restic's: pack P is in part n of t where the first byte of its id, modulo t, is n − 1. Samples are drawn by
 * a seed: the same seed draws the same packs of the same repository.
 */
import { hash } from 'node:crypto';

/** Which share of all data a check reads. */
export type DataShare =
  /** Part `part` (from 1) of `of` parts, at most `MAX_PARTS`. */
  | { readonly kind: 'part'; readonly part: number; readonly of: number }
  /** A sample of this many percent of the packs, above 0 and up to 100; at least one pack. */
  | { readonly kind: 'percent'; readonly percent: number; readonly seed: string }
  /** A sample of packs of this many bytes in all, or a little more. */
  | { readonly kind: 'bytes'; readonly bytes: number; readonly seed: string };

/** There are no more first bytes. */
export const MAX_PARTS = 256;

/** The ids of those packs that are in the share. @throws RangeError for a share that is none. */
export function choosePacks(
  packs: readonly { readonly id: string; readonly bytes: number }[],
  share: DataShare,
): ReadonlySet<string> {
  switch (share.kind) {
    case 'part': {
      const { part, of } = share;
      if (!Number.isInteger(of) || of < 1 || of > MAX_PARTS) throw new RangeError(`there are 1 to ${MAX_PARTS} parts`);
      if (!Number.isInteger(part) || part < 1 || part > of) throw new RangeError(`the part must be from 1 to ${of}`);
      return new Set(packs.map(({ id }) => id).filter((id) => Number.parseInt(id.slice(0, 2), 16) % of === part - 1));
    }
    case 'percent': {
      if (!(share.percent > 0 && share.percent <= 100)) throw new RangeError('percents are above 0 and up to 100');
      const count = Math.max(1, Math.floor((packs.length * share.percent) / 100));
      return new Set(
        shuffle(packs, share.seed)
          .slice(0, count)
          .map(({ id }) => id),
      );
    }
    case 'bytes': {
      if (!(share.bytes > 0)) throw new RangeError('the bytes must be above 0');
      const chosen = new Set<string>();
      let left = share.bytes;
      for (const { id, bytes } of shuffle(packs, share.seed)) {
        if (left <= 0) break;
        chosen.add(id);
        left -= bytes;
      }
      return chosen;
    }
    default:
      return share satisfies never;
  }
}

/** In an order that the seed alone decides, whatever order they come in. */
function shuffle<T extends { readonly id: string }>(packs: readonly T[], seed: string): readonly T[] {
  return packs
    .map((pack) => ({ pack, place: hash('sha256', `${seed} ${pack.id}`, 'hex') }))
    .sort((one, other) => (one.place < other.place ? -1 : 1))
    .map(({ pack }) => pack);
}
