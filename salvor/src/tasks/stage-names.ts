/** What is going to name a site, made in staging, so that the task's switch puts it in its place: files and links. */
import { closeSync, fsyncSync, lstatSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { SalvorError } from '../errors.ts';
import { hold, setMode, setOwner } from '../lib/beneath/held.ts';
import { openOwnDirectory } from '../lib/beneath/own-directory.ts';
import { openFileAt, readPieces } from '../lib/beneath/read-file.ts';
import {
  type Spot,
  createFileAt,
  lookAt,
  makeLinkAt,
  openSpot,
  readLinkAt,
  spotIn,
  syncSpots,
} from '../lib/beneath/spot.ts';
import type { Account } from '../sites/account.ts';
import type { MovePlaces } from './move-site.ts';
import type { NameChange } from './plan-names.ts';
import { locateStaging } from './staging.ts';

/** Where each change is made: for the journal, before anything is. A staged path at which nothing comes to lie removes. */
export function locateNames(
  changes: readonly NameChange[],
  {
    account,
    task,
    configured,
  }: { readonly account: string; readonly task: string; readonly configured: string | null },
): readonly MovePlaces[] {
  return changes.map(({ path, home }, index) => {
    const staging = locateStaging(path, account, task, configured);
    return { home, live: path, staging, staged: join(staging, `name-${index}`), path };
  });
}

/**
 * Makes them, with the owner and mode of what they take the place of or are like. `places` are those of `locateNames`, and
 * their staging directories are there. Throws `file-changed` where something is not what the plan saw.
 */
export function stageNames(changes: readonly NameChange[], places: readonly MovePlaces[], account: Account): void {
  for (const [index, change] of changes.entries()) {
    const place = places[index];
    if (place === undefined) throw new RangeError('a place for each change');
    requireUnchanged(change);
    using directory = openOwnDirectory(place.staging);
    const spot = spotIn(directory, `name-${index}`);
    if ('target' in change) {
      if (change.target.after === null) continue;
      makeLinkAt(spot, change.target.after);
      give(spot, account, null);
    } else {
      if (change.after === null) continue;
      const like = lstatSync(change.like);
      writeNew(spot, change.after);
      give(spot, like, like.mode);
    }
    syncSpots(directory);
  }
}

function requireUnchanged(change: NameChange): void {
  using spot = openSpot(change.home, change.path);
  const isAsSeen = 'target' in change ? isLinkTo(spot, change.target.before) : isFileOf(spot, change.before);
  if (!isAsSeen) throw new SalvorError('file-changed', { path: change.path });
}

function isLinkTo(spot: Spot, target: string | null): boolean {
  const there = lookAt(spot);
  if (there === null || target === null) return (there === null) === (target === null);
  return there.isSymbolicLink() && readLinkAt(spot).equals(Buffer.from(target));
}

function isFileOf(spot: Spot, bytes: Uint8Array | null): boolean {
  const there = lookAt(spot);
  if (there === null || bytes === null) return (there === null) === (bytes === null);
  if (!there.isFile() || there.size !== BigInt(bytes.length)) return false;
  using file = openFileAt(spot);
  return file !== null && Buffer.concat([...readPieces(file)]).equals(bytes);
}

function writeNew(spot: Spot, bytes: Uint8Array): void {
  const fd = createFileAt(spot, 0o600);
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function give(spot: Spot, owner: { readonly uid: number; readonly gid: number }, mode: number | null): void {
  using made = hold(spot, null);
  if (made === null) throw new SalvorError('file-changed', { path: spot.path });
  if (process.getuid?.() === 0) setOwner(made, { uid: owner.uid, gid: owner.gid });
  if (mode !== null) setMode(made, mode & 0o7777);
}
