import { resolve } from 'node:path';
import { restore } from '@salvor/engine';
import type { RepoRestoreDocument } from '@salvor/contract';
import type { CommandContext, CommandResult } from '../command.ts';
import { ProgressLine } from '../progress-line.ts';
import { counted, escapeControl, readableBytes } from '../readable.ts';
import { renderProblems } from '../render-problems.ts';
import { chooseFiles } from './repo-choose.ts';
import type { ChooseFlags } from './repo-choose.ts';
import type { FilterFlags } from './repo-filter.ts';
import { findNamed } from './repo-named.ts';
import { openRepo, toProblem } from './repo.ts';

export type RepoRestoreFlags = FilterFlags &
  ChooseFlags & {
    readonly target: string;
    readonly verify?: boolean;
  };

export async function repoRestore(
  named: string,
  flags: RepoRestoreFlags,
  context: CommandContext,
): Promise<CommandResult> {
  const [id = '', subtree] = splitSubtree(named);
  const include = chooseFiles(flags, subtree);
  const target = resolve(flags.target);
  const repository = await openRepo(flags, context);
  const snapshot = await findNamed(repository, id, flags, context.signal);
  using progress = new ProgressLine(context.terminal, context.clock);
  const result = await restore({
    repository,
    snapshot,
    target,
    ...(subtree === undefined ? {} : { subtree }),
    ...(include === undefined ? {} : { include }),
    verify: flags.verify === true,
    signal: context.signal,
    onProgress: progress.show,
  });
  progress.clear();
  const document: RepoRestoreDocument = {
    state: result.problems.length > 0 ? 'warned' : 'succeeded',
    snapshot: snapshot.id,
    target,
    files: result.files,
    directories: result.directories,
    bytes: result.bytes,
    problems: result.problems.map(toProblem),
  };
  const what = `${counted(document.files, 'file')} (${readableBytes(document.bytes)})`;
  return {
    document,
    text: [
      `Restored ${what} of snapshot ${document.snapshot.slice(0, 8)} to ${escapeControl(target)}.`,
      ...renderProblems(document.problems, context.terminal.output),
    ].join('\n'),
    exit: document.state === 'warned' ? 3 : 0,
  };
}

/** `ID:/DIR` names a directory of a snapshot. */
function splitSubtree(named: string): readonly string[] {
  const colon = named.indexOf(':');
  return colon < 0 ? [named] : [named.slice(0, colon), named.slice(colon + 1)];
}
