import type { AccountStatus, DoctorFinding, TaskSummary } from '@salvor/contract';
import { readStatus } from '../status.ts';
import type { Check } from './examine-host.ts';
import { finding } from './findings.ts';

/** Whether the last night of every account was made and was whole, in both copies, and what waits for a confirmation. */
export const checkNights: Check = async (room, found) => {
  const { accounts } = await readStatus(room, found, []);
  const findings: DoctorFinding[] = [];
  for (const account of accounts) {
    const night = account.lastNight === null ? null : await room.log.read(account.lastNight.task);
    findings.push(...judgeNights(account, night?.problems ?? 0));
  }
  return findings;
};

const FAILED: readonly TaskSummary['state'][] = ['failed', 'rolled-back', 'rollback-failed', 'cancelled'];

/** `problems` are those that the last night named. */
export function judgeNights(status: AccountStatus, problems: number): readonly DoctorFinding[] {
  const { account, lastNight, lateSince, behind, oldPins } = status;
  const findings: DoctorFinding[] = [];
  if (lateSince !== null) findings.push(finding('night-late', { account, since: lateSince }, account));
  if (lastNight !== null) {
    const { state, startedAt: time, task } = lastNight;
    if (FAILED.includes(state)) findings.push(finding('night-failed', { account, time, state, task }, account));
    if (state === 'warned') {
      const named = problems === 1 ? 'a problem' : `${problems} problems`;
      findings.push(finding('night-with-problems', { account, time, problems: named, task }, account));
    }
    if (behind !== null) {
      const told = { account, points: countPoints(behind.points), oldest: behind.oldest, task };
      findings.push(finding('copy-behind', told, account));
    }
  }
  if (oldPins !== null) {
    const { points, bytes, oldest } = oldPins;
    const told = { account, points: countPoints(points), bytes: `${Math.ceil(bytes / 1024 ** 2)} MiB`, oldest };
    findings.push(finding('pins-old', told, account));
  }
  return findings;
}

function countPoints(count: number): string {
  return count === 1 ? '1 point' : `${count} points`;
}
