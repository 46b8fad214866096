/**
 * One directory or file of a site changes places with what was built beside it. Where the site has nothing at that
 * place the new one moves in, and the other way round when it is taken back.
 */
import { exchangeSpots, inodeOfSpot, moveSpot, openSpot } from '../lib/beneath/spot.ts';

export type Move = {
  /** The account's home: the tenant can put links below it, and not above. */
  readonly home: string;
  readonly live: string;
  /** The directory of the task on the same mount, root's alone. */
  readonly staging: string;
  readonly staged: string;
  /** What lay there before the move; null for nothing. */
  readonly liveInode: string | null;
  readonly stagedInode: string | null;
};

/** Looks at what lies at both places now and says what the move will do. */
export function planMove(places: Pick<Move, 'home' | 'live' | 'staging' | 'staged'>): Move {
  using live = openSpot(places.home, places.live);
  using staged = openSpot(places.staging, places.staged);
  return { ...places, liveInode: inodeOfSpot(live), stagedInode: inodeOfSpot(staged) };
}

export function makeMove(move: Move): void {
  using live = openSpot(move.home, move.live);
  using staged = openSpot(move.staging, move.staged);
  if (move.liveInode === null) moveSpot(staged, live);
  else if (move.stagedInode === null) moveSpot(live, staged);
  else exchangeSpots(staged, live);
}

/** The move that takes this one back. */
export function invertMove(move: Move): Move {
  return { ...move, liveInode: move.stagedInode, stagedInode: move.liveInode };
}

/**
 * Whether the move was made, asked of the disk: what was built is where the site is, or still where it was built.
 * `lost` where it is in neither place: then someone else moved it.
 */
export function surveyMove(move: Move): 'before' | 'after' | 'lost' {
  using live = openSpot(move.home, move.live);
  using staged = openSpot(move.staging, move.staged);
  const liveNow = inodeOfSpot(live);
  const stagedNow = inodeOfSpot(staged);
  if (move.stagedInode === null)
    return stagedNow === move.liveInode ? 'after' : liveNow === move.liveInode ? 'before' : 'lost';
  return liveNow === move.stagedInode ? 'after' : stagedNow === move.stagedInode ? 'before' : 'lost';
}
