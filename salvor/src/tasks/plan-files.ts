/** What a restore is going to do to a site's files, and what stands in its way: found by looking. */
import { lstatSync, realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Problem, RestorePlan } from '@salvor/contract';
import { readMountPoints } from '../lib/mounts.ts';
import type { OpenPoint } from '../points/open-point.ts';
import { isBeneath } from '../sites/read-beneath.ts';
import type { Site } from '../sites/site.ts';
import { type FileCounts, MAX_NAMED, compareFiles } from './compare-files.ts';
import { type FilePart, isWantedWhole, pathInSite, planFileParts } from './file-parts.ts';
import type { PlanFindings, PlanTools } from './plan-restore.ts';
import type { RestoreScope } from './restore-scope.ts';

export type PlannedFiles = {
  readonly parts: readonly FilePart[];
  readonly counts: FileCounts;
  readonly bytes: number;
  /** Of these in files that are as they were. */
  readonly keptBytes: number;
  /** Of what is there now. */
  readonly liveBytes: number;
  /** The first of what is deleted, as the site sees it. */
  readonly deleted: readonly string[];
  readonly way: RestorePlan['switch']['files'];
};

/** Null where no file is wanted. */
export async function planFiles(
  site: Site,
  point: OpenPoint,
  scope: RestoreScope,
  tools: Pick<PlanTools, 'sites' | 'replaced' | 'signal'>,
  { obstacles, needs }: PlanFindings,
): Promise<PlannedFiles | null> {
  if (scope.files !== 'all' && scope.files.length === 0) return null;
  const planned = await planFileParts(site, point, scope, tools.sites, (tools.replaced?.size ?? 0) > 0);
  obstacles.push(...planned.obstacles, ...findPlaceObstacles(site, scope));
  const counts = { new: 0, changed: 0, deleted: 0, kept: 0 };
  let bytes = 0;
  let keptBytes = 0;
  let liveBytes = 0;
  const deleted: string[] = [];
  for (const part of planned.parts) {
    obstacles.push(...findLinks(part));
    for (const tree of [part, ...graftsOf(part)]) {
      const compared = await compareFiles(point.view, tree, tools.signal);
      for (const key of ['new', 'changed', 'deleted', 'kept'] as const) counts[key] += compared.counts[key];
      bytes += compared.bytes;
      keptBytes += compared.keptBytes;
      liveBytes += compared.liveBytes;
      deleted.push(...compared.deleted.map((path) => pathInSite(tree, path)));
      needs.push({ path: part.live, bytes: compared.bytes, files: compared.files });
    }
  }
  return {
    parts: planned.parts,
    counts,
    bytes,
    keptBytes,
    liveBytes,
    deleted: deleted.slice(0, MAX_NAMED),
    way: wayOf(planned.parts),
  };
}

/** What the point holds elsewhere of a part, as parts to be compared. */
function graftsOf(part: FilePart): readonly FilePart[] {
  return part.grafts
    .filter(({ at }) => isWantedWhole(part, at))
    .map(({ at, stored }) => ({
      path: pathInSite(part, at),
      stored,
      live: `${part.live}/${at}`,
      home: part.home,
      wanted: 'all',
      without: [],
      keeps: [],
      grafts: [],
    }));
}

/** Directories exchange; where one is a mount or has one in it, what lies in it does. */
function wayOf(parts: readonly FilePart[]): PlannedFiles['way'] {
  const mounts = new Set(readMountPoints());
  return parts.some(({ live, without }) => mounts.has(live) || without.length > 0) ? 'entries' : 'exchange';
}

/** What is wrong with the place of the site itself. */
export function findPlaceObstacles(site: Site, scope: RestoreScope): readonly Problem[] {
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
  for (const held of site.holds) {
    const inSite = held.slice(site.path.length + 1);
    const isTouched =
      scope.files === 'all' || scope.files.some((path) => isBeneath(inSite, path) || isBeneath(path, inSite));
    if (isTouched)
      obstacles.push({
        code: 'site-holds-other',
        message: `${held} is another site, and would be replaced too: name what you want of this one with --path, or restore --only databases`,
        path: held,
      });
  }
  return obstacles;
}

/** A link on the way to a part would lead the switch elsewhere. */
function findLinks({ live, home }: FilePart): readonly Problem[] {
  let there = live;
  while (there !== home && lstatSync(there, { throwIfNoEntry: false }) === undefined) there = dirname(there);
  if (realpathSync(there) === there) return [];
  return [{ code: 'link-in-the-way', message: `${there} leads to ${realpathSync(there)} now`, path: there }];
}
