/**
 * Puts two things into each other's places, from wherever a crash has left them. There are three spots: where the site
 * is, where its new form was built, and one aside, for file systems that can't exchange two names in one step: there
 * the old goes aside, the new comes, and the old takes the new one's place.
 *
 * What is where is asked of the disk, by inode; a thing that is at none of the three was moved by someone else.
 */
import { constants as osConstants } from 'node:os';
import { errnoOf } from '../errno.ts';
import { type Spot, exchangeSpots, inodeOfSpot, moveSpot } from './spot.ts';

export type Swapped = {
  /** Inode of what leaves `live` and of what comes; null for nothing. */
  readonly leaves: string | null;
  readonly comes: string | null;
};

export type Spots = { readonly live: Spot; readonly staged: Spot; readonly aside: Spot };

export type Side = 'before' | 'between' | 'after' | 'lost';

/** Makes it `after`. Does nothing where it is. On disk after `syncSpots`. `exchange` is the system's own but in tests. */
export function changePlaces(swapped: Swapped, spots: Spots, exchange: typeof exchangeSpots = exchangeSpots): void {
  const { leaves, comes } = swapped;
  const { live, staged, aside } = spots;
  const isHere = (spot: Spot, inode: string | null): boolean => inode !== null && inodeOfSpot(spot) === inode;
  if (leaves !== null && comes !== null && isHere(live, leaves) && isHere(staged, comes)) {
    try {
      exchange(staged, live);
      return;
    } catch (error) {
      if (!CANNOT_EXCHANGE.has(errnoOf(error) ?? '')) throw error;
    }
  }
  // What comes needs the place of what leaves; that can have its own only when the other one has come.
  if (isHere(live, leaves)) moveSpot(live, isHere(staged, comes) ? aside : staged);
  if (isHere(staged, comes)) moveSpot(staged, live);
  if (isHere(aside, comes)) moveSpot(aside, live);
  if (isHere(aside, leaves)) moveSpot(aside, staged);
}

export function surveyPlaces({ leaves, comes }: Swapped, spots: Spots): Side {
  const live = inodeOfSpot(spots.live);
  const staged = inodeOfSpot(spots.staged);
  const aside = inodeOfSpot(spots.aside);
  if (aside !== null && (aside === leaves || aside === comes)) return 'between';
  if (comes === null) return staged === leaves ? 'after' : live === leaves ? 'before' : 'lost';
  if (live === comes) return 'after';
  return staged === comes ? 'before' : 'lost';
}

/** What file systems without such a call say: NFS, FAT, old kernels. */
const CANNOT_EXCHANGE: ReadonlySet<string> = new Set(
  ['EINVAL', 'ENOSYS', 'EOPNOTSUPP'].filter((code) => code in osConstants.errno),
);
