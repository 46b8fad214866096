import type { DoctorFinding } from '@salvor/contract';
import { isClockSynchronised } from '../../lib/clock-synchronised.ts';
import { readClock } from '../clock-watch.ts';
import type { Check } from './examine-host.ts';
import { finding } from './findings.ts';

/** Clocks of two machines are never the same. */
const AHEAD_MS = 10 * 60_000;

/** Everything is let go of by time, so a wrong clock is what takes points away too early. */
export const checkClock: Check = async ({ config, points, clock, uptime }, { accounts }) => {
  const findings: DoctorFinding[] = [];
  const now = clock();
  if (!readClock(config.state, now, uptime()).isTrusted) findings.push(finding('clock-jumped'));
  if (!isClockSynchronised()) findings.push(finding('clock-unsynchronised'));
  for (const { name } of accounts) {
    const newest = await points.newestKnown(name);
    if (newest !== null && Date.parse(newest) > now.getTime() + AHEAD_MS)
      findings.push(finding('clock-behind', { account: name, time: newest }, name));
  }
  return findings;
};
