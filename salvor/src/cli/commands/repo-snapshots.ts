import { listSnapshots, matchesFilter } from '@salvor/engine';
import type { Snapshot } from '@salvor/engine';
import type { RepoSnapshot, RepoSnapshotsDocument } from '@salvor/contract';
import { SalvorError } from '../../errors.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import { counted, readableTime } from '../readable.ts';
import { renderProblems } from '../render-problems.ts';
import { renderTable } from '../table.ts';
import { toFilter, toSnapshot } from './repo-filter.ts';
import type { FilterFlags } from './repo-filter.ts';
import { findNamed } from './repo-named.ts';
import { openRepo, toProblem } from './repo.ts';

export type RepoSnapshotsFlags = FilterFlags & { readonly latest?: string };

export async function repoSnapshots(
  ids: readonly string[],
  flags: RepoSnapshotsFlags,
  context: CommandContext,
): Promise<CommandResult> {
  const latest = parseLatest(flags.latest);
  const repository = await openRepo(flags, context);
  const { signal } = context;
  const filter = toFilter(flags);
  const named: Snapshot[] = [];
  for (const id of ids) named.push(await findNamed(repository, id, flags, signal));
  const listed = ids.length > 0 ? { snapshots: named, problems: [] } : await listSnapshots(repository, { signal });
  const wanted = ids.length > 0 ? named : listed.snapshots.filter((snapshot) => matchesFilter(snapshot, filter));
  const document: RepoSnapshotsDocument = {
    snapshots: newestOfEach(wanted, latest).map(toSnapshot),
    problems: listed.problems.map(toProblem),
  };
  const isFiltered = listed.snapshots.length > 0;
  return { document, text: render(document, isFiltered, context), exit: document.problems.length > 0 ? 3 : 0 };
}

function parseLatest(text: string | undefined): number {
  if (text === undefined) return Infinity;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new SalvorError('usage', { problem: `--latest takes how many to show, not '${text}'` });
}

/** The newest of each host and paths, as restic counts them. */
function newestOfEach(snapshots: readonly Snapshot[], count: number): readonly Snapshot[] {
  const seen = new Map<string, number>();
  return snapshots
    .toReversed()
    .filter(({ hostname, paths }) => {
      const key = JSON.stringify([hostname, paths.toSorted()]);
      const before = seen.get(key) ?? 0;
      seen.set(key, before + 1);
      return before < count;
    })
    .toReversed();
}

function render(
  { snapshots, problems }: RepoSnapshotsDocument,
  isFiltered: boolean,
  { terminal }: CommandContext,
): string {
  const none = isFiltered
    ? 'No snapshot has this host, these tags and these paths.'
    : 'No snapshots yet. Make one with: salvor repo backup --repo DIR --password-file FILE PATH';
  const table = renderTable<RepoSnapshot>(
    snapshots,
    [
      { title: 'ID', value: ({ id }) => id.slice(0, 8) },
      { title: 'TIME', value: ({ time }) => readableTime(time) },
      { title: 'HOST', value: ({ hostname }) => hostname },
      { title: 'TAGS', value: ({ tags }) => tags.join(',') },
      { title: 'PATHS', value: ({ paths }) => paths.join(' ') },
    ],
    terminal.output,
  );
  const list = snapshots.length === 0 ? [none] : [table, terminal.output.dim(counted(snapshots.length, 'snapshot'))];
  return [...list, ...renderProblems(problems, terminal.output)].join('\n');
}
