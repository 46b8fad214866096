/** More repositories for one pass of a backup: `--also-repo`, which restic does not have. */
import type { Repository } from '@salvor/engine';
import type { Problem } from '@salvor/contract';
import { SalvorError } from '../../errors.ts';
import type { CommandContext } from '../command.ts';
import { openRepo } from './repo.ts';
import type { RepoFlags } from './repo.ts';

export type AlsoFlags = RepoFlags & {
  readonly alsoRepo?: readonly string[];
  readonly alsoPasswordFile?: readonly string[];
};

/** One that is fed too, or why it can't be: a copy that is away keeps no backup from being made. */
export type AlsoRepo = { readonly url: string } & (
  | { readonly repository: Repository; readonly problem: null }
  | { readonly repository: null; readonly problem: Problem }
);

/** Opens those that can be opened. Throws `usage`, `password-file-unreadable`, `cancelled`. */
export async function openAlsoRepos(flags: AlsoFlags, context: CommandContext): Promise<readonly AlsoRepo[]> {
  const { alsoRepo: urls = [], alsoPasswordFile: files = [], account: _account, ...rest } = flags;
  if (files.length > 1 && files.length !== urls.length) {
    throw new SalvorError('usage', {
      problem: `${urls.length} × --also-repo and ${files.length} × --also-password-file: give one password file for each, or one for all`,
    });
  }
  const own = flags.passwordFile ?? context.environment.passwordFile ?? undefined;
  const opened: AlsoRepo[] = [];
  for (const [number, url] of urls.entries()) {
    const passwordFile = files[number] ?? files[0] ?? own;
    if (passwordFile === undefined) {
      throw new SalvorError('usage', { problem: `${url} needs its password: --also-password-file FILE` });
    }
    opened.push(await open({ ...rest, repo: url, passwordFile }, context));
  }
  return opened;
}

async function open(flags: RepoFlags & { readonly repo: string }, context: CommandContext): Promise<AlsoRepo> {
  try {
    return { url: flags.repo, repository: await openRepo(flags, context), problem: null };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    // What was typed wrong is told before anything is done.
    if (error instanceof SalvorError || code === '' || code === 'storage-url' || code === 'cancelled') throw error;
    const message = error instanceof Error ? error.message : String(error);
    return { url: flags.repo, repository: null, problem: { code, path: null, message } };
  }
}
