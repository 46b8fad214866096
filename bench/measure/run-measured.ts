import { othersBetween, readCpuTimes, waitForCalm } from './cpu-time.ts';
import type { Command } from '../programs.ts';
import { runCommand } from './run-command.ts';
import type { RunOptions } from './run-command.ts';
import { MemoryWatch } from './watch-memory.ts';

export type Measured = {
  readonly seconds: number;
  /** User and system time of the command and all that it started. */
  readonly cpuSeconds: number;
  readonly otherCpuSeconds: number;
  readonly isCalm: boolean;
  readonly output: string;
};

/** Runs a command alone, once the machine is calm, and nothing of ours beside it. */
export async function runTimed(command: Command, options: RunOptions): Promise<Measured> {
  const isCalm = await waitForCalm(options.signal);
  const before = readCpuTimes();
  const { output, milliseconds } = await runCommand(command, options);
  const after = readCpuTimes();
  return {
    seconds: milliseconds / 1000,
    cpuSeconds: after.children - before.children,
    otherCpuSeconds: othersBetween(before, after),
    isCalm,
    output,
  };
}

/** Runs a command and looks at its memory all the while, which slows it down the more it has. */
export async function runWatched(
  command: Command,
  options: RunOptions,
): Promise<{ peakBytes: number; output: string }> {
  using watches = new DisposableStack();
  let watch: MemoryWatch | null = null;
  const onStart = (pid: number): void => {
    watch = watches.use(new MemoryWatch(pid));
  };
  const { output } = await runCommand(command, { ...options, onStart });
  return { peakBytes: (watch as MemoryWatch | null)?.peakBytes ?? 0, output };
}
