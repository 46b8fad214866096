import { hostname, userInfo } from 'node:os';
import { resolve } from 'node:path';
import { backup } from '@salvor/engine';
import type { BackupResult } from '@salvor/engine';
import type { RepoBackupDocument } from '@salvor/contract';
import type { CommandContext, CommandResult } from '../command.ts';
import { ProgressLine } from '../progress-line.ts';
import { counted, readableBytes, readableCount } from '../readable.ts';
import { renderProblems } from '../render-problems.ts';
import { sourceOfPaths } from './repo-source.ts';
import { openRepo, toProblem } from './repo.ts';
import type { RepoFlags } from './repo.ts';

export type RepoBackupFlags = RepoFlags & {
  readonly tag?: readonly string[];
  readonly host?: string;
  readonly exclude?: readonly string[];
  readonly force?: boolean;
};

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
  using progress = new ProgressLine(context.terminal, context.clock);
  const result = await backup({
    source,
    repositories: [repository],
    paths: paths.map((path) => resolve(path)).toSorted(),
    host: flags.host ?? hostname(),
    username: userInfo().username,
    tags: flags.tag ?? [],
    time: context.clock(),
    parent: flags.force === true ? 'none' : 'newest',
    signal: context.signal,
    onProgress: progress.show,
  });
  const document = toDocument(result);
  progress.clear();
  return { document, text: render(document, context), exit: document.state === 'warned' ? 3 : 0 };
}

function toDocument(result: BackupResult): RepoBackupDocument {
  const [saved] = result.snapshots;
  if (saved === undefined) throw new Error('a backup that was committed names no snapshot');
  return {
    state: result.problems.length > 0 ? 'warned' : 'succeeded',
    snapshot: saved.id,
    tree: saved.tree,
    files: result.files,
    directories: result.directories,
    bytesProcessed: result.bytesProcessed,
    bytesRead: result.bytesRead,
    bytesStored: result.bytesStored,
    dataBlobs: result.dataBlobs,
    treeBlobs: result.treeBlobs,
    problems: result.problems.map(toProblem),
  };
}

function render(document: RepoBackupDocument, { terminal }: CommandContext): string {
  const { bytesProcessed, bytesRead, bytesStored, dataBlobs, treeBlobs } = document;
  return [
    line('Files:', document.files),
    line('Directories:', document.directories),
    `${'Read:'.padEnd(13)}${readableBytes(bytesRead)} of ${readableBytes(bytesProcessed)}`,
    `${'Stored:'.padEnd(13)}${readableBytes(bytesStored)} in ${counted(dataBlobs + treeBlobs, 'new blob')}`,
    `Snapshot ${terminal.output.bold(document.snapshot.slice(0, 8))} is saved.`,
    ...renderProblems(document.problems, terminal.output),
  ].join('\n');
}

function line(title: string, { new: added, changed, unmodified }: RepoBackupDocument['files']): string {
  return `${title.padEnd(13)}${readableCount(added)} new, ${readableCount(changed)} changed, ${readableCount(unmodified)} unmodified`;
}
