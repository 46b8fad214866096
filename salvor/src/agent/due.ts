/** Which jobs of which accounts should begin now. */
import { isDue, type Job } from '../policies/schedule.ts';
import { type PolicyLevels, policyOfAccount } from '../policies/policy-levels.ts';
import type { TaskRow } from '../store/tables.ts';

export type DueJob = { readonly job: Job; readonly account: string };

const JOBS: readonly Job[] = ['nightly', 'databases'];

/** A job that failed is begun again after this, until one of that start has not failed. */
export const AGAIN_AFTER_MS = 3_600_000;

/** Of one host's clock: what began later than this from now was dated by a clock that was wrong. */
const AHEAD_MS = 10 * 60_000;

/** `rowsOf` gives the tasks of an account that were no site's, newest first. */
export async function findDue(
  levels: PolicyLevels,
  accounts: readonly string[],
  { now, hostZone, rowsOf }: { now: Date; hostZone: string; rowsOf: (account: string) => Promise<readonly TaskRow[]> },
): Promise<readonly DueJob[]> {
  const due: DueJob[] = [];
  for (const account of accounts) {
    const { policy } = policyOfAccount(levels, account);
    const rows = await rowsOf(account);
    for (const job of JOBS) {
      const lastBegan = lastBeganOf(rows, job, now);
      if (isDue(job, policy, account, hostZone, { lastBegan, now })) due.push({ job, account });
    }
  }
  return due;
}

/** One that failed long enough ago does not count, nor one that is dated ahead. */
function lastBeganOf(rows: readonly TaskRow[], job: Job, now: Date): Date | null {
  for (const { operation, wish, state, started } of rows) {
    if (operation !== 'daily' || started === null || jobOfRow(wish) !== job || isAhead(started, now)) continue;
    const began = new Date(started);
    const isFailure = state === 'failed' || state === 'rolled-back' || state === 'cancelled';
    if (!isFailure || now.getTime() - began.getTime() < AGAIN_AFTER_MS) return began;
  }
  return null;
}

/** Whether a start was dated by a clock that has been set back since: it says nothing of what is due or late. */
export function isAhead(started: string, now: Date): boolean {
  return Date.parse(started) > now.getTime() + AHEAD_MS;
}

/** Which job a row of `daily` was, as its wish says. */
export function jobOfRow(wish: string | null): string {
  return (JSON.parse(wish ?? '{}') as { readonly job?: string }).job ?? 'nightly';
}
