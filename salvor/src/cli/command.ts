import type { Problem } from '@salvor/contract';
import type { Composition } from '../compose.ts';
import type { Environment } from '../config.ts';
import type { Terminal } from './terminal.ts';

/** What every command is handed. */
export type CommandContext = {
  readonly terminal: Terminal;
  readonly environment: Environment;
  readonly clock: () => Date;
  readonly uptime?: NonNullable<Composition['uptime']>;
  readonly signal: AbortSignal;
  /** What is put in here is closed when the command has ended, however it ended. */
  readonly opened: AsyncDisposableStack;
  /** `--config FILE` */
  readonly configFile: string | null;
  readonly isJson: boolean;
};

/**
 * What a command gives back: one document and the same for people. Commands print nothing themselves but `cat`,
 * whose output is the bytes.
 */
export type CommandResult = {
  readonly document: unknown;
  readonly text: string;
  readonly exit: 0 | 1 | 3;
};

/** What a command gives back that wrote its output itself: only how it ended is still to be told. */
export type Written = { readonly problems: readonly Problem[] };
