import type { CommandContext } from './command.ts';
import { ProgressLine, type Progress } from './progress-line.ts';

/** `--wait`, of every command that has a site to itself. */
export type WaitFlags = { readonly wait?: boolean };

export type Waiting = Disposable & {
  readonly options: {
    readonly signal: AbortSignal;
    readonly wait: boolean;
    readonly onWait: (why: string) => void;
    readonly onProgress: (progress: Progress) => void;
  };
  /** The line of progress is gone: what is written now stands where it stood. */
  readonly end: () => void;
};

/** The line that says how far a task is, and before that what it waits for: a line of its own, so that it is in a log too. */
export function watchWait(flags: WaitFlags, { terminal, clock, signal }: CommandContext): Waiting {
  const line = new ProgressLine(terminal, clock);
  return {
    options: {
      signal,
      wait: flags.wait === true,
      onWait: (why) => {
        line.clear();
        terminal.stderr.write(`Waiting for ${why} …\n`);
      },
      onProgress: line.show,
    },
    end: () => line.clear(),
    [Symbol.dispose]: () => line.clear(),
  };
}
