/**
 * Keeps visitors out of a site for the time of its switch, by a file in its directory and nothing else: no code of the
 * site is run for it and no row is changed, which would be a change of what is about to be replaced. WordPress looks
 * for this very file, and takes no notice of it when it is ten minutes old; for other sites the web server looks.
 *
 * Its path is in the journal before it is made, so that every end takes it away: a directory that changes places takes
 * it along, so it is looked for at both. It is written under a name of the task's and appears whole.
 */
import { closeSync, fsyncSync, lstatSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimesOfHeld } from '@salvor/engine/libc';
import { errnoOf } from '../lib/errno.ts';
import { hold, setMode } from '../lib/beneath/held.ts';
import { openSpotOfOurs } from '../lib/beneath/own-directory.ts';
import { openFileAt, readPieces } from '../lib/beneath/read-file.ts';
import {
  type OwnSpot,
  type Spot,
  createFileAt,
  lookAt,
  moveSpot,
  openSpot,
  spotIn,
  syncSpots,
  unlinkAt,
} from '../lib/beneath/spot.ts';
import { SalvorError } from '../errors.ts';
import { MAINTENANCE_FILE } from '../sites/kept-closed.ts';
import type { Journal, MaintenanceFile } from './journal.ts';
import type { TaskRun } from './task-run.ts';

const NAME = MAINTENANCE_FILE;
/** Longer than any that we write. */
const MAX_BYTES = 200;

/** What the journal says of it; null where the site's directory is gone, and nobody has to be kept out. */
export function planMaintenance(sitePath: string): MaintenanceFile | null {
  const directory = lstatSync(sitePath, { bigint: true, throwIfNoEntry: false });
  if (directory?.isDirectory() !== true) return null;
  const { atimeNs, mtimeNs } = directory;
  return { path: locateMaintenance(sitePath), accessNs: atimeNs.toString(), modifiedNs: mtimeNs.toString() };
}

type Announced = Pick<Journal, 'task' | 'site' | 'switch' | 'maintenance'>;

/** Where the file of a site lies. */
export function locateMaintenance(sitePath: string): string {
  return join(sitePath, NAME);
}

/**
 * Makes the file that the journal announces. One that is there is somebody else's and stays; what keeps ours from being
 * made is told, and the switch goes on: it takes less than a second without it too.
 */
export function closeSite(journal: Announced, now: Date, run: Pick<TaskRun, 'note' | 'say'>): void {
  const { maintenance } = journal;
  if (maintenance === null || maintenance === undefined) return;
  const { path } = maintenance;
  try {
    using spot = openSpot(journal.site.home, path);
    write(spot, journal, now);
    resetTimes(spot, maintenance);
    run.say(`${path} keeps visitors out`);
  } catch (error) {
    openSite(journal);
    const message =
      errnoOf(error) === 'EEXIST'
        ? `${path} is there already, and stays: it is not of this task`
        : `${path} could not be made: ${error instanceof Error ? error.message : String(error)}`;
    run.note({ code: 'maintenance-not-set', message, path });
  }
}

/** Takes it away, wherever the switch has left it. Idempotent; what anybody else made of that name stays. */
export function openSite(journal: Announced): void {
  const { maintenance } = journal;
  if (maintenance === null || maintenance === undefined) return;
  remove(journal.task, maintenance, () => openSpot(journal.site.home, maintenance.path));
  for (const move of journal.switch?.moves ?? [])
    if ('to' in move) {
      for (const path of [move.live, move.to])
        remove(journal.task, maintenance, () => openSpot(journal.site.home, locateMaintenance(path)));
    } else if (move.live === journal.site.path)
      remove(journal.task, maintenance, () => openSpotOfOurs(move.staging, locateMaintenance(move.staged)));
}

/** Beside it, until it is whole. */
function draftOf({ fd, path }: Spot, task: string): Spot {
  return spotIn({ fd, path: dirname(path) }, `${NAME}.salvor-${task}`);
}

function write(spot: Spot, { task }: Announced, now: Date): void {
  const draft = draftOf(spot, task);
  const fd = createFileAt(draft, 0o600);
  try {
    writeSync(fd, `<?php $upgrading = ${Math.floor(now.getTime() / 1000)}; // ${signatureOf(task)}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  {
    using held = hold(draft, null);
    // The web server reads it, whatever our umask is.
    if (held !== null) setMode(held, 0o644);
  }
  moveSpot(draft, spot);
  syncSpots(spot);
}

function remove(task: string, maintenance: MaintenanceFile, open: () => OwnSpot): void {
  try {
    using spot = open();
    const draft = draftOf(spot, task);
    const found = [...(isOurs(spot, task) ? [spot] : []), ...(lookAt(draft)?.isFile() === true ? [draft] : [])];
    if (found.length === 0) return;
    for (const one of found) unlinkAt(one);
    resetTimes(spot, maintenance);
    syncSpots(spot);
  } catch (error) {
    // What it lay in is not there, or something that is not ours has its name.
    const isNothing = errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR';
    const isNotOurs = error instanceof SalvorError && (error.code === 'path-leads-out' || error.code === 'not-a-file');
    if (!isNothing && !isNotOurs) throw error;
  }
}

function isOurs(spot: Spot, task: string): boolean {
  if (lookAt(spot)?.isFile() !== true) return false;
  using file = openFileAt(spot);
  if (file === null || file.stat.size > MAX_BYTES) return false;
  return Buffer.concat([...readPieces(file)]).includes(signatureOf(task));
}

function signatureOf(task: string): string {
  return `salvor ${task}`;
}

/** Of the directory, which is as it was then. */
function resetTimes({ fd }: Spot, { accessNs, modifiedNs }: MaintenanceFile): void {
  setTimesOfHeld(fd, BigInt(accessNs), BigInt(modifiedNs));
}
