import { findSnapshot, openView } from '@salvor/engine';
import type { LsDocument, LsEntry } from '@salvor/contract';
import type { CommandContext, CommandResult } from '../command.ts';
import { renderEntries } from '../render-entries.ts';
import { toLsEntry } from './repo-entry.ts';
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
    document.push(toLsEntry(found.path, found.entry));
  }
  const text = document.length === 0 ? 'Nothing lies there.' : renderEntries(document, context.terminal.output);
  return { document: document satisfies LsDocument, text, exit: 0 };
}
