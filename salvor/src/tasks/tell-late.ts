/**
 * What changed while a restore built the new: found beside the safety point, and added to it or named. No write of a
 * visitor is lost without a word.
 */
import type { Problem } from '@salvor/contract';
import type { OpenPoint } from '../points/open-point.ts';
import type { Site } from '../sites/site.ts';
import { type SitePlaces, backUpSite } from './back-up-site.ts';
import { type TableSums, findLateFiles, findLateTables } from './late-changes.ts';
import type { RestorePlanned } from './plan-restore.ts';
import type { RestoreTools } from './restore-site.ts';
import type { Switch } from './switch-site.ts';
import type { TaskRun } from './task-run.ts';

/** The safety point of a restore, and where what it holds lay. */
export type Safety = { readonly point: OpenPoint; readonly places: SitePlaces };

export type Switched = {
  readonly site: Site;
  readonly plan: RestorePlanned;
  readonly done: Switch;
  readonly before: TableSums;
  readonly safety: Safety;
};

/**
 * The old lies still now, so it is taken again as it was at the switch: the safety point that a person is told of is
 * then what the switch replaced, to the last byte.
 */
export async function tellLate(
  switched: Switched,
  tools: RestoreTools,
  run: TaskRun,
): Promise<{ files: number; tables: number }> {
  const { site, done, before, safety } = switched;
  try {
    const files = await findLateFiles(safety.point, done.moves);
    const tables = await findLateTables(site, before, done.tables, tools);
    if (files.length + tables.length > 0 && !(await renewSafetyPoint(switched, tools, run)))
      run.note(...nameLate(files, tables));
    return { files: files.length, tables: tables.length };
  } catch (error) {
    const message = `what changed during the restore could not be worked out: ${error instanceof Error ? error.message : String(error)}`;
    run.note({ code: 'late-changes-unknown', message, path: site.path });
    return { files: 0, tables: 0 };
  }
}

/** More names than a person reads; the rest is in the old tree. */
const MAX_NAMED = 20;

function nameLate(files: readonly string[], tables: readonly string[]): readonly Problem[] {
  const all = [...files, ...tables];
  const more = all.length - MAX_NAMED;
  const rest =
    more > 0 ? [{ code: 'changed-meanwhile', path: null, message: `${more} more changed while the restore ran` }] : [];
  return [...all.slice(0, MAX_NAMED).map(nameChange), ...rest];
}

function nameChange(path: string): Problem {
  const message = `${path} changed while the restore ran; that change is in what undo brings back and in no point`;
  return { code: 'changed-meanwhile', path, message };
}

/** False where no one tree or database holds what was there. */
async function renewSafetyPoint(switched: Switched, tools: RestoreTools, run: TaskRun): Promise<boolean> {
  const places = findOldPlaces(switched);
  if (places === null) return false;
  const reason = `at the switch of task ${run.id}`;
  const renewed = await backUpSite(switched.site, { reason, safety: true, places }, tools, run);
  run.record({ point: renewed.point.manifest.point });
  await tools.remember(renewed.point);
  return true;
}

/**
 * Where all that the switch replaced lies whole; null where parts were replaced, or entries of a mount, or views and
 * triggers were left behind.
 */
function findOldPlaces({ site, plan, done, safety }: Switched): SitePlaces | null {
  const isPart = plan.parts.some(({ wanted }) => wanted !== 'all') || plan.databases.some(({ isWhole }) => !isWhole);
  // They are made again for the live tables and did not move with the old ones.
  const hasObjects = done.tables.some(({ plan: swap }) => swap.outgoing.length > 0);
  if (isPart || hasObjects) return null;
  const oldPaths = new Map<string, string>();
  for (const move of done.moves) {
    if ('entries' in move || 'to' in move) return null;
    if (move.liveInode !== null) oldPaths.set(move.live, move.staged);
    // The site's directory was gone: what is there now is new.
    else if (move.live === site.path) return null;
  }
  return {
    path: oldPaths.get(site.path) ?? site.path,
    movedOut: safety.places.movedOut.map((one) => ({ ...one, path: oldPaths.get(one.target) ?? one.target })),
    databases: new Map(done.tables.map(({ server, plan: swap }) => [swap.live, { server, name: swap.old }])),
  };
}
