/**
 * Lets go of what tasks said, and later of the tasks, when nobody asks any more: else a host with a job each hour has some
 * hundred thousand lines a year, which every night's copy of the store takes along. What is named still stays, however
 * old: by a journal, an undo that may be wanted, a point or an archive, or by a task that stays.
 */
import { type Kysely, sql } from 'kysely';
import { type LivedTime, unlivedSince } from '../policies/lived-time.ts';
import { type Store, writeAtOnce } from '../store/open-store.ts';
import type { StoreTables } from '../store/tables.ts';
import type { Journal } from '../tasks/journal.ts';

const DAY_MS = 86_400_000;
/** Over a year, so that a task of the same season before can be looked up; a row is some hundred bytes. */
export const ROWS_KEPT_MS = 400 * DAY_MS;
/** Whoever looks into why something went wrong does so within weeks. */
export const LINES_KEPT_MS = 60 * DAY_MS;
/** The store is locked for one such piece at a time. */
const MAX_TASKS_AT_ONCE = 500;

export type PruneWanted = {
  /** What ended before goes: the row with all that it said, or what it said alone. */
  readonly rowsBefore: Date;
  readonly linesBefore: Date;
  /** Ids of tasks that stay whole. */
  readonly kept: readonly string[];
};

export type Pruned = { readonly tasks: number; readonly lines: number };

/** Pure. What the clock jumped ahead makes nothing older. */
export function planPruneTasks(
  journals: readonly Pick<Journal, 'task' | 'of'>[],
  lived: LivedTime,
  now: Date,
): PruneWanted {
  const before = (keptMs: number): Date => {
    const byClock = now.getTime() - keptMs;
    let time = byClock;
    // Further back there may be more that was not lived through, which takes it further back again.
    for (let last = Infinity; time < last;) {
      last = time;
      time = Math.min(time, byClock - unlivedSince(lived, new Date(time), now));
    }
    return new Date(time);
  };
  return {
    rowsBefore: before(ROWS_KEPT_MS),
    linesBefore: before(LINES_KEPT_MS),
    kept: journals.flatMap(({ task, of }) => (of === null ? [task] : [task, of])),
  };
}

/** Each piece whole or not at all; one that a crash kept from going goes the next time. */
export async function pruneTasks(store: Store, { rowsBefore, linesBefore, kept }: PruneWanted): Promise<Pruned> {
  let lines = 0;
  let tasks = 0;
  const untilNone = async (body: (at: Kysely<StoreTables>) => Promise<number>): Promise<void> => {
    while ((await writeAtOnce(store, body)) > 0);
  };
  await untilNone(async (at) => {
    const ids = await findEnded(at, linesBefore, kept)
      .where((row) =>
        row.exists(row.selectFrom('task_log').select('number').whereRef('task_log.task', '=', 'tasks.id')),
      )
      .execute();
    lines += await removeLines(at, ids);
    return ids.length;
  });
  await untilNone(async (at) => {
    const ids = await findEnded(at, rowsBefore, kept)
      .where(
        'tasks.id',
        'not in',
        at.selectFrom('tasks as other').select('other.of_task').where('other.of_task', 'is not', null),
      )
      .execute();
    lines += await removeLines(at, ids);
    await at
      .deleteFrom('tasks')
      .where(
        'id',
        'in',
        ids.map(({ id }) => id),
      )
      .execute();
    tasks += ids.length;
    return ids.length;
  });
  return { tasks, lines };
}

async function removeLines(at: Kysely<StoreTables>, ids: readonly { readonly id: string }[]): Promise<number> {
  const names = ids.map(({ id }) => id);
  const { numDeletedRows } = await at.deleteFrom('task_log').where('task', 'in', names).executeTakeFirstOrThrow();
  return Number(numDeletedRows);
}

/** Tasks that ended before, and that nothing names any more; as many as go at once. */
function findEnded(at: Kysely<StoreTables>, before: Date, kept: readonly string[]) {
  const archivedBy = sql<string>`archives.manifest ->> '$.about.task'`;
  const archived = at.selectFrom('archives').select(archivedBy.as('task'));
  return (
    at
      .selectFrom('tasks')
      .select('tasks.id')
      .where('ended', '<', before.toISOString())
      .where('undo_until', 'is', null)
      .where('state', 'not in', ['queued', 'running'])
      .where('tasks.id', 'not in', [...kept])
      // Each list is made once for all rows; a correlated question would be asked again for each.
      .where('tasks.id', 'not in', at.selectFrom('points').select('points.task').where('points.task', 'is not', null))
      .where((row) =>
        row.or([
          row('tasks.point', 'is', null),
          row('tasks.point', 'not in', row.selectFrom('points').select('points.id')),
        ]),
      )
      .where('tasks.id', 'not in', archived.where(archivedBy, 'is not', null))
      .orderBy('tasks.id')
      .limit(MAX_TASKS_AT_ONCE)
  );
}
