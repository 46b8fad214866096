/**
 * How finely the tables of a dump are cut: fine enough that a changed row costs little, coarse enough that the pieces of
 * an account stay countable (design §8: at most a million for 14 days). Pure.
 *
 * Pieces of 4 KiB are best for a database of 16 MiB (`bench/rows/stored.ts`). Each snapshot lists all of them, changed or
 * not, so that the best size grows with the root of the database's. The same table cut in another way is stored once
 * more: what was chosen is kept, as a tag of the snapshot, until it is far from the best.
 */
import type { Snapshot } from '@salvor/engine';
import { MAX_CUT_BYTES } from '../databases/mariadb/cut-rows.ts';
import { DEFAULT_CUT_BYTES } from '../databases/mariadb/dump.ts';
import { tagOf } from './open-point.ts';

export type DumpCut = {
  /** Roughly what was dumped, as the server estimates it. */
  readonly bytes: number;
  /** Mean size of a piece, a power of two. */
  readonly cutBytes: number;
};

/** How the databases of a site were cut at a time. */
export type KnownCut = DumpCut & { readonly uri: string; readonly time: string };

/** The size of database that the default is best for. */
const BEST_FOR_BYTES = 16 * 1024 * 1024;

/**
 * Pieces of all databases of an account at one time, at best: what was chosen may be three times as fine, and what
 * changes in 14 days comes on top of it.
 */
const BEST_ACCOUNT_PIECES = 150_000;

/** How far the best may move away from what was chosen, on either side of what would be chosen for it. */
const PATIENCE = 1.5;

/** For the databases of a site that have about `bytes`; `known` are all cuts that the account's repository tells of. */
export function chooseDumpCut(known: readonly KnownCut[], uri: string, bytes: number): DumpCut {
  const newest = new Map<string, KnownCut>();
  for (const cut of known) {
    const before = newest.get(cut.uri);
    if (before === undefined || Date.parse(before.time) <= Date.parse(cut.time)) newest.set(cut.uri, cut);
  }
  const others = [...newest].filter(([site]) => site !== uri).reduce((sum, [, dumped]) => sum + dumped.bytes, 0);
  const best = Math.max(
    DEFAULT_CUT_BYTES * Math.sqrt(bytes / BEST_FOR_BYTES),
    (others + bytes) / BEST_ACCOUNT_PIECES,
    DEFAULT_CUT_BYTES,
  );
  const before = newest.get(uri)?.cutBytes;
  const isNear = before !== undefined && best >= before / PATIENCE && best < before * 2 * PATIENCE;
  const cutBytes = isNear ? before : Math.min(MAX_CUT_BYTES, 2 ** Math.floor(Math.log2(best)));
  return { bytes, cutBytes };
}

/** What a snapshot of one site keeps. */
export function tagOfCut({ bytes, cutBytes }: DumpCut): string {
  return `${TAG}:${bytes}/${cutBytes}`;
}

/** What the snapshots of single sites have kept. */
export function cutsOfTags(snapshots: readonly Pick<Snapshot, 'tags' | 'time'>[]): readonly KnownCut[] {
  return snapshots.flatMap((snapshot) => {
    const cut = readTag(tagOf(snapshot, TAG));
    const uri = tagOf(snapshot, 'site');
    return cut === null || uri === null ? [] : [{ ...cut, uri, time: snapshot.time }];
  });
}

const TAG = 'dump-cut';

function readTag(text: string | null): DumpCut | null {
  const match = /^(\d{1,15})\/(\d{4,6})$/.exec(text ?? '');
  const [bytes, cutBytes] = [Number(match?.[1]), Number(match?.[2])];
  const isCut = cutBytes >= DEFAULT_CUT_BYTES && cutBytes <= MAX_CUT_BYTES && Number.isInteger(Math.log2(cutBytes));
  return match === null || !isCut ? null : { bytes, cutBytes };
}
