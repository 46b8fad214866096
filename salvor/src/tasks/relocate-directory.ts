/**
 * A site's directory gets another name or another platform: one rename, nothing is copied, and what visitors write
 * meanwhile goes along. Files in it that say who the site is change places first with those that were written beside, so
 * that from the rename on they say the new one.
 *
 * The directory is known by its inode, whichever of the two places it is at, and what is in it is reached through it.
 */
import { fstatSync } from 'node:fs';
import { relative } from 'node:path';
import { setTimesOfHeld } from '@salvor/engine/libc';
import { type Side, changePlaces, surveyPlaces } from '../lib/beneath/change-places.ts';
import { type OpenDirectory, openDirectory, openRoot } from '../lib/beneath/open-directory.ts';
import { openSpotOfOurs } from '../lib/beneath/own-directory.ts';
import { parseSafePath } from '../lib/beneath/safe-path.ts';
import { type OwnSpot, inodeOfSpot, moveSpot, openSpot, spotBeneath, syncSpots } from '../lib/beneath/spot.ts';
import { SalvorError } from '../errors.ts';
import type { MovePlaces } from './move-site.ts';

/** `live` is where the directory is before, `staged` is unused: nothing takes its place. */
export type RelocateMove = MovePlaces & {
  readonly to: string;
  readonly inode: string;
  readonly within: readonly RelocatedEntry[];
};

export type RelocatedEntry = {
  /** Below the directory: its bytes, a character each. */
  readonly path: string;
  readonly staged: string;
  readonly liveInode: string;
  readonly stagedInode: string;
};

/** Looks at what is there now. `within` are the files that were written beside, by their paths in the directory. */
export function planRelocation(
  places: MovePlaces & { readonly to: string },
  within: readonly Pick<RelocatedEntry, 'path' | 'staged'>[],
): RelocateMove {
  using spot = openSpot(places.home, places.live);
  const inode = inodeOfSpot(spot);
  if (inode === null)
    throw new SalvorError('source-missing', { path: places.live, reason: 'the directory of the site is gone' });
  using directory = openAt(places.home, places.live);
  const entries = within.map(({ path, staged }) => {
    using live = spotBeneath(directory, parseSafePath(bytesOf(path)));
    using beside = openSpotOfOurs(places.staging, staged);
    return {
      path,
      staged,
      liveInode: required(inodeOfSpot(live), path),
      stagedInode: required(inodeOfSpot(beside), staged),
    };
  });
  return { ...places, inode, within: entries };
}

/** From wherever a crash has left it. Throws `EEXIST` where somebody has put something in its new place. */
export function makeRelocation(move: RelocateMove): void {
  using places = openPlaces(move);
  const at = places.at();
  if (at === null) throw new Error(`${move.live} is at neither of its places`);
  {
    using directory = openAt(move.home, at);
    for (const entry of move.within) {
      using spots = openEntry(move, entry, directory);
      const before = fstatSync(spots.live.fd, { bigint: true });
      changePlaces({ leaves: entry.liveInode, comes: entry.stagedInode }, spots);
      setTimesOfHeld(spots.live.fd, before.atimeNs, before.mtimeNs);
      syncSpots(spots.live, spots.staged, spots.aside);
    }
  }
  if (at === move.live) moveSpot(places.from, places.to);
  syncSpots(places.from, places.to);
}

export function invertRelocation(move: RelocateMove): RelocateMove {
  return {
    ...move,
    live: move.to,
    to: move.live,
    within: move.within.map((entry) => ({ ...entry, liveInode: entry.stagedInode, stagedInode: entry.liveInode })),
  };
}

export function surveyRelocation(move: RelocateMove): Side {
  using places = openPlaces(move);
  const at = places.at();
  if (at === null) return 'lost';
  using directory = openAt(move.home, at);
  const sides = new Set(
    move.within.map((entry) => {
      using spots = openEntry(move, entry, directory);
      return surveyPlaces({ leaves: entry.liveInode, comes: entry.stagedInode }, spots);
    }),
  );
  sides.add(at === move.live ? 'before' : 'after');
  if (sides.has('lost')) return 'lost';
  return sides.size > 1 ? 'between' : at === move.live ? 'before' : 'after';
}

/** Whether it can go back: all of it is where it was put, and its old place is free. */
export function isRelocationKept(move: RelocateMove): boolean {
  using places = openPlaces(move);
  if (surveyRelocation(move) !== 'after') return false;
  return inodeOfSpot(places.from) === null;
}

/** Of one that can't go back: what of it is not where it was put, or its old place, which is taken. */
export function findRelocationFault(move: RelocateMove): string {
  using places = openPlaces(move);
  if (places.at() !== move.to) return move.to;
  using directory = openAt(move.home, move.to);
  const lost = move.within.find((entry) => {
    using spots = openEntry(move, entry, directory);
    return surveyPlaces({ leaves: entry.liveInode, comes: entry.stagedInode }, spots) !== 'after';
  });
  return lost === undefined ? move.live : `${move.to}/${bytesOf(lost.path).toString('utf8')}`;
}

type Places = Disposable & { readonly from: OwnSpot; readonly to: OwnSpot; readonly at: () => string | null };

function openPlaces(move: RelocateMove): Places {
  using opened = new DisposableStack();
  const from = opened.use(openSpot(move.home, move.live));
  const to = opened.use(openSpot(move.home, move.to));
  const at = (): string | null =>
    inodeOfSpot(from) === move.inode ? move.live : inodeOfSpot(to) === move.inode ? move.to : null;
  const held = opened.move();
  return { from, to, at, [Symbol.dispose]: () => held.dispose() };
}

type EntrySpots = Disposable & { readonly live: OwnSpot; readonly staged: OwnSpot; readonly aside: OwnSpot };

function openEntry({ staging }: RelocateMove, entry: RelocatedEntry, directory: OpenDirectory): EntrySpots {
  using opened = new DisposableStack();
  const aside = `${staging}/aside-${[entry.liveInode, entry.stagedInode].toSorted().join('-')}`;
  const spots = {
    live: opened.use(spotBeneath(directory, parseSafePath(bytesOf(entry.path)))),
    staged: opened.use(openSpotOfOurs(staging, entry.staged)),
    aside: opened.use(openSpotOfOurs(staging, aside)),
  };
  const held = opened.move();
  return { ...spots, [Symbol.dispose]: () => held.dispose() };
}

function openAt(home: string, path: string): OpenDirectory {
  using root = openRoot(home);
  return openDirectory(root, parseSafePath(relative(home, path)));
}

function required(inode: string | null, path: string): string {
  if (inode === null) throw new SalvorError('file-changed', { path });
  return inode;
}

function bytesOf(path: string): Buffer {
  return Buffer.from(path, 'latin1');
}
