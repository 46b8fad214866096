/** What a confirmation is going to drop, as a value: found by looking at disk and server. Nothing is touched. */
import type { ConfirmPlan, Problem } from '@salvor/contract';
import { openConnection } from '../databases/mariadb/connect.ts';
import { readTables } from '../databases/mariadb/probe.ts';
import { SalvorError } from '../errors.ts';
import { walkTree } from '../lib/beneath/walk-tree.ts';
import type { Policy } from '../policies/settings.ts';
import { listHooks } from '../policies/task-steps.ts';
import { type DropTools, findLateWrite, judgeDeleted } from './drop-kept.ts';
import type { Journal } from './journal.ts';

export type PlanConfirmTools = Pick<DropTools, 'administratorOf' | 'readSites'> & {
  readonly policy: Policy;
  readonly signal: AbortSignal;
};

export type ConfirmWanted = {
  readonly account: string;
  readonly uri: string;
  readonly task: string;
  readonly operation: string | null;
  /** Null where the task keeps nothing. */
  readonly original: Journal | null;
  /** Its safety point, where that is pinned. */
  readonly point: string | null;
  /** Reasons of `nothing-to-confirm` that are known already. */
  readonly refused: readonly string[];
};

/** A server that can't be asked is a note: the confirmation itself ends the pin, and says that the rest stays. */
export async function planConfirm(wanted: ConfirmWanted, tools: PlanConfirmTools): Promise<ConfirmPlan> {
  const { account, uri, task, operation, original, point, refused } = wanted;
  const kept = original?.phase === 'kept' && original.switch !== null ? original : null;
  const notes: Problem[] = [];
  const places = [];
  for (const path of kept?.stagings ?? []) places.push({ path, ...(await measure(path, tools.signal)) });
  const databases = kept === null ? [] : await asNotes(notes, [], () => planDatabases(kept, tools, notes));
  const late = kept === null ? null : await asNotes(notes, null, () => findLateWrite(kept, tools));
  if (late !== null)
    notes.push({ code: 'kept-stays', message: `what was replaced would stay: ${late}`, path: kept?.site.path ?? null });
  return {
    account,
    uri,
    task,
    operation,
    undoUntil: kept?.undoUntil ?? null,
    databases,
    places,
    safetyPoint: point,
    hooks: listHooks(tools.policy, 'confirm'),
    obstacles: refused.map((message) => ({ code: 'nothing-to-confirm', message, path: null })),
    notes,
  };
}

async function asNotes<T>(notes: Problem[], otherwise: T, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    if (!(error instanceof SalvorError) || error.code === 'cancelled') throw error;
    // The same server is asked more than once.
    if (!notes.some(({ message }) => message === error.message))
      notes.push({ code: error.code, message: error.message, path: null });
    return otherwise;
  }
}

async function planDatabases(
  { switch: done, site, drops = [] }: Journal,
  tools: PlanConfirmTools,
  notes: Problem[],
): Promise<ConfirmPlan['databases']> {
  const found: ConfirmPlan['databases'][number][] = [];
  for (const { server, plan } of done?.tables ?? []) {
    await using connection = await openConnection(await tools.administratorOf(server, site.home), tools);
    const tables = await readTables(connection, plan.old);
    const bytes = tables.reduce((sum, { approximateBytes }) => sum + approximateBytes, 0);
    found.push({ name: plan.old, of: plan.live, user: null, tables: tables.length, bytes });
  }
  for (const database of drops) {
    const { server, name, user } = database;
    await using connection = await openConnection(await tools.administratorOf(server, site.home), tools);
    const { why } = await judgeDeleted(connection, database, await tools.readSites());
    if (why === null) found.push({ name, of: null, user, tables: 0, bytes: 0 });
    else notes.push({ code: 'kept-stays', message: `it and its user ${user} would stay: ${why}`, path: name });
  }
  return found;
}

/** Nothing there, as where its file system is not mounted, is nothing that would be dropped. */
async function measure(path: string, signal: AbortSignal): Promise<{ files: number; bytes: number }> {
  let files = 0;
  let bytes = 0;
  for await (const { stat } of walkTree(path)) {
    signal.throwIfAborted();
    if (!stat.isFile()) continue;
    files += 1;
    bytes += Number(stat.size);
  }
  return { files, bytes };
}
