/** How the nights of an account stand: the last one, the next job, what is late, and what waits for somebody. */
import type { AccountStatus, TaskState } from '@salvor/contract';
import { readHostZone } from '../lib/host-zone.ts';
import type { HostPoints } from '../points/host-points.ts';
import type { ListedPoint } from '../points/listed-point.ts';
import { type PolicyLevels, policyOfAccount, policyOfSite } from '../policies/policy-levels.ts';
import { type Job, lastStart, nextStart } from '../policies/schedule.ts';
import type { Policy } from '../policies/settings.ts';
import type { TaskRow } from '../store/tables.ts';
import { isAhead, jobOfRow } from './due.ts';
import type { TaskLog } from './task-log.ts';

/** A job each hour for a week. */
const MAX_JOBS_LOOKED_AT = 200;
/** Whoever serves the host looks twice a minute, and one account waits for another's night. */
const LATE_AFTER_MS = 3 * 3_600_000;

const JOBS: readonly Job[] = ['nightly', 'databases'];

export type NightsLook = {
  readonly log: TaskLog;
  readonly points: HostPoints;
  readonly levels: PolicyLevels;
  readonly now: Date;
  readonly hasRemote: boolean;
  /** Since when the account has a repository; null where it has none. */
  readonly madeAt: (account: string) => Date | null;
};

/** `listed` are the account's points; empty where they could not be read. */
export async function readAccountStatus(
  account: string,
  listed: readonly ListedPoint[],
  look: NightsLook,
): Promise<AccountStatus> {
  const { log, levels, now } = look;
  const { policy } = policyOfAccount(levels, account);
  const rows = await log.readLast({ count: MAX_JOBS_LOOKED_AT, account, uri: '' });
  const nights = rows.filter(
    ({ operation, started, wish }) =>
      operation === 'daily' && started !== null && !isAhead(started, now) && jobOfRow(wish) === 'nightly',
  );
  const [last] = nights;
  const lastNight =
    last === undefined || last.started === null
      ? null
      : { task: last.id, state: last.state as TaskState, startedAt: last.started, endedAt: last.ended };
  return {
    account,
    lastNight,
    next: nextOf(policy, account, now),
    lateSince: lateSince(policy, account, nights, look)?.toISOString() ?? null,
    behind: look.hasRemote ? await findBehind(account, listed, nights, look) : null,
    oldPins: findOldPins(listed, levels, now),
  };
}

function nextOf(policy: Policy, account: string, now: Date): AccountStatus['next'] {
  const starts = JOBS.flatMap((job) => {
    const at = nextStart(job, policy, account, readHostZone(), now);
    return at === null ? [] : [{ job, at: at.toISOString() }];
  });
  return starts.toSorted((one, other) => (one.at < other.at ? -1 : 1))[0] ?? null;
}

/** A start from before the account had a repository is none that was missed. */
function lateSince(policy: Policy, account: string, nights: readonly TaskRow[], look: NightsLook): Date | null {
  const until = new Date(look.now.getTime() - LATE_AFTER_MS);
  const start = lastStart('nightly', policy, account, readHostZone(), until);
  const madeAt = look.madeAt(account);
  if (start === null || madeAt === null || madeAt > start) return null;
  const isMet = nights.some(
    ({ started, state }) =>
      started !== null && new Date(started) >= start && ['running', 'succeeded', 'warned'].includes(state),
  );
  return isMet ? null : start;
}

/** Only of points that this host made: what others wrote into the repository is not promised to be in both. */
async function findBehind(
  account: string,
  listed: readonly ListedPoint[],
  nights: readonly TaskRow[],
  { points }: NightsLook,
): Promise<AccountStatus['behind']> {
  const last = nights.find(({ state }) => state === 'succeeded' || state === 'warned');
  if (last?.ended == null) return null;
  const ended = last.ended;
  const made = await points.madeIn(account, 'local');
  const missing = listed.filter(
    ({ row, copies }) =>
      !copies.includes('remote') &&
      row.time <= ended &&
      row.snapshot.split(' ').every((id) => id === '-' || made.has(id)),
  );
  const oldest = missing.at(-1);
  // A night's point has a row for each site.
  const count = new Set(missing.map(({ row }) => row.snapshot)).size;
  return oldest === undefined ? null : { points: count, oldest: oldest.row.time };
}

function findOldPins(listed: readonly ListedPoint[], levels: PolicyLevels, now: Date): AccountStatus['oldPins'] {
  const old = listed.filter(({ row }) => {
    if (row.pinned !== 1) return false;
    const { pinWarnMs } = policyOfSite(levels, { account: row.account, uri: row.uri }).policy;
    return now.getTime() - Date.parse(row.time) > pinWarnMs;
  });
  const oldest = old.at(-1);
  if (oldest === undefined) return null;
  return { points: old.length, bytes: old.reduce((sum, { row }) => sum + row.bytes, 0), oldest: oldest.row.time };
}
