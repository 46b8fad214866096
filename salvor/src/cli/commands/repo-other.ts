/** The second repository of verbs that need two: `--from-repo`, as restic names it. */
import type { Repository } from '@salvor/engine';
import { SalvorError } from '../../errors.ts';
import type { CommandContext } from '../command.ts';
import { openRepo } from './repo.ts';
import type { RepoFlags } from './repo.ts';

export type OtherRepoFlags = RepoFlags & { readonly fromRepo: string; readonly fromPasswordFile?: string };

/** Opens it: one of a place of its own, or with --account the account's other copy. Throws what `openRepo` throws, and `usage`. */
export async function openOtherRepo(flags: OtherRepoFlags, context: CommandContext): Promise<Repository> {
  const { fromRepo, fromPasswordFile: passwordFile, account, passwordFile: _own, ...rest } = flags;
  const isCopy = fromRepo === 'local' || fromRepo === 'remote';
  if (isCopy && account !== undefined && passwordFile === undefined)
    return openRepo({ ...rest, repo: fromRepo, account }, context);
  if (passwordFile === undefined)
    throw new SalvorError('usage', { problem: `${fromRepo} needs its password: --from-password-file FILE` });
  return openRepo({ ...rest, repo: fromRepo, passwordFile }, context);
}
