/**
 * Decides what a prune does, as a value that can be shown. Pure: reads nothing, changes nothing.
 *
 *   no index lists the pack          delete
 *   nothing in it is used            delete
 *   used in part, mixed, torn, trees that lie uncompressed, many small ones   a candidate to be written anew
 *   all else                         keep
 *
 * Of the candidates, trees and mixed packs go first (all of them), then the smallest and those with the largest unused
 * share, until what is left unused is within the limit. Of a blob that lies in several packs one copy counts as used.
 */
import { EngineError } from './errors.ts';
import { INDEX_FULL_BLOBS, MAX_PACK_BLOBS, PACK_TARGET_BYTES } from './limits.ts';
import { UNUSED } from './prune/pack-facts.ts';
import type { IndexFileFacts, PackCatalogue, PackFacts } from './prune/pack-facts.ts';
import type { BlobNumbers } from './prune/blob-numbers.ts';

/** How much unused data may stay: a share of the used in percent, bytes, or any amount. */
export type UnusedLimit =
  | { readonly kind: 'percent'; readonly percent: number }
  | { readonly kind: 'bytes'; readonly bytes: number }
  | { readonly kind: 'unlimited' };

/** How much may stay unused, and how much is written anew for it; bytes. */
export type PruneLimits = {
  /** 5 % by default, as restic's. */
  readonly maxUnused?: UnusedLimit;
  /** Bytes of packs that are written anew in one run, at most. */
  readonly maxRepackBytes?: number;
  /** Write tree packs anew only: of data packs those go that hold nothing used. */
  readonly repackCacheableOnly?: boolean;
  /** Write packs anew that hold uncompressed blobs. */
  readonly repackUncompressed?: boolean;
  /** Write all packs anew that are below 80 % of the target size; otherwise ten tiny ones are needed for it. */
  readonly repackSmall?: boolean;
};

export type PruneInput = {
  readonly used: BlobNumbers;
  readonly catalogue: PackCatalogue;
  /** The packs that are there, with their bytes. */
  readonly stored: ReadonlyMap<string, number>;
  readonly limits: PruneLimits;
};

export type PrunePlan = {
  /** Packs that no index file lists. */
  readonly unlisted: readonly string[];
  /** Packs of which nothing is used, or of which another pack holds all that is. */
  readonly remove: readonly string[];
  /** Packs whose used blobs go into new packs. */
  readonly repack: readonly string[];
  /** Listed packs that are not there, and that nothing needs. */
  readonly gone: readonly string[];
  /** How many packs stay as they are. */
  readonly kept: number;
  /** Index files whose place new ones take. */
  readonly rewriteIndexes: readonly string[];
  /** Bytes of packs as they lie there: all, and what is left of them after the run (about: new headers count too). */
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  /** Bytes of sealed blobs: those in use, those unused (second copies included) before and after, those copied. */
  readonly bytesUsed: number;
  readonly bytesUnused: number;
  readonly bytesUnusedAfter: number;
  readonly bytesToRepack: number;
  readonly blobsUsed: number;
  /** By number of the blob: the place in `packOrder` of the pack whose copy counts. */
  readonly owners: Uint32Array;
  readonly packOrder: readonly string[];
};

const DEFAULT_UNUSED: UnusedLimit = { kind: 'percent', percent: 5 };
const NOBODY = 0xffff_ffff;
/** A pack this much of which is unused stays anyway at the usual limit: it may take the copy that counts. */
const CLEAN_SHARE = 0.05;
const SMALL_SHARE = 0.8;
const MIN_SMALL_BYTES = 4 * 1024 * 1024;
/** Small packs that make it worth while (restic's number), and small index files. */
const SMALL_PACKS = 10;
const SMALL_INDEXES = 10;

/**
 * @throws EngineError `blob-missing` where a used blob is in no index, `pack-damaged` where a pack that is needed is
 *   missing or has another size than its listing says: then nothing may be deleted before it is repaired.
 */
export function planPrune(input: PruneInput): PrunePlan {
  const { catalogue, stored, limits } = input;
  const packs = [...catalogue.packs.values()];
  const owners = chooseOwners(input, packs);
  const judged = packs.map((pack, place) => judge(pack, place, owners, stored, limits));
  const limitBytes = smallLimit(judged, limits);
  const small = judged.filter(({ verdict, bytes }) => verdict === 'small' && bytes < limitBytes);
  const tooSmall = new Set(small.length >= (limits.repackSmall === true ? 2 : SMALL_PACKS) ? small : []);
  const candidates = judged.filter((each) => each.verdict === 'candidate' || tooSmall.has(each));
  const used = sum(judged, (each) => each.usedBytes);
  const removed = judged.filter(({ verdict }) => verdict === 'remove');
  const unused = sum(judged, (each) => each.unusedBytes);
  const unusedNow = unused - sum(removed, (each) => each.unusedBytes);
  const repack = choose(candidates, limits, unusedLimit(limits.maxUnused ?? DEFAULT_UNUSED, used), unusedNow);
  const goingIds = new Set([...removed, ...repack].map(({ pack }) => pack.id));
  const repackIds = repack.map(({ pack }) => pack.id);
  const bytesBefore = [...stored.values()].reduce((total, bytes) => total + bytes, 0);
  const unlisted = [...stored.keys()].filter((id) => !catalogue.packs.has(id));
  const bytesKept = sum(judged, ({ pack, bytes }) => (stored.has(pack.id) && !goingIds.has(pack.id) ? bytes : 0));
  return {
    unlisted,
    remove: removed.filter(({ pack }) => stored.has(pack.id)).map(({ pack }) => pack.id),
    repack: repackIds,
    gone: removed.filter(({ pack }) => !stored.has(pack.id)).map(({ pack }) => pack.id),
    kept: packs.length - goingIds.size,
    rewriteIndexes: indexesToRewrite(catalogue, goingIds),
    bytesBefore,
    bytesAfter: bytesKept + sum(repack, (each) => each.usedBytes),
    bytesUsed: used,
    bytesUnused: unused,
    bytesUnusedAfter: unusedNow - sum(repack, (each) => each.unusedBytes),
    bytesToRepack: sum(repack, (each) => each.bytes),
    blobsUsed: input.used.size,
    owners,
    packOrder: packs.map(({ id }) => id),
  };
}

/** For each used blob the pack whose copy counts. */
function chooseOwners(input: PruneInput, packs: readonly PackFacts[]): Uint32Array {
  const { used, stored } = input;
  const copies = new Uint8Array(used.size);
  const broken = new Map<number, PackFacts>();
  for (const pack of packs) {
    const isSound = isSoundPack(pack, stored);
    for (const number of numbersOf(pack)) {
      if (isSound) copies[number] = Math.min(2, (copies[number] ?? 0) + 1);
      else broken.set(number, pack);
    }
  }
  for (let number = 0; number < used.size; number++) {
    if (copies[number] !== 0) continue;
    const pack = broken.get(number);
    if (pack === undefined) throw new EngineError('blob-missing', { ...used.at(number), blob: used.at(number).id });
    throw new EngineError('pack-damaged', { file: pack.id, reason: whyUnsound(pack, stored) });
  }
  return settle(used.size, packs, stored, copies);
}

const isSoundPack = (pack: PackFacts, stored: ReadonlyMap<string, number>): boolean =>
  !pack.isContradicted && stored.get(pack.id) === pack.expectedBytes;

function whyUnsound(pack: PackFacts, stored: ReadonlyMap<string, number>): string {
  const bytes = stored.get(pack.id);
  if (bytes === undefined) return 'it is missing';
  if (pack.isContradicted) return 'two index files list it differently';
  return `it has ${bytes} bytes instead of ${pack.expectedBytes}`;
}

/**
 * The first pack in order of merit takes what it holds. Packs that stay anyway come first, and of those the ones that
 * hold what no other does: then the other copies' packs empty. A run that was killed while it wrote packs anew finds
 * its new ones clean, so that they are kept and its work is not done twice.
 */
function settle(
  size: number,
  packs: readonly PackFacts[],
  stored: ReadonlyMap<string, number>,
  copies: Uint8Array,
): Uint32Array {
  const owners = new Uint32Array(size).fill(NOBODY);
  const merits = packs.flatMap((pack, place) => {
    if (!isSoundPack(pack, stored)) return [];
    let only = 0;
    let dead = 0;
    let all = 0;
    for (let at = 0; at < pack.entries.length; at += 3) {
      const number = pack.entries[at] ?? UNUSED;
      const length = pack.entries[at + 2] ?? 0;
      all += length;
      if (number === UNUSED) dead += length;
      else if (copies[number] === 1) only += length;
    }
    const share = all === 0 ? 1 : dead / all;
    const isClean = share <= CLEAN_SHARE && !pack.isTorn;
    return [{ pack, place, rank: isClean ? (only > 0 ? 0 : 1) : 2, share, all }];
  });
  merits.sort((a, b) => a.rank - b.rank || a.share - b.share || b.all - a.all || (a.pack.id < b.pack.id ? -1 : 1));
  for (const { pack, place } of merits) {
    for (const number of numbersOf(pack)) if (owners[number] === NOBODY) owners[number] = place;
  }
  return owners;
}

function* numbersOf(pack: PackFacts): Generator<number> {
  for (let at = 0; at < pack.entries.length; at += 3) {
    const number = pack.entries[at] ?? UNUSED;
    if (number !== UNUSED) yield number;
  }
}

type Judged = {
  readonly pack: PackFacts;
  readonly verdict: 'keep' | 'remove' | 'candidate' | 'small';
  /** Of the file. */
  readonly bytes: number;
  readonly usedBytes: number;
  readonly unusedBytes: number;
  /** Written anew whatever the limit of unused data says. */
  readonly isUrgent: boolean;
};

function judge(
  pack: PackFacts,
  place: number,
  owners: Uint32Array,
  stored: ReadonlyMap<string, number>,
  limits: PruneLimits,
): Judged {
  let usedBytes = 0;
  let unusedBytes = 0;
  const counted = new Set<number>();
  for (let at = 0; at < pack.entries.length; at += 3) {
    const number = pack.entries[at] ?? UNUSED;
    const length = pack.entries[at + 2] ?? 0;
    // A pack may hold one blob twice: the second copy is waste.
    const isUsed = number !== UNUSED && owners[number] === place && !counted.has(number);
    if (isUsed) {
      usedBytes += length;
      counted.add(number);
    } else unusedBytes += length;
  }
  const bytes = stored.get(pack.id) ?? pack.expectedBytes;
  const isMixed = pack.holdsData && pack.holdsTrees;
  const mustCompress = pack.holdsUncompressed && (!pack.holdsData || limits.repackUncompressed === true);
  const isUrgent = pack.holdsTrees || mustCompress || pack.isTorn;
  const verdict =
    counted.size === 0
      ? 'remove'
      : unusedBytes > 0 || isMixed || mustCompress || pack.isTorn
        ? 'candidate'
        : bytes < PACK_TARGET_BYTES * SMALL_SHARE && pack.entries.length / 3 < MAX_PACK_BLOBS * SMALL_SHARE
          ? 'small'
          : 'keep';
  return { pack, verdict, bytes, usedBytes, unusedBytes, isUrgent };
}

/** Below this a pack that is used whole is small: packs of a repository that was made with a smaller target are not. */
function smallLimit(judged: readonly Judged[], limits: PruneLimits): number {
  if (limits.repackSmall === true) return SMALL_SHARE * PACK_TARGET_BYTES;
  const sizes = judged.map(({ bytes }) => bytes).toSorted((a, b) => a - b);
  const third = sizes[Math.floor(sizes.length * 0.03)] ?? 0;
  return SMALL_SHARE * Math.max(MIN_SMALL_BYTES, Math.min(third, PACK_TARGET_BYTES));
}

function unusedLimit(limit: UnusedLimit, usedBytes: number): number {
  switch (limit.kind) {
    case 'unlimited':
      return Number.POSITIVE_INFINITY;
    case 'bytes':
      return limit.bytes;
    case 'percent':
      return limit.percent >= 100
        ? Number.POSITIVE_INFINITY
        : Math.floor((limit.percent / (100 - limit.percent)) * usedBytes);
    default:
      return limit satisfies never;
  }
}

function choose(
  candidates: readonly Judged[],
  limits: PruneLimits,
  maxUnused: number,
  unusedBefore: number,
): readonly Judged[] {
  const isTree = (each: Judged): number => (each.pack.holdsTrees ? 0 : 1);
  const isLarge = (each: Judged): number => (each.verdict === 'small' ? 0 : 1);
  const sorted = candidates.toSorted(
    (a, b) =>
      isTree(a) - isTree(b) ||
      isLarge(a) - isLarge(b) ||
      b.unusedBytes * Math.max(1, a.usedBytes) - a.unusedBytes * Math.max(1, b.usedBytes),
  );
  const chosen: Judged[] = [];
  let unused = unusedBefore;
  let bytes = 0;
  for (const each of sorted) {
    if (limits.repackCacheableOnly === true && !each.pack.holdsTrees) continue;
    if (bytes + each.bytes > (limits.maxRepackBytes ?? Number.POSITIVE_INFINITY)) continue;
    if (!each.isUrgent && each.verdict !== 'small' && unused <= maxUnused) continue;
    chosen.push(each);
    bytes += each.bytes;
    unused -= each.unusedBytes;
  }
  return chosen;
}

/** Files that list what goes, or what another lists too; with them, or where there are many, those that are not full. */
function indexesToRewrite(catalogue: PackCatalogue, going: ReadonlySet<string>): readonly string[] {
  const isHit = ({ packs }: IndexFileFacts): boolean =>
    packs.length === 0 || packs.some((pack) => going.has(pack.id) || catalogue.repeated.has(pack));
  const isFull = ({ blobs }: IndexFileFacts): boolean => blobs >= INDEX_FULL_BLOBS;
  const isAnyHit = catalogue.files.some(isHit);
  const isMany = catalogue.files.filter((file) => !isFull(file)).length >= SMALL_INDEXES;
  return catalogue.files.filter((file) => isHit(file) || ((isAnyHit || isMany) && !isFull(file))).map(({ id }) => id);
}

const sum = <T>(items: readonly T[], value: (item: T) => number): number =>
  items.reduce((total, item) => total + value(item), 0);
