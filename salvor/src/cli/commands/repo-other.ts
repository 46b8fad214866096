/** The second repository of verbs that need two: `--from-repo`, as restic names it. */
import type { Repository } from '@salvor/engine';
import type { CommandContext } from '../command.ts';
import { openRepo } from './repo.ts';
import type { RepoFlags } from './repo.ts';

export type OtherRepoFlags = RepoFlags & { readonly fromRepo: string; readonly fromPasswordFile: string };

/** Opens it. Throws what `openRepo` throws. */
export async function openOtherRepo(flags: OtherRepoFlags, context: CommandContext): Promise<Repository> {
  const { fromRepo, fromPasswordFile, account: _account, ...rest } = flags;
  return openRepo({ ...rest, repo: fromRepo, passwordFile: fromPasswordFile }, context);
}
