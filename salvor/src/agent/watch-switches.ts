/** Which sites a task switches while the nightly job reads them: what it read of such a site is of before and of after. */
import type { Journal } from '../tasks/journal.ts';
import { parseTaskId } from '../tasks/task-id.ts';
import type { TaskRow } from '../store/tables.ts';
import type { Journals } from './journals.ts';
import type { TaskLog } from './task-log.ts';

/** They change nothing of a site. All others may, also those that are yet to come. */
const CHANGE_NOTHING: ReadonlySet<string> = new Set<Journal['operation']>([
  'backup',
  'daily',
  'confirm',
  'unpack',
  'backup-delete',
  'export',
  'verify',
]);
/** More tasks than one account has in a night. */
const MAX_ROWS = 1000;

type Room = { readonly log: Pick<TaskLog, 'readLast'>; readonly journals: Pick<Journals, 'list' | 'read'> };

/** From now on; what is returned gives, by the site's URI, the task that has switched it since, or is about to. */
export function watchSwitches(
  { log, journals }: Room,
  account: string,
  since: Date,
): () => Promise<ReadonlyMap<string, string>> {
  const settled = new Set(journals.list().flatMap(({ task, phase }) => (hasSwitched(phase) ? [task as string] : [])));
  return async () => {
    const switched = new Map<string, string>();
    for (const row of await log.readLast({ count: MAX_ROWS, account }))
      if (row.uri !== '' && !settled.has(row.id) && isSwitchSince(row, since, journals)) switched.set(row.uri, row.id);
    // One that was killed in the middle of it, and that nobody could finish or undo yet.
    for (const { site, task, phase } of journals.list())
      if (site.account === account && phase === 'switching') switched.set(site.uri, task);
    return switched;
  };
}

function hasSwitched(phase: Journal['phase']): boolean {
  return phase === 'switched' || phase === 'kept';
}

function isSwitchSince(row: TaskRow, since: Date, journals: Room['journals']): boolean {
  if (CHANGE_NOTHING.has(row.operation) || row.started === null) return false;
  if (row.ended !== null)
    return Date.parse(row.ended) >= since.getTime() && row.state !== 'failed' && row.state !== 'cancelled';
  const id = parseTaskId(row.id);
  const journal = id === null ? null : journals.read(id);
  return journal !== null && journal.phase !== 'started';
}
