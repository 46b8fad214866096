import { stats } from '@salvor/engine';
import type { StatsMode } from '@salvor/engine';
import type { RepoStatsDocument } from '@salvor/contract';
import type { CommandContext, CommandResult } from '../command.ts';
import { counted, readableBytes } from '../readable.ts';
import { renderProblems } from '../render-problems.ts';
import { toFilter } from './repo-filter.ts';
import type { FilterFlags } from './repo-filter.ts';
import { openRepo, toProblem } from './repo.ts';

export async function repoStats(
  ids: readonly string[],
  flags: FilterFlags & { readonly mode: StatsMode },
  context: CommandContext,
): Promise<CommandResult> {
  const repository = await openRepo(flags, context);
  const { mode } = flags;
  const { problems, ...counts } = await stats(repository, {
    mode,
    filter: toFilter(flags, ids),
    signal: context.signal,
  });
  const document: RepoStatsDocument = { ...counts, problems: problems.map(toProblem) };
  return { document, text: render(document, context), exit: problems.length > 0 ? 3 : 0 };
}

function render(document: RepoStatsDocument, { terminal }: CommandContext): string {
  const { mode, bytes, plainBytes, files, blobs } = document;
  const size = readableBytes(bytes);
  const what = {
    'restore-size': `${counted(files, 'entry', 'entries')}, ${size} to restore`,
    'files-by-contents': `${counted(files, 'different content')}, ${size}`,
    'raw-data': `${counted(blobs, 'blob')}, ${size} stored, ${readableBytes(plainBytes)} before compression`,
    'blobs-per-file': `${counted(files, 'file')} of ${counted(blobs, 'blob')}, ${size}`,
  }[mode];
  const line = `${counted(document.snapshots, 'snapshot')}: ${what}`;
  return [line, ...renderProblems(document.problems, terminal.output)].join('\n');
}
