/**
 * A site moves to another file system: it can't by a rename. Its files are built there out of the safety point, as those of a
 * clone, read back and compared; in the switch the new directory appears, and then the old one leaves for the staging
 * place of its own file system, where `undo` finds it. What visitors write while that is built is looked for before the
 * switch: a new safety point is taken then, and built again.
 */
import { join } from 'node:path';
import { openOwnDirectory } from '../lib/beneath/own-directory.ts';
import { removeTree } from '../lib/beneath/remove-tree.ts';
import { spotIn } from '../lib/beneath/spot.ts';
import { mountPointOf } from '../lib/mounts.ts';
import type { OpenPoint } from '../points/open-point.ts';
import type { SettingsChanges } from '../sites/settings-changes.ts';
import type { Site } from '../sites/site.ts';
import { type BuiltPart, buildFiles, locateBuilt } from './build-files.ts';
import { type NewSiteTools, rewriteFiles } from './build-new-site.ts';
import type { FilePart } from './file-parts.ts';
import { findLateFiles } from './late-changes.ts';
import { type Move, planMove } from './move-site.ts';
import { namingTo } from './new-place.ts';
import type { IdentityPlanned } from './plan-identity.ts';
import { locateStaging } from './staging.ts';
import type { TaskRun } from './task-run.ts';

/** Whether a rename could not bring it there. */
export function isElsewhere(from: string, to: string): boolean {
  return mountPointOf(from) !== mountPointOf(to);
}

/** A site that is written to all the time is moved all the same: what came last is told. */
const MAX_ROUNDS = 3;

type Wanted = {
  readonly site: Site;
  readonly moved: Site;
  readonly plan: IdentityPlanned;
  /** Log-ins that its settings get in place of others. */
  readonly connections: SettingsChanges['connections'];
  /** The safety point, and how one that has what came since is taken. */
  readonly point: OpenPoint;
  readonly renew: () => Promise<OpenPoint>;
};

export type BuiltElsewhere = { readonly moves: readonly Move[]; readonly point: OpenPoint };

/** Both staging places are there and in the journal. Throws what a step throws. */
export async function buildElsewhere(wanted: Wanted, tools: NewSiteTools, run: TaskRun): Promise<BuiltElsewhere> {
  const { site, moved, plan } = wanted;
  const { account } = site;
  const staging = locateStaging(moved.path, account.name, run.id, tools.staging);
  let { point } = wanted;
  let part = await buildPart(wanted, point, { staging, round: 0 }, run);
  let known: readonly string[] = [];
  for (let round = 1; round < MAX_ROUNDS; round++) {
    const late = await run.step('look for late files', () => findChanged(site, point));
    if (late.every((path) => known.includes(path))) break;
    known = late;
    run.say(
      `changed meanwhile: ${late.slice(0, 5).join(', ')}${late.length > 5 ? ` and ${late.length - 5} more` : ''}`,
    );
    point = await wanted.renew();
    await remove(part);
    part = await buildPart(wanted, point, { staging, round }, run);
  }
  // What was moved out of it stays where it is.
  const changes = { connections: wanted.connections, naming: namingTo(site, plan.place, []) };
  await run.step('rewrite', () => rewriteFiles(part, { from: site, to: moved, moved: [] }, changes, tools, run));
  return { moves: planElsewhere(site, plan, part, tools, run), point };
}

async function buildPart(
  { site, moved, plan }: Wanted,
  point: OpenPoint,
  { staging, round }: { readonly staging: string; readonly round: number },
  run: TaskRun,
): Promise<BuiltPart> {
  const { files } = plan.document;
  const part: FilePart = { ...wholeOf(site, moved.path), like: site.path };
  const built = locateBuilt(part, staging, round);
  await run.step('build the files', async () => {
    const onProgress = (done: { readonly files: number; readonly bytes: number }): void =>
      run.progress({ ...done, filesTotal: files.count, bytesTotal: files.bytes });
    run.note(...(await buildFiles(built, { point, account: site.account }, run, onProgress)));
  });
  return built;
}

/** What was moved out of it stays where it is: its link is a link. */
function wholeOf({ account }: Site, live: string): FilePart {
  return { path: '', stored: '/site', live, home: account.home, wanted: 'all', without: [], keeps: [], grafts: [] };
}

/** What is not as the point has it. */
async function findChanged({ path, account }: Site, point: OpenPoint): Promise<readonly string[]> {
  const still = { home: account.home, live: path, staging: path, staged: path, liveInode: '', stagedInode: null };
  return await findLateFiles(point, [still]);
}

async function remove({ staging, root }: BuiltPart): Promise<void> {
  using place = openOwnDirectory(staging);
  await removeTree(spotIn(place, root.slice(staging.length + 1)));
}

/** What the code has of its own gives way, the new appears, the old leaves: settings name a database at every instant. */
function planElsewhere(
  site: Site,
  { place }: IdentityPlanned,
  { staging, root }: BuiltPart,
  tools: NewSiteTools,
  run: TaskRun,
): readonly Move[] {
  const { home, name } = site.account;
  const { clears, path } = place;
  const away = locateStaging(site.path, name, run.id, tools.staging);
  const gives =
    clears === null ? [] : [planMove({ home, live: clears, staging, staged: join(staging, 'cleared'), path: clears })];
  return [
    ...gives,
    // Before the other has left, what will lie there is nothing.
    { ...planMove({ home, live: path, staging, staged: root, path: '' }), liveInode: null },
    planMove({ home, live: site.path, staging: away, staged: join(away, 'left'), path: '' }),
  ];
}
