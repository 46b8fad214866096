import { findSnapshot, openView } from '@salvor/engine';
import type { ViewEntry } from '@salvor/engine';
import type { LsDocument, LsEntry } from '@salvor/contract';
import type { CommandContext, CommandResult } from '../command.ts';
import { renderEntries } from '../render-entries.ts';
import { openRepo } from './repo.ts';
import type { RepoFlags } from './repo.ts';

/** Everything below PATH, as restic lists it: depth first. */
export async function repoLs(
  named: string,
  path: string | undefined,
  flags: RepoFlags,
  context: CommandContext,
): Promise<CommandResult> {
  const repository = await openRepo(flags, context);
  const view = await openView(repository, await findSnapshot(repository, named));
  const document: LsEntry[] = [];
  for await (const found of view.walk(path ?? '/')) {
    context.signal.throwIfAborted();
    document.push(toEntry(found.path, found.entry));
  }
  const text = document.length === 0 ? 'Nothing lies there.' : renderEntries(document, context.terminal.output);
  return { document: document satisfies LsDocument, text, exit: 0 };
}

function toEntry(path: string, { type, size, mode, mtimeNs }: ViewEntry): LsEntry {
  return {
    path,
    type,
    bytes: size,
    mode: mode.toString(8).padStart(4, '0'),
    mtime: new Date(Number(mtimeNs / 1_000_000n)).toISOString(),
  };
}
