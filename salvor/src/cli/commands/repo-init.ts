import { initRepository } from '@salvor/engine';
import type { RepoInitDocument } from '@salvor/contract';
import type { CommandContext, CommandResult } from '../command.ts';
import { escapeControl } from '../readable.ts';
import { findRepo, openStorage } from './repo.ts';
import type { RepoFlags } from './repo.ts';

export async function repoInit(flags: RepoFlags, context: CommandContext): Promise<CommandResult> {
  const { directory, secret } = findRepo(flags, context);
  const repository = await initRepository(openStorage(directory), secret);
  const document: RepoInitDocument = { id: repository.id, repository: directory, version: repository.version };
  return {
    document,
    text: `Created the repository ${document.id.slice(0, 10)} in ${escapeControl(directory)}.\nWithout its password nobody can read it: keep that somewhere else too.`,
    exit: 0,
  };
}
