import { initRepository } from '@salvor/engine';
import type { Repository } from '@salvor/engine';
import type { RepoInitDocument } from '@salvor/contract';
import { SalvorError } from '../../errors.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import { escapeControl } from '../readable.ts';
import { openOtherRepo } from './repo-other.ts';
import { openStorageAt } from './repo-storage.ts';
import { findRepo } from './repo.ts';
import type { RepoFlags } from './repo.ts';

export type RepoInitFlags = RepoFlags & {
  readonly fromRepo?: string;
  readonly fromPasswordFile?: string;
  readonly copyChunkerParams?: boolean;
};

export async function repoInit(flags: RepoInitFlags, context: CommandContext): Promise<CommandResult> {
  const model = await openModel(flags, context);
  const { url, secret } = findRepo(flags, context);
  const repository = await initRepository(openStorageAt(url, flags, context), secret, {
    signal: context.signal,
    ...(model === null ? {} : { polynomialOf: model }),
  });
  const { id, location, version } = repository;
  const document: RepoInitDocument = { id, repository: location, version };
  return {
    document,
    text: `Created the repository ${id.slice(0, 10)} in ${escapeControl(location)}.\nWithout its password nobody can read it: keep that somewhere else too.`,
    exit: 0,
  };
}

/** The repository whose cuts the new one is to share. */
async function openModel(flags: RepoInitFlags, context: CommandContext): Promise<Repository | null> {
  const { copyChunkerParams: isCopy = false, fromRepo, fromPasswordFile } = flags;
  if (!isCopy && fromRepo === undefined && fromPasswordFile === undefined) return null;
  if (!isCopy || fromRepo === undefined || fromPasswordFile === undefined) {
    throw new SalvorError('usage', {
      problem: '--copy-chunker-params, --from-repo and --from-password-file belong together',
    });
  }
  return openOtherRepo({ ...flags, fromRepo, fromPasswordFile }, context);
}
