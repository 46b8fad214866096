import { resolve } from 'node:path';
import { findSnapshot, restore } from '@salvor/engine';
import type { RepoRestoreDocument } from '@salvor/contract';
import type { CommandContext, CommandResult } from '../command.ts';
import { ProgressLine } from '../progress-line.ts';
import { counted, escapeControl, readableBytes } from '../readable.ts';
import { renderProblems } from '../render-problems.ts';
import { openRepo, toProblem } from './repo.ts';
import type { RepoFlags } from './repo.ts';

type Flags = RepoFlags & {
  readonly target: string;
  readonly include?: readonly string[];
  readonly verify?: boolean;
};

export async function repoRestore(named: string, flags: Flags, context: CommandContext): Promise<CommandResult> {
  const [id = '', subtree] = splitSubtree(named);
  const target = resolve(flags.target);
  const repository = await openRepo(flags, context);
  const snapshot = await findSnapshot(repository, id);
  using progress = new ProgressLine(context.terminal, context.clock);
  const result = await restore({
    repository,
    snapshot,
    target,
    ...(subtree === undefined ? {} : { subtree }),
    ...(flags.include === undefined ? {} : { include: includePaths(flags.include, subtree) }),
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

/** A wanted path (in `subtree`, where one is restored), what lies in it, and the directories on the way to it. */
function includePaths(
  wanted: readonly string[],
  subtree = '/',
): (pathInSnapshot: string, isDirectory: boolean) => boolean {
  const paths = wanted.map((path) => `/${`${subtree}/${path}`.split('/').filter(Boolean).join('/')}`);
  return (path, isDirectory) => paths.some((want) => isWithin(path, want) || (isDirectory && isWithin(want, path)));
}

function isWithin(path: string, directory: string): boolean {
  return directory === '/' || path === directory || path.startsWith(`${directory}/`);
}
