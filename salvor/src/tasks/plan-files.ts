/** What a restore is going to do to a site's files, and what stands in its way: found by looking. */
import { lstatSync, realpathSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Problem, RestorePlan } from '@salvor/contract';
import { mountPointOf, readMountPoints } from '../lib/mounts.ts';
import type { OpenPoint } from '../points/open-point.ts';
import type { Site } from '../sites/site.ts';
import { type FileCounts, compareFiles } from './compare-files.ts';
import { type FilePart, planFileParts } from './file-parts.ts';
import type { PlanTools } from './plan-restore.ts';
import type { RestoreScope } from './restore-scope.ts';

export type PlannedFiles = {
  readonly parts: readonly FilePart[];
  readonly counts: FileCounts;
  readonly bytes: number;
  readonly way: RestorePlan['switch']['files'];
};

/** Null where no file is wanted. */
export async function planFiles(
  site: Site,
  point: OpenPoint,
  scope: RestoreScope,
  tools: Pick<PlanTools, 'sites' | 'signal'>,
  obstacles: Problem[],
): Promise<PlannedFiles | null> {
  if (scope.files !== 'all' && scope.files.length === 0) return null;
  const planned = await planFileParts(site, point, scope, tools.sites);
  obstacles.push(...planned.obstacles, ...findPlaceObstacles(site, scope));
  const counts = { new: 0, changed: 0, deleted: 0, kept: 0 };
  const needs = new Map<string, { bytes: number; files: number }>();
  let bytes = 0;
  for (const part of planned.parts) {
    obstacles.push(...findLinks(part));
    const compared = await compareFiles(point.view, part, tools.signal);
    for (const key of ['new', 'changed', 'deleted', 'kept'] as const) counts[key] += compared.counts[key];
    bytes += compared.bytes;
    const mount = mountPointOf(part.live);
    const need = needs.get(mount) ?? { bytes: 0, files: 0 };
    needs.set(mount, { bytes: need.bytes + compared.bytes, files: need.files + compared.files });
  }
  for (const [mount, need] of needs) obstacles.push(...findSpaceObstacles(mount, need));
  return { parts: planned.parts, counts, bytes, way: wayOf(planned.parts) };
}

/** Directories exchange; where one is a mount or has one in it, what lies in it does. */
function wayOf(parts: readonly FilePart[]): PlannedFiles['way'] {
  const mounts = new Set(readMountPoints());
  return parts.some(({ live, without }) => mounts.has(live) || without.length > 0) ? 'entries' : 'exchange';
}

function findPlaceObstacles(site: Site, scope: RestoreScope): readonly Problem[] {
  const obstacles: Problem[] = [];
  const refuse = (code: string, message: string): void => {
    obstacles.push({ code, message, path: site.path });
  };
  if (!site.path.startsWith(`${site.account.home}/`))
    refuse('site-outside-home', `${site.path} does not lie in the account's home ${site.account.home}`);
  const parent = lstatSync(dirname(site.path), { throwIfNoEntry: false });
  if (parent?.isDirectory() !== true) refuse('site-parent-missing', `${dirname(site.path)} is not a directory`);
  if (scope.files !== 'all' && lstatSync(site.path, { throwIfNoEntry: false })?.isDirectory() !== true)
    refuse('site-missing', `${site.path} is gone: restore the whole site first`);
  return obstacles;
}

/** A link on the way to a part would lead the switch elsewhere. */
function findLinks({ live, home }: FilePart): readonly Problem[] {
  let there = live;
  while (there !== home && lstatSync(there, { throwIfNoEntry: false }) === undefined) there = dirname(there);
  if (realpathSync(there) === there) return [];
  return [{ code: 'link-in-the-way', message: `${there} leads to ${realpathSync(there)} now`, path: there }];
}

/** Once for what is built beside, once for what the site writes meanwhile and what a repository on that disk takes. */
function findSpaceObstacles(
  mount: string,
  need: { readonly bytes: number; readonly files: number },
): readonly Problem[] {
  const { bavail, bsize, files: inodes, ffree } = statfsSync(mount);
  const free = bavail * bsize;
  const obstacles: Problem[] = [];
  if (free < need.bytes * 2) {
    const message = `the restore needs ${need.bytes * 2} bytes on ${mount}, and ${free} are free`;
    obstacles.push({ code: 'space-missing', message, path: mount });
  }
  // File systems without a table of inodes say zero.
  if (inodes > 0 && ffree < need.files * 2) {
    const message = `${mount} has room for ${ffree} more files, and the restore needs ${need.files * 2}`;
    obstacles.push({ code: 'space-missing', message, path: mount });
  }
  return obstacles;
}
