/**
 * From the address of a repository to its storage, with what the flags say of the way there: log-in, limits, a cache.
 * What is opened is closed when the command has ended.
 */
import { existsSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { openLocalStorage, openStorage, parseStorageUrl } from '@salvor/engine';
import type { SshLogin, Storage, StorageLimits, StorageRetry } from '@salvor/engine';
import { SalvorError } from '../../errors.ts';
import type { CommandContext } from '../command.ts';
import { escapeControl, readableSeconds } from '../readable.ts';

export type StorageFlags = {
  /** KiB per second, as restic takes them. */
  readonly limitUpload?: string;
  readonly limitDownload?: string;
  readonly cacheDir?: string;
  /** False with `--no-cache`. */
  readonly cache?: boolean;
  readonly identityFile?: string;
  readonly knownHosts?: string;
};

/** A wrong address is told after this; a server that answered once is waited for longer. */
const FIRST_RETRY_LIMIT_MS = 10_000;
/** In the order in which OpenSSH prefers them. */
const IDENTITIES = ['id_ed25519', 'id_ecdsa', 'id_rsa'] as const;

/** Opens the storage at an address. Throws `storage-url` of the engine, `usage`. */
export function openStorageAt(
  url: string,
  flags: StorageFlags,
  context: CommandContext,
  retry: { readonly limitMs?: number } = {},
): Storage {
  const address = parseStorageUrl(url);
  const limits = limitsOf(flags);
  if (address.kind === 'local') {
    const path = resolve(address.path);
    // Copies of what lies on a disk of this machine are made only where somebody asks for them.
    if (limits === undefined && flags.cacheDir === undefined) return openLocalStorage(path);
    return context.opened.use(openStorage(path, { limits, cache: cacheOf(flags, null), clock: context.clock }));
  }
  return context.opened.use(
    openStorage(url, {
      ssh: loginOf(flags, address.host),
      limits,
      retryLimitMs: retry.limitMs,
      firstRetryLimitMs: FIRST_RETRY_LIMIT_MS,
      onRetry: (each) => tellRetry(each, context),
      cache: cacheOf(flags, join(homedir(), '.cache/salvor')),
      clock: context.clock,
    }),
  );
}

function loginOf({ identityFile, knownHosts }: StorageFlags, host: string): SshLogin {
  const home = join(homedir(), '.ssh');
  const found = IDENTITIES.map((name) => join(home, name)).find((path) => existsSync(path));
  const privateKeyFile = identityFile ?? found;
  if (privateKeyFile === undefined) {
    throw new SalvorError('usage', {
      problem: `there is no key to log in to ${host} with: name its file with --identity-file, or make one in ${home}`,
    });
  }
  return {
    user: userInfo().username,
    privateKeyFile,
    trust: { knownHostsFile: knownHosts ?? join(home, 'known_hosts') },
  };
}

function limitsOf({ limitUpload, limitDownload }: StorageFlags): StorageLimits | undefined {
  if (limitUpload === undefined && limitDownload === undefined) return undefined;
  return {
    uploadBytesPerSecond: rateOf(limitUpload, '--limit-upload'),
    downloadBytesPerSecond: rateOf(limitDownload, '--limit-download'),
  };
}

/** As in restic 0 is no limit. */
function rateOf(text: string | undefined, flag: string): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text)) {
    throw new SalvorError('usage', { problem: `${flag} takes whole KiB per second, not '${text}'` });
  }
  return text === '0' ? undefined : Number(text) * 1024;
}

function cacheOf({ cache, cacheDir }: StorageFlags, usual: string | null): { directory: string } | undefined {
  if (cache === false) {
    if (cacheDir !== undefined)
      throw new SalvorError('usage', { problem: '--cache-dir and --no-cache exclude each other' });
    return undefined;
  }
  const directory = cacheDir ?? usual;
  return directory === null ? undefined : { directory: resolve(directory) };
}

/** Who waits should know for what. */
function tellRetry({ error, waitMs }: StorageRetry, { terminal }: CommandContext): void {
  const line = `salvor: ${error.message} Trying again in ${readableSeconds(waitMs / 1000)}.`;
  terminal.stderr.write(`${terminal.messages.yellow(escapeControl(line))}\n`);
}
