import { hostname, userInfo } from 'node:os';
import { resolve } from 'node:path';
import { backup } from '@salvor/engine';
import type { BackupResult } from '@salvor/engine';
import type { Problem, RepoBackupDocument } from '@salvor/contract';
import type { CommandContext, CommandResult } from '../command.ts';
import type { Paint } from '../paint.ts';
import { ProgressLine } from '../progress-line.ts';
import { counted, escapeControl, readableBytes, readableCount } from '../readable.ts';
import { renderProblems } from '../render-problems.ts';
import { openAlsoRepos } from './repo-also.ts';
import type { AlsoFlags, AlsoRepo } from './repo-also.ts';
import { sourceOfPaths } from './repo-source.ts';
import { openRepo, toProblem } from './repo.ts';

export type RepoBackupFlags = AlsoFlags & {
  readonly tag?: readonly string[];
  readonly host?: string;
  readonly exclude?: readonly string[];
  readonly force?: boolean;
};

/** One snapshot in each repository, the paths being read once. A copy that stays behind is a problem, no failure. */
export async function repoBackup(
  paths: readonly string[],
  flags: RepoBackupFlags,
  context: CommandContext,
): Promise<CommandResult> {
  const source = sourceOfPaths(
    paths,
    (flags.exclude ?? []).map((path) => resolve(path)),
  );
  const repository = await openRepo(flags, context);
  const others = await openAlsoRepos(flags, context);
  using progress = new ProgressLine(context.terminal, context.clock);
  const result = await backup({
    source,
    repositories: [repository, ...others.flatMap((other) => other.repository ?? [])],
    paths: paths.map((path) => resolve(path)).toSorted(),
    host: flags.host ?? hostname(),
    username: userInfo().username,
    tags: flags.tag ?? [],
    time: context.clock(),
    parent: flags.force === true ? 'none' : 'newest',
    signal: context.signal,
    onProgress: progress.show,
  });
  const document = toDocument(result, others);
  progress.clear();
  return { document, text: render(document, context), exit: document.state === 'warned' ? 3 : 0 };
}

function toDocument(result: BackupResult, others: readonly AlsoRepo[]): RepoBackupDocument {
  const [saved] = result.snapshots;
  if (saved === undefined) throw new Error('a backup that was committed names no snapshot');
  const copies = [
    ...result.copies.map(({ repository, error }) => ({
      repository: repository.location,
      snapshot: result.snapshots.find((each) => each.repository === repository)?.id ?? null,
      behind: error === null ? null : behind(error.code, error.message),
    })),
    ...others.flatMap(({ url, problem }) =>
      problem === null ? [] : [{ repository: url, snapshot: null, behind: behind(problem.code, problem.message) }],
    ),
  ];
  const isWhole = result.problems.length === 0 && copies.every((copy) => copy.behind === null);
  return {
    state: isWhole ? 'succeeded' : 'warned',
    snapshot: saved.id,
    tree: saved.tree,
    files: result.files,
    directories: result.directories,
    bytesProcessed: result.bytesProcessed,
    bytesRead: result.bytesRead,
    bytesStored: result.bytesStored,
    dataBlobs: result.dataBlobs,
    treeBlobs: result.treeBlobs,
    copies,
    problems: result.problems.map(toProblem),
  };
}

function behind(code: string, message: string): Problem {
  return { code, path: null, message };
}

function render(document: RepoBackupDocument, { terminal }: CommandContext): string {
  const { bytesProcessed, bytesRead, bytesStored, dataBlobs, treeBlobs } = document;
  return [
    line('Files:', document.files),
    line('Directories:', document.directories),
    `${'Read:'.padEnd(13)}${readableBytes(bytesRead)} of ${readableBytes(bytesProcessed)}`,
    `${'Stored:'.padEnd(13)}${readableBytes(bytesStored)} in ${counted(dataBlobs + treeBlobs, 'new blob')}`,
    ...renderCopies(document.copies, terminal.output),
    ...renderProblems(document.problems, terminal.output),
  ].join('\n');
}

/** Places are named only where there is more than one. */
function renderCopies(copies: RepoBackupDocument['copies'], { bold, yellow }: Paint): readonly string[] {
  return copies.map(({ repository, snapshot, behind: problem }) => {
    const place = copies.length === 1 ? '' : ` in ${escapeControl(repository)}`;
    if (snapshot !== null) return `Snapshot ${bold(snapshot.slice(0, 8))} is saved${place}.`;
    const why = escapeControl(problem?.message ?? '');
    return `${yellow('Not saved')}${place}: ${why}\n  Bring it there with: salvor repo copy`;
  });
}

function line(title: string, { new: added, changed, unmodified }: RepoBackupDocument['files']): string {
  return `${title.padEnd(13)}${readableCount(added)} new, ${readableCount(changed)} changed, ${readableCount(unmodified)} unmodified`;
}
