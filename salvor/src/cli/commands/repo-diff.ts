import { diff, findSnapshot } from '@salvor/engine';
import type { DiffCounts, DiffSide, Repository } from '@salvor/engine';
import type { RepoDiffDocument } from '@salvor/contract';
import type { CommandContext, CommandResult } from '../command.ts';
import { counted, escapeControl, readableBytes } from '../readable.ts';
import { openRepo } from './repo.ts';
import type { RepoFlags } from './repo.ts';

/** Each side is a snapshot, or with `ID:/DIR` a directory of one. */
export async function repoDiff(
  from: string,
  to: string,
  flags: RepoFlags & { readonly metadata?: boolean },
  context: CommandContext,
): Promise<CommandResult> {
  const repository = await openRepo(flags, context);
  const [first, second] = [await findSide(repository, from), await findSide(repository, to)];
  const { signal } = context;
  const running = diff(repository, first, second, { metadata: flags.metadata === true, statistics: true, signal });
  const changes: RepoDiffDocument['changes'][number][] = [];
  let step = await running.next();
  for (; step.done !== true; step = await running.next()) changes.push(step.value);
  const { changedFiles, added, removed } = step.value;
  const document: RepoDiffDocument = {
    from: first.snapshot.id,
    to: second.snapshot.id,
    changes,
    changedFiles,
    added: toCounts(added),
    removed: toCounts(removed),
  };
  return { document, text: render(document, context), exit: 0 };
}

async function findSide(repository: Repository, named: string): Promise<DiffSide> {
  const colon = named.indexOf(':');
  if (colon === -1) return { snapshot: await findSnapshot(repository, named) };
  return { snapshot: await findSnapshot(repository, named.slice(0, colon)), path: named.slice(colon + 1) };
}

function toCounts({ dirs: directories, ...rest }: Readonly<DiffCounts>): RepoDiffDocument['added'] {
  return { directories, ...rest };
}

function render({ changes, changedFiles, added, removed }: RepoDiffDocument, { terminal }: CommandContext): string {
  const { green, red, yellow } = terminal.output;
  const lines = changes.map(({ path, modifier }) => {
    const paint = modifier === '+' ? green : modifier === '-' ? red : yellow;
    return `${paint(modifier.padEnd(4))} ${escapeControl(path)}`;
  });
  return [
    ...lines,
    `${counted(changedFiles, 'file')} changed.`,
    `Added:   ${counts(added)}`,
    `Removed: ${counts(removed)}`,
  ].join('\n');
}

function counts({ files, directories, others, dataBlobs, treeBlobs, bytes }: RepoDiffDocument['added']): string {
  const entries = [counted(files, 'file'), counted(directories, 'directory', 'directories'), counted(others, 'other')];
  return `${entries.join(', ')}; ${counted(dataBlobs + treeBlobs, 'blob')} of ${readableBytes(bytes)}`;
}
