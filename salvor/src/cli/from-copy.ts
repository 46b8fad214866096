import type { Problem } from '@salvor/contract';
import type { CommandContext } from './command.ts';
import { renderProblems } from './render-problems.ts';

/** `--from`, of every command that reads a point. */
export type FromFlags = { readonly from?: 'local' | 'remote' };

export type WatchedProblems = {
  readonly onProblem: (problem: Problem) => void;
  /** 3 where one was told, else 0. */
  readonly exit: () => 0 | 3;
};

/** Says on stderr what is wrong with what is looked at: what comes to stdout has no place for it. */
export function watchProblems({ terminal }: Pick<CommandContext, 'terminal'>): WatchedProblems {
  let isTold = false;
  return {
    onProblem: (problem) => {
      isTold = true;
      terminal.stderr.write(`${renderProblems([problem], terminal.messages).join('\n')}\n`);
    },
    exit: () => (isTold ? 3 : 0),
  };
}
