import { versions } from '@salvor/engine';
import type { PathVersion, Snapshot } from '@salvor/engine';
import type { RepoVersionsDocument } from '@salvor/contract';
import type { CommandContext, CommandResult } from '../command.ts';
import { counted, escapeControl, readableBytes, readableTime } from '../readable.ts';
import { renderProblems } from '../render-problems.ts';
import { renderTable } from '../table.ts';
import { toLsEntry } from './repo-entry.ts';
import { toFilter } from './repo-filter.ts';
import type { FilterFlags } from './repo-filter.ts';
import { openRepo, toProblem } from './repo.ts';

export async function repoVersions(
  path: string,
  flags: Omit<FilterFlags, 'path'>,
  context: CommandContext,
): Promise<CommandResult> {
  const repository = await openRepo(flags, context);
  const found = await versions(repository, path, { filter: toFilter(flags), signal: context.signal });
  const document: RepoVersionsDocument = {
    path,
    versions: found.versions.map((version) => toVersion(path, version)),
    problems: found.problems.map(toProblem),
  };
  return { document, text: render(document, context), exit: document.problems.length > 0 ? 3 : 0 };
}

function toVersion(path: string, version: PathVersion): RepoVersionsDocument['versions'][number] {
  const { type, bytes, mode, mtime } = toLsEntry(path, version.entry);
  const seen = ({ id, time }: Snapshot): { snapshot: string; time: string } => ({ snapshot: id, time });
  return {
    content: version.content,
    type,
    bytes,
    mode,
    mtime,
    firstSeen: seen(version.firstSeen),
    lastSeen: seen(version.lastSeen),
    snapshots: version.snapshots.map(({ id }) => id),
  };
}

function render({ path, versions: found, problems }: RepoVersionsDocument, { terminal }: CommandContext): string {
  const paint = terminal.output;
  if (found.length === 0)
    return [`No snapshot has ${escapeControl(path)}.`, ...renderProblems(problems, paint)].join('\n');
  const table = renderTable(
    found,
    [
      { title: 'CONTENT', value: ({ content }) => content.slice(0, 8) },
      { title: 'SIZE', value: ({ bytes, type }) => (type === 'file' ? readableBytes(bytes) : type), align: 'right' },
      { title: 'CHANGED', value: ({ mtime }) => readableTime(mtime) },
      { title: 'FIRST SEEN', value: ({ firstSeen }) => seenAt(firstSeen) },
      { title: 'LAST SEEN', value: ({ lastSeen }) => seenAt(lastSeen) },
      { title: 'IN', value: ({ snapshots }) => counted(snapshots.length, 'snapshot') },
    ],
    paint,
  );
  return [table, paint.dim(counted(found.length, 'version')), ...renderProblems(problems, paint)].join('\n');
}

function seenAt({ snapshot, time }: { readonly snapshot: string; readonly time: string }): string {
  return `${readableTime(time)} (${snapshot.slice(0, 8)})`;
}
