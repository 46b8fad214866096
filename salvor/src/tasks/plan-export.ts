/** What an export is going to write, and what is in its way, as a value: found by looking. Nothing is written. */
import { statSync, statfsSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import type { ExportPlan, Problem } from '@salvor/contract';
import type { WrittenCompression } from '../archives/compress/compression.ts';
import { SalvorError } from '../errors.ts';
import { openRoot } from '../lib/beneath/open-directory.ts';
import { joinSafePath, parseSafePath } from '../lib/beneath/safe-path.ts';
import { lookAt, spotBeneath } from '../lib/beneath/spot.ts';
import { errnoOf } from '../lib/errno.ts';
import { isThere } from '../lib/is-there.ts';
import type { OpenPoint } from '../points/open-point.ts';
import type { Policy } from '../policies/settings.ts';
import { listHooks } from '../policies/task-steps.ts';
import type { Site } from '../sites/site.ts';
import { usersOfAccount } from './known-owners.ts';
import { type TargetPlace, locateTarget } from './target-place.ts';

export function planExport(
  site: Site,
  { manifest }: Pick<OpenPoint, 'manifest'>,
  output: string,
  policy: Policy,
): ExportPlan {
  const path = resolve(output);
  const compression = compressionByName(path);
  const databases = manifest.databases.map(({ name, files }) => ({
    name,
    tables: files.filter(({ kind }) => kind === 'table').length,
    bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
  }));
  const bytes = (manifest.files?.bytes ?? 0) + databases.reduce((sum, database) => sum + database.bytes, 0);
  const obstacles: Problem[] = [];
  const notes: Problem[] = [];
  const scarce = findInTheWay(site, path, bytes, obstacles);
  if (scarce !== null) (compression === 'none' ? obstacles : notes).push(scarce);
  if (!manifest.complete)
    notes.push({ code: 'point-not-whole', message: 'something of the site is not in the point', path: null });
  const leftOut = [...manifest.leftOut.files, ...manifest.leftOut.rows.map((table) => `rows of ${table}`)];
  if (leftOut.length > 0)
    notes.push({
      code: 'regenerable-left-out',
      message: `the point has not what the site makes again by itself: ${leftOut.join(', ')}`,
      path: null,
    });
  return {
    account: site.account.name,
    uri: manifest.site.uri,
    point: manifest.point,
    pointTime: manifest.time,
    path,
    compression,
    files: manifest.files === null ? null : { count: manifest.files.count, bytes: manifest.files.bytes },
    databases,
    hooks: listHooks(policy, 'export'),
    obstacles,
    notes,
  };
}

/** As Aegir tells it by the ending; one that says nothing is a plain tar. */
export function compressionByName(path: string): WrittenCompression {
  if (/\.t?gz$/.test(path)) return 'gzip';
  if (/\.t?bz2$/.test(path)) return 'bzip2';
  return /\.t?zst$/.test(path) ? 'zstd' : 'none';
}

/** Adds why the file can't be there; returns that there may be too little room. */
function findInTheWay(site: Site, path: string, bytes: number, obstacles: Problem[]): Problem | null {
  try {
    if (isTaken(locateTarget(dirname(path), usersOfAccount(site.account)), basename(path))) {
      const error = new SalvorError('archive-exists', { archive: path });
      obstacles.push({ code: error.code, message: error.message, path });
    }
    if (!statSync(dirname(path)).isDirectory()) throw new SalvorError('path-missing', { path: dirname(path) });
    const { bavail, bsize } = statfsSync(dirname(path));
    const free = bavail * bsize;
    const message = `unpacked the point is ${bytes} bytes, and ${free} are free on the disk of ${dirname(path)}`;
    return free < bytes ? { code: 'space-missing', message, path: dirname(path) } : null;
  } catch (error) {
    const isGone = errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR';
    const told = isGone ? new SalvorError('path-missing', { path: dirname(path) }) : error;
    if (!(told instanceof SalvorError)) throw error;
    obstacles.push({ code: told.code, message: told.message, path });
    return null;
  }
}

function isTaken(place: TargetPlace, name: string): boolean {
  if (place.by === 'us') return isThere(`${place.directory}/${name}`);
  using root = openRoot(place.root);
  using spot = spotBeneath(root, place.path === null ? parseSafePath(name) : joinSafePath(place.path, name));
  return lookAt(spot) !== null;
}
