/**
 * One directory or file of a site changes places with what was built beside it. Where the site has nothing at that
 * place the new one moves in, and the other way round when it is taken back. A directory that is a mount, or that has
 * one in it, can't move itself: then what lies in it does, one entry after the other (`move-entries.ts`).
 */
import { type Side, changePlaces, surveyPlaces } from '../lib/beneath/change-places.ts';
import { openSpotOfOurs } from '../lib/beneath/own-directory.ts';
import { type OwnSpot, inodeOfSpot, openSpot, syncSpots } from '../lib/beneath/spot.ts';
import { mountsWithin } from '../lib/mounts.ts';
import { type EntriesMove, invertEntries, isEntriesKept, makeEntriesMove, surveyEntries } from './move-entries.ts';
import {
  type RelocateMove,
  invertRelocation,
  isRelocationKept,
  makeRelocation,
  surveyRelocation,
} from './relocate-directory.ts';

export type Move = PlaceMove | EntriesMove | RelocateMove;

/** Where a move takes place. */
export type MovePlaces = {
  /** The account's home: the tenant can put links below it, and not above. */
  readonly home: string;
  readonly live: string;
  /** The directory of the task on the same mount, root's alone. */
  readonly staging: string;
  readonly staged: string;
  /** How the site sees the place, relative to its directory. Not in journals of before there were moved-out directories. */
  readonly path?: string;
};

export type PlaceMove = MovePlaces & {
  /** What lay there before the move; null for nothing. */
  readonly liveInode: string | null;
  readonly stagedInode: string | null;
};

/** Looks at what lies at both places now and says what the move will do. */
export function planMove(places: MovePlaces): PlaceMove {
  using live = openSpot(places.home, places.live);
  using staged = openSpotOfOurs(places.staging, places.staged);
  return { ...places, liveInode: inodeOfSpot(live), stagedInode: inodeOfSpot(staged) };
}

/** From wherever a crash has left it; nothing happens where it was made already. */
export function makeMove(move: Move): void {
  if ('entries' in move) return makeEntriesMove(move);
  if ('to' in move) return makeRelocation(move);
  using spots = openSpots(move);
  changePlaces({ leaves: move.liveInode, comes: move.stagedInode }, spots);
  syncSpots(spots.live, spots.staged, spots.aside);
}

/**
 * Whether what a move has taken away is still kept, and can come back: what came is where it was put, and no mount was
 * put in it since, which would leave with it.
 */
export function isMoveKept(move: Move): boolean {
  if ('entries' in move) return isEntriesKept(move);
  if ('to' in move) return isRelocationKept(move);
  return surveyMove(move) === 'after' && mountsWithin(move.live).length === 0;
}

/** The move that takes this one back. */
export function invertMove(move: Move): Move {
  if ('entries' in move) return invertEntries(move);
  if ('to' in move) return invertRelocation(move);
  return { ...move, liveInode: move.stagedInode, stagedInode: move.liveInode };
}

/**
 * Whether the move was made, asked of the disk: what was built is where the site is, or still where it was built, or
 * it is on its way. `lost` where it is in neither place: then someone else moved it.
 */
export function surveyMove(move: Move): Side {
  if ('entries' in move) return surveyEntries(move);
  if ('to' in move) return surveyRelocation(move);
  using spots = openSpots(move);
  return surveyPlaces({ leaves: move.liveInode, comes: move.stagedInode }, spots);
}

function openSpots(move: PlaceMove): { live: OwnSpot; staged: OwnSpot; aside: OwnSpot } & Disposable {
  using opened = new DisposableStack();
  const live = opened.use(openSpot(move.home, move.live));
  const staged = opened.use(openSpotOfOurs(move.staging, move.staged));
  const aside = opened.use(openSpotOfOurs(move.staging, `${move.staging}/${nameAside(move)}`));
  const held = opened.move();
  return { live, staged, aside, [Symbol.dispose]: () => held.dispose() };
}

/** The same name whichever way round the move is. */
function nameAside({ liveInode, stagedInode }: PlaceMove): string {
  return `aside-${[liveInode ?? '', stagedInode ?? ''].toSorted().join('-')}`;
}
