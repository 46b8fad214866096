/**
 * What changed while a restore built the new: found beside the safety point, and added to it or named. No write of a
 * visitor is lost without a word.
 */
import { dirname, join } from 'node:path';
import type { Problem } from '@salvor/contract';
import type { BackupProgress } from '@salvor/engine';
import { type LateDatabase, captureLate } from '../points/capture-late.ts';
import type { OpenPoint } from '../points/open-point.ts';
import type { Site } from '../sites/site.ts';
import {
  type LateTables,
  type TableSums,
  findLateFiles,
  findLateTables,
  nameTables,
  storedPathAt,
} from './late-changes.ts';
import type { Move } from './move-site.ts';
import type { RestoreTools } from './restore-site.ts';
import type { Switch } from './switch-site.ts';
import type { TaskRun } from './task-run.ts';

export type Switched = {
  readonly site: Site;
  readonly done: Switch;
  readonly before: TableSums;
  readonly safety: OpenPoint;
};

/** `isSafe`: all of it is in the safety point now, or nothing changed. */
export type ToldLate = { readonly files: number; readonly tables: number; readonly isSafe: boolean };

/**
 * The old lies still now, so that the safety point can be made anew with what changed since: what a person is told of is
 * then what the switch replaced, to the last byte. Where that can't be, each change is named.
 */
export async function tellLate(switched: Switched, tools: RestoreTools, run: TaskRun): Promise<ToldLate> {
  const { site, done, before, safety } = switched;
  try {
    const files = await findLateFiles(safety, done.moves);
    const tables = await findLateTables(site, before, done.tables, tools);
    const names = nameTables(tables);
    const isSafe =
      files.length + names.length === 0 || (await renewSafetyPoint(switched, { files, tables, names }, tools, run));
    return { files: files.length, tables: names.length, isSafe };
  } catch (error) {
    const message = `what changed during the restore could not be worked out: ${error instanceof Error ? error.message : String(error)}`;
    run.note({ code: 'late-changes-unknown', message, path: site.path });
    return { files: 0, tables: 0, isSafe: false };
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

type Late = {
  readonly files: readonly string[];
  readonly tables: readonly LateTables[];
  readonly names: readonly string[];
};

/** False where it could not be, which is named with all that changed. */
async function renewSafetyPoint(
  { site, done, safety }: Switched,
  { files, tables, names }: Late,
  tools: RestoreTools,
  run: TaskRun,
): Promise<boolean> {
  try {
    const paths = files.length === 0 ? new Map<string, string>() : await locateLate(safety, done.moves);
    const databases: LateDatabase[] = [];
    for (const { swap, tables: changed } of tables) {
      const login = await tools.administratorOf(swap.server, site.account.home);
      databases.push({ name: swap.plan.live, readFrom: { login, name: swap.plan.old }, tables: changed });
    }
    requireHeld(safety, databases);
    const { scratch, clock, randomBytes, signal } = run;
    const onProgress = (progress: BackupProgress): void => run.progress({ ...progress, bytesTotal: null });
    const wanted = { reason: `at the switch of task ${run.id}`, account: site.account, paths, databases };
    const renewed = await captureLate(safety, wanted, { scratch, clock, randomBytes, signal, onProgress });
    run.note(...renewed.problems.map(({ code, message, path }) => ({ code, message, path: path ?? null })));
    run.record({ point: renewed.point.manifest.point });
    const shown = [...files, ...names].slice(0, MAX_NAMED).join(', ');
    const more = files.length + names.length - MAX_NAMED;
    run.say(`changed while the restore ran: ${shown}${more > 0 ? ` and ${more} more` : ''}`);
    run.say(`point ${renewed.point.manifest.point} holds that too; it was written and read back`);
    await tools.remember(renewed.point);
    return true;
  } catch (error) {
    run.note(...nameLate(files, names));
    run.say(`what changed is not in the safety point: ${error instanceof Error ? error.message : String(error)}`);
    return false;
  }
}

/** A database that was broken when the safety point was taken is not in it. */
function requireHeld({ manifest }: OpenPoint, databases: readonly LateDatabase[]): void {
  for (const { name } of databases)
    if (!manifest.databases.some((stored) => stored.name === name)) throw new Error(`it does not hold ${name}`);
}

/** What lies where in the point, and on disk now. Throws where the point has no place for it. */
async function locateLate(safety: OpenPoint, moves: readonly Move[]): Promise<ReadonlyMap<string, string | null>> {
  const paths = new Map<string, string | null>();
  const has = async (path: string): Promise<boolean> => {
    const [, top, name] = path.split('/');
    const isTop = path === '/site' || (top === 'moved' && path === `/moved/${name}`);
    return await safety.view.stat(isTop ? path : dirname(path)).then(
      (above) => isTop || above.type === 'dir',
      () => false,
    );
  };
  const add = async (live: string, staged: string, wasThere: boolean): Promise<void> => {
    const stored = storedPathAt(safety, live);
    if (stored === null || !(await has(stored))) {
      // Nothing was there when the point was taken, nor when it left.
      if (!wasThere) return;
      throw new Error(`it has no place for ${live}`);
    }
    if (wasThere) paths.set(stored, staged);
    else if (stored !== '/site' && !safety.manifest.moved.some(({ place }) => place === stored))
      paths.set(stored, null);
  };
  for (const move of moves) {
    if ('to' in move) throw new Error(`${move.live} has moved elsewhere`);
    if (!('entries' in move)) {
      await add(move.live, move.staged, move.liveInode !== null);
      continue;
    }
    for (const { name, liveInode } of move.entries) {
      const text = Buffer.from(name, 'latin1').toString();
      if (Buffer.from(text).toString('latin1') !== name) throw new Error(`a name in ${move.live} is not text`);
      await add(join(move.live, text), join(move.staged, text), liveInode !== null);
    }
  }
  return paths;
}
