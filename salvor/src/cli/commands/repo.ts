/**
 * How the `repo` verbs come to their repository. They and this file are the only ones of the command line that
 * know the engine; they know no sites.
 */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { openRepository } from '@salvor/engine';
import type { Problem as EngineProblem, Repository, Secret } from '@salvor/engine';
import type { Problem } from '@salvor/contract';
import { configPlaces, loadConfig } from '../../config.ts';
import { SalvorError } from '../../errors.ts';
import { errnoOf } from '../../lib/errno.ts';
import type { CommandContext } from '../command.ts';
import type { GlobalFlags } from '../verb.ts';
import { openStorageAt } from './repo-storage.ts';
import type { StorageFlags } from './repo-storage.ts';

/** How a repository is named: by place and password file, or as one of the configuration. */
export type RepoFlags = GlobalFlags &
  StorageFlags & {
    /** Where it is left out, `$RESTIC_REPOSITORY`. */
    readonly repo?: string;
    readonly passwordFile?: string;
    readonly account?: string;
    /** False with `--no-lock`, which only verbs have that only read. */
    readonly lock?: boolean;
  };

/** `login` is what the configuration says of the way to a remote one; flags go before it. */
export type RepoPlace = { readonly url: string; readonly secret: Secret; readonly login: StorageFlags };

/** A password is one line; what is longer was named by mistake. */
const MAX_PASSWORD_BYTES = 64 * 1024;

/** Where the repository lies and what opens it. Throws `usage`, `password-file-unreadable`, `remote-unnamed`. */
export function findRepo(flags: RepoFlags, context: CommandContext): RepoPlace {
  const url = findUrl(flags, context);
  if (flags.account !== undefined) return findConfiguredRepo(url, flags.account, context);
  const passwordFile = flags.passwordFile ?? context.environment.passwordFile;
  if (passwordFile === null) {
    throw new SalvorError('usage', {
      problem: 'the repository needs its password: --password-file FILE, or $RESTIC_PASSWORD_FILE',
    });
  }
  return { url, secret: { kind: 'password', text: readPassword(passwordFile) }, login: {} };
}

/** The place that is meant. Throws `usage` where none is named. */
export function findUrl({ repo }: Pick<RepoFlags, 'repo'>, { environment }: CommandContext): string {
  const url = repo ?? environment.repository;
  if (url === null)
    throw new SalvorError('usage', { problem: 'no repository is named: --repo URL, or $RESTIC_REPOSITORY' });
  return url;
}

/** Opens the repository. Throws the codes of the engine: `repository-missing`, `wrong-password` … */
export async function openRepo(flags: RepoFlags, context: CommandContext): Promise<Repository> {
  const { url, secret, login } = findRepo(flags, context);
  const storage = openStorageAt(url, { ...login, ...flags }, context);
  const repository = await openRepository(storage, secret, { signal: context.signal });
  return flags.lock === false ? repository.withoutLock() : repository;
}

/** A problem of the engine as the document has it. */
export function toProblem({ code, path, message }: EngineProblem): Problem {
  return { code, path, message };
}

function findConfiguredRepo(
  repo: string,
  account: string,
  context: CommandContext,
): RepoPlace & { login: StorageFlags } {
  if (repo !== 'remote' && repo !== 'local') {
    throw new SalvorError('usage', {
      problem: "with --account the repository is named '--repo local' or '--repo remote'",
    });
  }
  if (!/^[^/\0]+$/.test(account) || account === '.' || account === '..') {
    throw new SalvorError('usage', { problem: `'${account}' can't be the name of an account` });
  }
  const config = loadConfig(configPlaces(context.configFile, context.environment));
  const isRemote = repo === 'remote';
  if (isRemote && config.remote === null) throw new SalvorError('remote-unnamed', {});
  const text = readPassword(join(config.state, isRemote ? 'remote-keys' : 'keys', account));
  const { url, identityFile = null, knownHosts = null } = (isRemote ? config.remote : null) ?? { url: config.local };
  const login = { ...(identityFile && { identityFile }), ...(knownHosts && { knownHosts }) };
  return { url: `${url}/${account}`, secret: { kind: 'key', text }, login };
}

/** What the file holds without the spaces and line ends around it, as restic reads it. */
export function readPassword(file: string): string {
  let text: string;
  try {
    const stat = statSync(file);
    // A pipe (`<(…)`) has no size; it is read to its end.
    if (stat.isFile() && stat.size > MAX_PASSWORD_BYTES) {
      throw new SalvorError('password-file-unreadable', { file, reason: 'it is too long for one' });
    }
    text = readFileSync(file, 'utf8').trim();
  } catch (cause) {
    if (cause instanceof SalvorError) throw cause;
    throw new SalvorError('password-file-unreadable', { file, reason: errnoOf(cause) ?? 'it is no text' }, { cause });
  }
  if (text === '') throw new SalvorError('password-file-unreadable', { file, reason: 'it is empty' });
  return text;
}
