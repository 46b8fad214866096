/**
 * What lies in a directory changes places with what lies in the one that was built beside it, entry by entry, each in
 * one step: for a directory that is a mount, or in which one lies. It keeps its place and gets the owner, mode and time
 * of the other. Between first and last it is mixed, for as long as that many renames take: milliseconds.
 */
import { fchmodSync, fchownSync, fstatSync, readdirSync } from 'node:fs';
import { relative } from 'node:path';
import { setTimesOfHeld } from '@salvor/engine/libc';
import { type Side, changePlaces, surveyPlaces } from '../lib/beneath/change-places.ts';
import { type OpenDirectory, openDirectory, openRoot } from '../lib/beneath/open-directory.ts';
import { openOwnDirectory } from '../lib/beneath/own-directory.ts';
import { parseSafePath } from '../lib/beneath/safe-path.ts';
import { type Spot, inodeOfSpot, spotIn, syncSpots } from '../lib/beneath/spot.ts';
import { stayingNames } from '../points/left-out.ts';
import type { MovePlaces } from './move-site.ts';

export type EntriesMove = MovePlaces & {
  readonly entries: readonly MoveEntry[];
  /** Of the live directory before the move, and after it. */
  readonly attributes: { readonly before: Attributes; readonly after: Attributes };
};

export type MoveEntry = {
  /** Its bytes, a character each: a name need not be text. */
  readonly name: string;
  readonly liveInode: string | null;
  readonly stagedInode: string | null;
};

export type Attributes = {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  /** Nanoseconds since 1970, as text: a journal is JSON. */
  readonly mtimeNs: string;
};

/** Looks at both directories now. Mounts in the live one stay, with what leads to them and what is not the site's. */
export function planEntriesMove(places: MovePlaces): EntriesMove {
  using both = openBoth(places);
  const stay = new Set(stayingNames(places.live).map((name) => Buffer.from(name).toString('latin1')));
  const names = new Set([...namesIn(both.live), ...namesIn(both.staged)].filter((name) => !stay.has(name)));
  const entries = [...names].toSorted().map((name) => ({
    name,
    liveInode: inodeOfSpot(spotOf(both.live, name)),
    stagedInode: inodeOfSpot(spotOf(both.staged, name)),
  }));
  return { ...places, entries, attributes: { before: attributesOf(both.live), after: attributesOf(both.staged) } };
}

export function makeEntriesMove(move: EntriesMove): void {
  using both = openBoth(move);
  for (const entry of move.entries)
    changePlaces({ leaves: entry.liveInode, comes: entry.stagedInode }, spotsOf(both, entry));
  setAttributes(both.live, move.attributes.after);
  // Where the other one's are kept, so that an undo finds them.
  setAttributes(both.staged, move.attributes.before);
  syncSpots(both.live, both.staged, both.aside);
}

export function invertEntries(move: EntriesMove): EntriesMove {
  return {
    ...move,
    entries: move.entries.map(({ name, liveInode, stagedInode }) => ({
      name,
      liveInode: stagedInode,
      stagedInode: liveInode,
    })),
    attributes: { before: move.attributes.after, after: move.attributes.before },
  };
}

/** Whether all that a move has taken away is still where it was put. What came may have been changed and deleted since. */
export function isEntriesKept(move: EntriesMove): boolean {
  using both = openBoth(move);
  return move.entries.every(
    ({ name, liveInode }) => liveInode === null || inodeOfSpot(spotOf(both.staged, name)) === liveInode,
  );
}

/** The move that takes one back, as things are now: what the site has made in the directory since goes with the rest. */
export function planEntriesBack(move: EntriesMove): EntriesMove {
  return { ...move, ...planEntriesMove(move) };
}

export function surveyEntries(move: EntriesMove): Side {
  using both = openBoth(move);
  const sides = new Set(
    move.entries.map((entry) =>
      surveyPlaces({ leaves: entry.liveInode, comes: entry.stagedInode }, spotsOf(both, entry)),
    ),
  );
  if (sides.has('lost')) return 'lost';
  if (sides.size > 1) return 'between';
  const [only] = sides;
  if (only !== undefined) return only;
  // Nothing moves but the directory's own owner, mode and time.
  const isAfter = JSON.stringify(attributesOf(both.live)) === JSON.stringify(move.attributes.after);
  return isAfter ? 'after' : 'before';
}

type Both = Disposable & {
  readonly live: OpenDirectory;
  readonly staged: OpenDirectory;
  readonly aside: OpenDirectory;
};

function openBoth({ home, live, staging, staged }: MovePlaces): Both {
  using opened = new DisposableStack();
  const root = opened.use(openRoot(home));
  const aside = opened.use(openOwnDirectory(staging));
  const both = {
    live: opened.use(openDirectory(root, parseSafePath(relative(home, live)))),
    staged: opened.use(openDirectory(aside, parseSafePath(relative(staging, staged)))),
    aside,
  };
  const held = opened.move();
  return { ...both, [Symbol.dispose]: () => held.dispose() };
}

function spotsOf(both: Both, { name, liveInode, stagedInode }: MoveEntry): { live: Spot; staged: Spot; aside: Spot } {
  const aside = `aside-${[liveInode ?? '', stagedInode ?? ''].toSorted().join('-')}`;
  return { live: spotOf(both.live, name), staged: spotOf(both.staged, name), aside: spotIn(both.aside, aside) };
}

function spotOf(directory: OpenDirectory, name: string): Spot {
  return spotIn(directory, Buffer.from(name, 'latin1'));
}

function namesIn({ fd }: OpenDirectory): readonly string[] {
  return readdirSync(`/proc/self/fd/${fd}`, 'latin1');
}

function attributesOf({ fd }: OpenDirectory): Attributes {
  const { uid, gid, mode, mtimeNs } = fstatSync(fd, { bigint: true });
  return { uid: Number(uid), gid: Number(gid), mode: Number(mode) & 0o7777, mtimeNs: mtimeNs.toString() };
}

function setAttributes({ fd }: OpenDirectory, { uid, gid, mode, mtimeNs }: Attributes): void {
  if (process.getuid?.() === 0) fchownSync(fd, uid, gid);
  // After the owner, whose change takes bits away.
  fchmodSync(fd, mode);
  setTimesOfHeld(fd, BigInt(mtimeNs), BigInt(mtimeNs));
}
