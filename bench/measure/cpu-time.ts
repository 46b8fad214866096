import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** CPU seconds since start-up: of the whole machine, of this process with its ended children, of these alone. */
export type CpuTimes = { readonly machine: number; readonly own: number; readonly children: number };

/** Linux counts in hundredths of a second wherever it runs. */
const TICKS_PER_SECOND = 100;

/** Others may use this much of one core in the second before a run. */
const CALM_SHARE = 0.15;
const MAX_WAITS = 20;

export function readCpuTimes(): CpuTimes {
  // user nice system idle iowait irq softirq steal: what the hypervisor took away was used by others too.
  const machine = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0]?.split(/\s+/).slice(1).map(Number) ?? [];
  const busy = [0, 1, 2, 5, 6, 7].reduce((sum, field) => sum + (machine[field] ?? 0), 0);
  // After the command's closing bracket; user and system of this process, then of its children that were waited for.
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ').at(-1)?.split(' ').slice(11, 15).map(Number) ?? [];
  const [user = 0, system = 0, childUser = 0, childSystem = 0] = fields;
  return {
    machine: busy / TICKS_PER_SECOND,
    own: (user + system + childUser + childSystem) / TICKS_PER_SECOND,
    children: (childUser + childSystem) / TICKS_PER_SECOND,
  };
}

/** CPU seconds that others used between two readings; never below 0, though the counters are not read at one instant. */
export function othersBetween(before: CpuTimes, after: CpuTimes): number {
  return Math.max(0, after.machine - before.machine - (after.own - before.own));
}

/** Waits for a second in which others used little. False where none came in `MAX_WAITS` seconds: the run goes on then. */
export async function waitForCalm(signal: AbortSignal): Promise<boolean> {
  for (let waited = 0; waited < MAX_WAITS; waited++) {
    const before = readCpuTimes();
    await sleep(1000, undefined, { signal });
    if (othersBetween(before, readCpuTimes()) < CALM_SHARE) return true;
  }
  return false;
}
