import { hostname, userInfo } from 'node:os';
import { resolve } from 'node:path';
import { backup, findSnapshot } from '@salvor/engine';
import type { BackupOptions, BackupResult, SourceEntry } from '@salvor/engine';
import type { Problem, RepoBackupDocument } from '@salvor/contract';
import { SalvorError } from '../../errors.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import type { Paint } from '../paint.ts';
import { ProgressLine } from '../progress-line.ts';
import { counted, escapeControl, readableBytes, readableCount } from '../readable.ts';
import { renderProblems } from '../render-problems.ts';
import { openAlsoRepos } from './repo-also.ts';
import type { AlsoFlags, AlsoRepo } from './repo-also.ts';
import { parseExcludes } from './repo-exclude.ts';
import type { ExcludeFlags } from './repo-exclude.ts';
import { toTagLists } from './repo-filter.ts';
import { parseMoment } from './repo-moment.ts';
import { pathsToBackUp } from './repo-paths.ts';
import type { PathFlags } from './repo-paths.ts';
import { sourceOfPaths } from './repo-source.ts';
import { openRepo, toProblem } from './repo.ts';

export type RepoBackupFlags = AlsoFlags &
  ExcludeFlags &
  PathFlags & {
    readonly tag?: readonly string[];
    readonly host?: string;
    readonly force?: boolean;
    readonly parent?: string;
    readonly time?: string;
    readonly stdin?: boolean;
    readonly stdinFilename?: string;
  };

/** One snapshot in each repository, the paths being read once. A copy that stays behind is a problem, no failure. */
export async function repoBackup(
  typed: readonly string[],
  flags: RepoBackupFlags,
  context: CommandContext,
): Promise<CommandResult> {
  const wanted = flags.stdin === true ? fromStdin(typed, flags, context) : fromPaths(typed, flags, context);
  const time = parseMoment('--time', flags.time) ?? context.clock();
  const repository = await openRepo(flags, context);
  const others = await openAlsoRepos(flags, context);
  const parent = flags.parent === undefined ? 'newest' : (await findSnapshot(repository, flags.parent)).id;
  using progress = new ProgressLine(context.terminal, context.clock);
  const result = await backup({
    ...wanted,
    repositories: [repository, ...others.flatMap((other) => other.repository ?? [])],
    host: flags.host ?? hostname(),
    username: userInfo().username,
    tags: toTagLists(flags.tag).flat(),
    time,
    parent: flags.force === true ? 'none' : parent,
    signal: context.signal,
    onProgress: progress.show,
  });
  const document = toDocument(result, others);
  progress.clear();
  return { document, text: render(document, context), exit: document.state === 'warned' ? 3 : 0 };
}

type Wanted = Pick<BackupOptions, 'source' | 'paths' | 'excludes'>;

function fromPaths(typed: readonly string[], flags: RepoBackupFlags, { environment }: CommandContext): Wanted {
  const paths = pathsToBackUp(typed, flags);
  const { rules, excludes } = parseExcludes(flags, environment);
  return {
    source: sourceOfPaths(paths, rules),
    paths: paths.map((path) => resolve(path)).toSorted(),
    excludes,
  };
}

/** One file of what comes in; its name may say in which directories it lies. */
function fromStdin(typed: readonly string[], flags: RepoBackupFlags, { terminal }: CommandContext): Wanted {
  if (typed.length > 0) throw new SalvorError('usage', { problem: '--stdin takes no paths' });
  const names = (flags.stdinFilename ?? 'stdin').split('/').filter((name) => !['', '.', '..'].includes(name));
  const last = names.pop();
  if (last === undefined) throw new SalvorError('usage', { problem: '--stdin-filename takes the name of a file' });
  const stream: SourceEntry = { kind: 'stream', name: last, open: () => terminal.stdin };
  const entry = names.reduceRight<SourceEntry>(
    (inner, name) => ({ kind: 'directory', name, entries: [inner] }),
    stream,
  );
  return { source: [entry], paths: [`/${[...names, last].join('/')}`] };
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
