/**
 * Looks over an installation and says what to do about each finding. Owns which checks there are and what becomes of one that
 * fails itself: a finding, and the next check is made. Changes nothing but a file of a moment in each repository, which
 * shows that it can be written, and what is remembered of the recovery key.
 *
 *   for each check: look → findings   then: the heaviest of them is the verdict
 */
import type { DoctorDocument, DoctorFinding } from '@salvor/contract';
import type { FoundSites } from '../../sites/find-sites.ts';
import type { Uptime } from '../clock-watch.ts';
import type { StatusRoom } from '../status.ts';
import type { TaskRoom } from '../run-task.ts';
import { checkClock } from './check-clock.ts';
import { checkDatabases } from './check-databases.ts';
import { checkFiles } from './check-files.ts';
import { checkForeignJobs } from './check-foreign-jobs.ts';
import { checkNights } from './check-nights.ts';
import { checkPrograms } from './check-programs.ts';
import { checkRecovery } from './check-recovery.ts';
import { checkRepositories } from './check-repositories.ts';
import { checkService } from './check-service.ts';
import { checkSnapshots } from './check-snapshots.ts';
import { checkSites } from './check-sites.ts';
import { checkSpace } from './check-space.ts';
import { checkTasks } from './check-tasks.ts';
import { findingOfError } from './findings.ts';

export type DoctorRoom = StatusRoom &
  Pick<TaskRoom, 'limits' | 'administratorOf'> & {
    readonly uptime: () => Uptime;
  };

/** One thing that is looked at. What it throws is a finding too. */
export type Check = (
  room: DoctorRoom,
  found: FoundSites,
  signal: AbortSignal | undefined,
) => Promise<readonly DoctorFinding[]>;

const CHECKS: readonly (readonly [name: string, check: Check])[] = [
  ['programs', checkPrograms],
  ['files and modes', checkFiles],
  ['clock', checkClock],
  ['accounts and sites', checkSites],
  ['database servers', checkDatabases],
  ['repositories', checkRepositories],
  ['recovery key', checkRecovery],
  ['space', checkSpace],
  ['snapshots of homes', checkSnapshots],
  ['tasks', checkTasks],
  ['nights', checkNights],
  ['service', checkService],
  ['jobs of others', checkForeignJobs],
];

export async function examineHost(room: DoctorRoom, found: FoundSites, signal?: AbortSignal): Promise<DoctorDocument> {
  const checks: DoctorDocument['checks'][number][] = [];
  const findings: DoctorFinding[] = [];
  for (const [name, check] of CHECKS) {
    signal?.throwIfAborted();
    const met = await attempt(() => check(room, found, signal), signal);
    checks.push({ name, findings: met.filter(({ severity }) => severity !== 'note').length });
    findings.push(...met);
  }
  return { state: verdictOf(findings), checks, findings };
}

/** Of an installation whose configuration or store can't even be opened: that is the finding. */
export function examineFailure(name: string, error: unknown): DoctorDocument {
  return { state: 'failed', checks: [{ name, findings: 1 }], findings: [findingOfError(error, 'error')] };
}

async function attempt(
  check: () => Promise<readonly DoctorFinding[]>,
  signal: AbortSignal | undefined,
): Promise<readonly DoctorFinding[]> {
  try {
    return await check();
  } catch (error) {
    if (signal?.aborted === true) throw error;
    return [findingOfError(error, 'error')];
  }
}

function verdictOf(findings: readonly DoctorFinding[]): DoctorDocument['state'] {
  if (findings.some(({ severity }) => severity === 'error')) return 'failed';
  return findings.some(({ severity }) => severity === 'warning') ? 'warned' : 'succeeded';
}
