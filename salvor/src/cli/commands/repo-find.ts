import { find, findBlobs } from '@salvor/engine';
import type { FindBlobsOptions, Problem, Repository } from '@salvor/engine';
import type { RepoFindDocument } from '@salvor/contract';
import { SalvorError } from '../../errors.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import { counted, readableBytes, readableTime } from '../readable.ts';
import { modeText } from '../render-entries.ts';
import { renderProblems } from '../render-problems.ts';
import { renderTable } from '../table.ts';
import { parseMoment } from './repo-moment.ts';
import { toLsEntry } from './repo-entry.ts';
import { toFilter } from './repo-filter.ts';
import type { FilterFlags } from './repo-filter.ts';
import { openRepo, toProblem } from './repo.ts';

type Flags = FilterFlags & {
  readonly snapshot?: readonly string[];
  readonly ignoreCase?: boolean;
  readonly oldest?: string;
  readonly newest?: string;
  readonly blob?: boolean;
  readonly tree?: boolean;
  readonly pack?: boolean;
  readonly long?: boolean;
};

/** Looks for names, or with --blob, --tree or --pack for what has these ids. */
export async function repoFind(
  wanted: readonly string[],
  flags: Flags,
  context: CommandContext,
): Promise<CommandResult> {
  const kind = kindOf(flags);
  const [oldest, newest] = [parseMoment('--oldest', flags.oldest), parseMoment('--newest', flags.newest)];
  const repository = await openRepo(flags, context);
  const filter = toFilter(flags, flags.snapshot);
  const { signal } = context;
  const document: RepoFindDocument =
    kind === null
      ? await findEntries(repository, {
          patterns: wanted,
          ignoreCase: flags.ignoreCase === true,
          ...(oldest === null ? {} : { oldest }),
          ...(newest === null ? {} : { newest }),
          filter,
          signal,
        })
      : await findIds(repository, { kind, ids: wanted, filter, signal });
  return { document, text: render(document, flags.long === true, context), exit: document.problems.length > 0 ? 3 : 0 };
}

function kindOf({ blob, tree, pack }: Flags): FindBlobsOptions['kind'] | null {
  const given = Object.entries({ blob, tree, pack }).filter(([, isGiven]) => isGiven === true);
  if (given.length > 1)
    throw new SalvorError('usage', { problem: 'only one of --blob, --tree and --pack can be given' });
  return (given[0]?.[0] as FindBlobsOptions['kind'] | undefined) ?? null;
}

async function findEntries(repository: Repository, options: Parameters<typeof find>[1]): Promise<RepoFindDocument> {
  const { found, problems } = await collect(find(repository, options));
  const entries = found.map(({ snapshot, path, entry }) => ({
    snapshot: snapshot.id,
    time: snapshot.time,
    ...toLsEntry(path, entry),
  }));
  return { entries, blobs: [], problems: problems.map(toProblem) };
}

async function findIds(repository: Repository, options: FindBlobsOptions): Promise<RepoFindDocument> {
  const { found, problems } = await collect(findBlobs(repository, options));
  const blobs = found.map(({ snapshot, ...rest }) => ({ snapshot: snapshot.id, time: snapshot.time, ...rest }));
  return { entries: [], blobs, problems: problems.map(toProblem) };
}

async function collect<Found>(
  running: AsyncGenerator<Found, readonly Problem[], undefined>,
): Promise<{ readonly found: readonly Found[]; readonly problems: readonly Problem[] }> {
  const found: Found[] = [];
  let step = await running.next();
  for (; step.done !== true; step = await running.next()) found.push(step.value);
  return { found, problems: step.value };
}

function render({ entries, blobs, problems }: RepoFindDocument, isLong: boolean, { terminal }: CommandContext): string {
  const paint = terminal.output;
  const inSnapshot = [
    { title: 'SNAPSHOT', value: ({ snapshot }: { snapshot: string }) => snapshot.slice(0, 8) },
    { title: 'TIME', value: ({ time }: { time: string }) => readableTime(time) },
  ];
  const parts: string[] = [];
  if (entries.length > 0) {
    const columns = [
      { title: 'MODE', value: (row: (typeof entries)[number]) => (isLong ? modeText(row) : '') },
      {
        title: 'SIZE',
        value: (row: (typeof entries)[number]) => (row.type === 'file' ? readableBytes(row.bytes) : ''),
      },
      { title: 'CHANGED', value: ({ mtime }: (typeof entries)[number]) => readableTime(mtime) },
      { title: 'PATH', value: ({ path, type }: (typeof entries)[number]) => (type === 'dir' ? `${path}/` : path) },
    ];
    parts.push(renderTable(entries, [...inSnapshot, ...columns], paint));
  }
  if (blobs.length > 0) {
    const columns = [
      { title: 'TYPE', value: ({ type }: (typeof blobs)[number]) => type },
      { title: 'BLOB', value: ({ id }: (typeof blobs)[number]) => id.slice(0, 12) },
      { title: 'PATH', value: ({ path }: (typeof blobs)[number]) => path },
    ];
    parts.push(renderTable(blobs, [...inSnapshot, ...columns], paint));
  }
  const count = entries.length + blobs.length;
  parts.push(count === 0 ? 'Nothing was found.' : paint.dim(counted(count, 'place')));
  return [...parts, ...renderProblems(problems, paint)].join('\n');
}
