import { othersBetween, readCpuTimes, waitForCalm } from './cpu-time.ts';
import type { Command } from '../programs.ts';
import { runCommand } from './run-command.ts';
import type { RunOptions } from './run-command.ts';
import { MemoryWatch } from './watch-memory.ts';

export type Measured = {
  readonly seconds: number;
  /** User and system time of the commands and all that they started. */
  readonly cpuSeconds: number;
  readonly otherCpuSeconds: number;
  readonly isCalm: boolean;
  /** Greatest sum over the processes of one command; null where nobody looked. */
  readonly peakBytes: number | null;
  /** One for each command. */
  readonly outputs: readonly Buffer[];
};

export type MeasureOptions = RunOptions & {
  /** Whether to wait until nobody else works on the machine. */
  readonly isPatient: boolean;
};

/** Runs commands one after another, alone, once the machine is calm, and nothing of ours beside them. */
export async function runTimed(commands: readonly Command[], options: MeasureOptions): Promise<Measured> {
  const isCalm = options.isPatient && (await waitForCalm(options.signal));
  const before = readCpuTimes();
  const runs = [];
  for (const command of commands) runs.push(await runCommand(command, options));
  const after = readCpuTimes();
  return {
    seconds: runs.reduce((sum, { milliseconds }) => sum + milliseconds, 0) / 1000,
    cpuSeconds: after.children - before.children,
    otherCpuSeconds: othersBetween(before, after),
    isCalm,
    peakBytes: null,
    outputs: runs.map(({ output }) => output),
  };
}

/** The same, looking at their memory all the while, which slows them down the more they have. */
export async function runWatched(commands: readonly Command[], options: MeasureOptions): Promise<Measured> {
  let peakBytes = 0;
  using watches = new DisposableStack();
  const watched: MemoryWatch[] = [];
  const onStart = (pid: number): void => {
    watched.push(watches.use(new MemoryWatch(pid)));
  };
  const measured = await runTimed(commands, { ...options, onStart });
  for (const watch of watched) peakBytes = Math.max(peakBytes, watch.peakBytes);
  return { ...measured, peakBytes };
}
