import { findSnapshot, openView } from '@salvor/engine';
import type { CommandContext } from '../command.ts';
import { writeBytes } from '../terminal.ts';
import { openRepo } from './repo.ts';
import type { RepoFlags } from './repo.ts';

/** Its output is the file's bytes as they are, also on a terminal; so it has no document. */
export async function repoDump(named: string, file: string, flags: RepoFlags, context: CommandContext): Promise<null> {
  const repository = await openRepo(flags, context);
  const view = await openView(repository, await findSnapshot(repository, named));
  await writeBytes(context.terminal.stdout, view.read(file), context.signal);
  return null;
}
