/** What a site keeps of its own in a directory that is about to take its directory's place: copied beside, byte by byte. */
import { closeSync, fstatSync, fsyncSync, writeSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { setTimesOfHeld } from '@salvor/engine/libc';
import { hold, setMode, setOwner, setTimes } from '../lib/beneath/held.ts';
import { type OpenDirectory, openDirectory, openRoot, reopenDirectory } from '../lib/beneath/open-directory.ts';
import { openOwnDirectory } from '../lib/beneath/own-directory.ts';
import { openFileAt, readPieces } from '../lib/beneath/read-file.ts';
import { parseSafePath } from '../lib/beneath/safe-path.ts';
import {
  type Spot,
  createFileAt,
  lookAt,
  makeLinkAt,
  readLinkAt,
  spotBeneath,
  spotIn,
  syncSpots,
} from '../lib/beneath/spot.ts';
import { SalvorError } from '../errors.ts';
import { errnoOf } from '../lib/errno.ts';
import { isWantedWhole } from './file-parts.ts';
import type { BuiltPart } from './build-files.ts';

/** Files and links of the live directory, with owner, mode and time. Nothing of these names was built. */
export function keepOwn({ part, staging, root }: BuiltPart): void {
  if (part.keeps.length === 0) return;
  using home = openRoot(part.home);
  using live = openDirectory(home, parseSafePath(part.live.slice(part.home.length + 1)));
  using place = openOwnDirectory(staging);
  using built = openDirectory(place, parseSafePath(root.slice(staging.length + 1)));
  for (const path of part.keeps) if (isWantedWhole(part, path)) copyOwn(live, built, path);
}

/** Also from and to a place of another's: what is copied is what was looked at, and nothing is followed. */
export function copyOwn(live: OpenDirectory, built: OpenDirectory, path: string): void {
  using from = spotBeneath(live, parseSafePath(path));
  const there = lookAt(from);
  if (there === null) return;
  using parent = openParent(built, path);
  // The point has nothing that it would lie in.
  if (parent === null) return;
  const to = spotIn(parent, basename(path));
  const before = fstatSync(parent.fd, { bigint: true });
  if (there.isSymbolicLink()) makeLinkAt(to, readLinkAt(from));
  else if (there.isFile()) copyFile(from, to);
  else throw new SalvorError('not-a-file', { path: from.path });
  using made = hold(to, null);
  if (made === null) return;
  if (process.getuid?.() === 0) setOwner(made, { uid: Number(there.uid), gid: Number(there.gid) });
  setMode(made, Number(there.mode) & 0o7777);
  setTimes(made, { accessNs: there.atimeNs, modifiedNs: there.mtimeNs });
  setTimesOfHeld(parent.fd, before.atimeNs, before.mtimeNs);
  syncSpots(to);
}

function openParent(built: OpenDirectory, path: string): OpenDirectory | null {
  if (dirname(path) === '.') return reopenDirectory(built);
  try {
    return openDirectory(built, parseSafePath(dirname(path)));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return null;
    throw error;
  }
}

function copyFile(from: Spot, to: Spot): void {
  using file = openFileAt(from);
  if (file === null) return;
  const fd = createFileAt(to, 0o600);
  try {
    for (const piece of readPieces(file)) for (let at = 0; at < piece.length;) at += writeSync(fd, piece, at);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
