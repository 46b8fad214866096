import { readHostZone } from '../lib/host-zone.ts';
import type { TaskRow } from '../store/tables.ts';
import { waitOptions } from './calls.ts';
import { watchClock } from './clock-watch.ts';
import { findDue } from './due.ts';
import type { SiteFinder } from './find-site.ts';
import { hostAccount } from './host-account.ts';
import { type NightsRoom, runNights } from './nights.ts';
import type { SiteTasks } from './site-tasks.ts';

export type RoundRoom = NightsRoom & {
  readonly sites: SiteFinder;
  readonly tasks: Pick<SiteTasks, 'expireKept'>;
  readonly runQueue: (signal: AbortSignal) => Promise<void>;
};

/** A job each hour, three tries of each, for a day. */
const MAX_JOBS_LOOKED_AT = 100;

/**
 * One round of whoever serves this host: what is due is begun, one account after the other, then the tasks that are
 * nobody's.
 */
export async function serveRound(
  room: RoundRoom,
  { signal, onLine }: { readonly signal: AbortSignal; readonly onLine: (line: string) => void },
): Promise<void> {
  const host = hostAccount();
  const accounts = [...(await room.sites.accountNames(signal)), ...(host === null ? [] : [host.name])];
  const { clock, log } = room;
  const rowsOf = (account: string): Promise<readonly TaskRow[]> =>
    log.readLast({ count: MAX_JOBS_LOOKED_AT, account, uri: '' });
  // Often, so that a boot leaves little of the time unknown.
  watchClock(room.config.state, clock(), room.uptime());
  const look = { now: clock(), hostZone: readHostZone(), rowsOf };
  const due = await findDue(room.config.policies, accounts, look);
  await room.tasks.expireKept();
  for (const { job, account } of due) {
    // The host's own databases are those of its accounts.
    if (account === host?.name && job === 'databases') continue;
    signal.throwIfAborted();
    onLine(`${account}: ${job} begins`);
    const { accounts: nights } = await runNights(room, {
      account,
      job,
      ...waitOptions({ signal, wait: true }),
    });
    for (const { state, point, problems } of nights) {
      onLine(`${account}: ${job} ${state}${point === null ? '' : `, point ${point}`}`);
      for (const { code, message } of problems) onLine(`${account}: problem ${code}: ${message}`);
    }
  }
  await room.runQueue(signal);
}
