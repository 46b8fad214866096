import { listSnapshots } from '@salvor/engine';
import type { RepoSnapshot, RepoSnapshotsDocument } from '@salvor/contract';
import type { CommandContext, CommandResult } from '../command.ts';
import { counted, readableTime } from '../readable.ts';
import { renderProblems } from '../render-problems.ts';
import { renderTable } from '../table.ts';
import { openRepo, toProblem } from './repo.ts';
import type { RepoFlags } from './repo.ts';

type Flags = RepoFlags & { readonly tag?: readonly string[]; readonly host?: string };

export async function repoSnapshots(flags: Flags, context: CommandContext): Promise<CommandResult> {
  const repository = await openRepo(flags, context);
  const listed = await listSnapshots(repository, {
    ...(flags.tag === undefined ? {} : { tags: flags.tag }),
    ...(flags.host === undefined ? {} : { host: flags.host }),
    signal: context.signal,
  });
  const document: RepoSnapshotsDocument = {
    snapshots: listed.snapshots.map(({ id, time, tree, paths, hostname, username, tags, parent }) => ({
      id,
      time,
      tree,
      paths,
      hostname,
      username,
      tags,
      parent: parent ?? null,
    })),
    problems: listed.problems.map(toProblem),
  };
  return { document, text: render(document, flags, context), exit: document.problems.length > 0 ? 3 : 0 };
}

function render({ snapshots, problems }: RepoSnapshotsDocument, flags: Flags, { terminal }: CommandContext): string {
  const isFiltered = flags.tag !== undefined || flags.host !== undefined;
  const none = isFiltered
    ? 'No snapshot has these tags and this host.'
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
