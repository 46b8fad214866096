/**
 * The repositories of a host: one per account and copy, each with a key of its own in STATE/keys and
 * STATE/remote-keys. All share one chunker polynomial, so that equal files are cut into equal blocks and copies between them are cheap.
 */
import { chmodSync, existsSync, lstatSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { homedir, userInfo } from 'node:os';
import {
  type Repository,
  type SshLogin,
  type Storage,
  generateKey,
  initRepository,
  openLocalStorage,
  openRepository,
  openStorage,
} from '@salvor/engine';
import { SalvorError } from '../errors.ts';
import { errnoOf } from '../lib/errno.ts';
import { writeDurably } from '../lib/write-durably.ts';
import { makeDirectories } from '../lib/make-directories.ts';

/** The two places in which each account has a repository. */
export type CopyName = 'local' | 'remote';

/** Where keys and repositories lie. */
export type RepositoryPlaces = {
  /** The agent's state directory. */
  readonly state: string;
  /** The directory of the local repositories: each account's is `<local>/<account>`. */
  readonly local: string;
  /** The address above the remote ones, and the log-in where it is another machine's; null where there are none. */
  readonly remote: {
    readonly url: string;
    readonly identityFile: string | null;
    readonly knownHosts: string | null;
  } | null;
};

/** How a remote storage is waited for; a local one is not. */
export type RemoteWait = {
  /** Until it has answered once: whoever waits at a terminal is told soon. */
  readonly firstRetryLimitMs?: number;
  readonly uploadBytesPerSecond?: number | null;
  readonly downloadBytesPerSecond?: number | null;
};

/** An open repository and the connection that it needs. */
export type OpenCopy = AsyncDisposable & { readonly repository: Repository };

/** In the order in which OpenSSH prefers them. */
const IDENTITIES = ['id_ed25519', 'id_ecdsa', 'id_rsa'] as const;
const FIRST_RETRY_LIMIT_MS = 10_000;

/** The copies that the configuration names. */
export function copiesOf({ remote }: Pick<RepositoryPlaces, 'remote'>): readonly CopyName[] {
  return remote === null ? ['local'] : ['local', 'remote'];
}

/** The address of an account's repository. Throws `remote-unnamed` where the configuration names no such place. */
export function repositoryUrlOf(places: RepositoryPlaces, account: string, copy: CopyName): string {
  if (copy === 'local') return join(places.local, account);
  if (places.remote === null) throw new SalvorError('remote-unnamed', {});
  return `${places.remote.url}/${account}`;
}

export function keyFileOf(places: RepositoryPlaces, account: string, copy: CopyName): string {
  return join(places.state, copy === 'local' ? 'keys' : 'remote-keys', account);
}

/** Throws the engine's `repository-missing`, `wrong-password` … and `key-unreadable`, `remote-unnamed`. */
export async function openAccountRepository(
  places: RepositoryPlaces,
  account: string,
  copy: CopyName,
  wait: RemoteWait = {},
): Promise<OpenCopy> {
  await using opening = new AsyncDisposableStack();
  const storage = openCopyStorage(places, account, copy, wait, opening);
  const repository = await openRepository(storage, { kind: 'key', text: readKey(places, account, copy) });
  return asOpenCopy(repository, opening.move());
}

/** Whether the account's local repository was made. Says nothing of its state. */
export function hasRepository(places: RepositoryPlaces, account: string): boolean {
  return existsSync(join(places.local, account, 'config'));
}

/**
 * Refuses to begin anew where a repository was made before: a disk that is not mounted would get an empty one in its place,
 * and the night would call that a copy.
 */
function requireNeverMade(places: RepositoryPlaces, account: string, copy: CopyName): void {
  const file = madeFileOf(places, account, copy);
  const url = repositoryUrlOf(places, account, copy);
  if (existsSync(file) && readFileSync(file, 'utf8').split('\n')[0] === url)
    throw new SalvorError('repository-gone', { account, url, file });
}

/** Since when this host has the account's local repository; null where it has none. */
export function repositorySince(places: RepositoryPlaces, account: string): Date | null {
  return statSync(madeFileOf(places, account, 'local'), { throwIfNoEntry: false })?.mtime ?? null;
}

/** Says that the account's repository was made, and where. */
function madeFileOf(places: RepositoryPlaces, account: string, copy: CopyName): string {
  return join(places.state, 'repositories', copy, account);
}

/** A repository that this host has made or met, as its state says. */
export type MadeRepository = {
  readonly account: string;
  readonly copy: CopyName;
  readonly url: string;
  readonly id: string;
};

/** Those at the place that the configuration names now; also of accounts whose home is gone. By account. */
export function listMade(places: RepositoryPlaces, copy: CopyName): readonly MadeRepository[] {
  const directory = join(places.state, 'repositories', copy);
  const names = existsSync(directory) ? readdirSync(directory).filter((name) => !name.endsWith('.new')) : [];
  return names.toSorted().flatMap((account) => {
    const [url = '', id = ''] = readFileSync(join(directory, account), 'utf8').split('\n');
    return url === repositoryUrlOf(places, account, copy) ? [{ account, copy, url, id }] : [];
  });
}

/** From now on one may be begun at its place: a person has said that it is gone. */
export function forgetMadeRepository(places: RepositoryPlaces, account: string, copy: CopyName): void {
  rmSync(madeFileOf(places, account, copy), { force: true });
}

/** Whether this host has an account's local repository, or had one in some copy: what it lost may be brought back. */
export function isKnownAccount(places: RepositoryPlaces, account: string): boolean {
  const isMade = copiesOf(places).some((copy) => listMade(places, copy).some((made) => made.account === account));
  return isMade || hasRepository(places, account);
}

/** Keeps that an account's repository is at its place: from now on an empty one is never begun there. */
export function rememberMade(places: RepositoryPlaces, account: string, copy: CopyName, { id }: Repository): void {
  const file = madeFileOf(places, account, copy);
  const text = `${repositoryUrlOf(places, account, copy)}\n${id}\n`;
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return;
  makeDirectories(dirname(file), 0o700);
  writeDurably(file, text, 0o600);
}

/**
 * Makes an account's repository where it is missing, cut like `like`. The key is on disk before the repository is: a
 * crash between the two leaves a key for the next try, never a repository that nobody can open.
 */
export async function ensureAccountRepository(
  places: RepositoryPlaces,
  account: string,
  copy: CopyName,
  like: Repository | null,
  wait: RemoteWait = {},
): Promise<OpenCopy & { readonly created: boolean }> {
  const keyFile = keyFileOf(places, account, copy);
  makeDirectories(dirname(keyFile), 0o700);
  chmodSync(dirname(keyFile), 0o700);
  const found = copy === 'local' ? await openLocalThere(places, account) : null;
  if (found !== null) return found;
  const hadKey = existsSync(keyFile);
  if (!hadKey) writeDurably(keyFile, `${generateKey()}\n`, 0o600);
  await using opening = new AsyncDisposableStack();
  const storage = openCopyStorage(places, account, copy, wait, opening);
  const secret = { kind: 'key', text: readKey(places, account, copy) } as const;
  // A remote place can be asked only by trying; a key that is older than this call may have its repository there.
  const isThere = copy === 'remote' && hadKey && (await storage.size({ kind: 'config', id: '' })) !== null;
  if (!isThere) {
    requireNeverMade(places, account, copy);
    if (copy === 'remote' && hadKey) await removeUnbornRemote(storage);
  }
  const repository = isThere
    ? await openRepository(storage, secret)
    : await initRepository(storage, secret, like === null ? {} : { polynomialOf: like });
  rememberMade(places, account, copy, repository);
  return { ...asOpenCopy(repository, opening.move()), created: !isThere };
}

/** Null where there is none, and one may be begun in its place. */
async function openLocalThere(
  places: RepositoryPlaces,
  account: string,
): Promise<(OpenCopy & { readonly created: boolean }) | null> {
  if (hasRepository(places, account)) {
    const found = await openAccountRepository(places, account, 'local');
    rememberMade(places, account, 'local', found.repository);
    return foundCopy(found);
  }
  requireNeverMade(places, account, 'local');
  makeDirectories(places.local, 0o700);
  removeUnborn(join(places.local, account));
  return null;
}

function foundCopy(found: OpenCopy): OpenCopy & { readonly created: boolean } {
  return { repository: found.repository, created: false, [Symbol.asyncDispose]: () => found[Symbol.asyncDispose]() };
}

function asOpenCopy(repository: Repository, opened: AsyncDisposableStack): OpenCopy {
  return { repository, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

/** Where an account's repository lies in a copy, whatever is there; closed with `opening`. Throws `remote-unnamed`, `remote-login-missing`. */
export function openCopyStorage(
  places: RepositoryPlaces,
  account: string,
  copy: CopyName,
  wait: RemoteWait,
  opening: AsyncDisposableStack,
): Storage {
  const url = repositoryUrlOf(places, account, copy);
  if (copy === 'local') return openLocalStorage(url);
  const { uploadBytesPerSecond, downloadBytesPerSecond, firstRetryLimitMs = FIRST_RETRY_LIMIT_MS } = wait;
  const isSlowed = typeof uploadBytesPerSecond === 'number' || typeof downloadBytesPerSecond === 'number';
  return opening.use(
    openStorage(url, {
      ...(url.startsWith('/') ? {} : { ssh: loginOf(places) }),
      firstRetryLimitMs,
      limits: isSlowed
        ? {
            uploadBytesPerSecond: uploadBytesPerSecond ?? undefined,
            downloadBytesPerSecond: downloadBytesPerSecond ?? undefined,
          }
        : undefined,
      ...(url.startsWith('/') ? {} : { cache: { directory: join(places.state, 'cache') } }),
    }),
  );
}

/** How to log in at the remote place. Throws `remote-login-missing`. */
export function loginOf({ remote }: Pick<RepositoryPlaces, 'remote'>): SshLogin {
  const home = join(homedir(), '.ssh');
  const found = IDENTITIES.map((name) => join(home, name)).find((path) => existsSync(path));
  const privateKeyFile = remote?.identityFile ?? found;
  if (privateKeyFile === undefined) throw new SalvorError('remote-login-missing', { directory: home });
  return {
    user: userInfo().username,
    privateKeyFile,
    trust: { knownHostsFile: remote?.knownHosts ?? join(home, 'known_hosts') },
  };
}

/**
 * A crash while a repository was made leaves one with a key and without a config. It is made again, if it is really
 * empty: where anything was ever stored, a missing config is damage, and the engine says so.
 */
function removeUnborn(path: string): void {
  const holdsNothing = ['snapshots', 'index', 'data'].every((name) => isWithoutFiles(join(path, name)));
  if (holdsNothing) rmSync(join(path, 'keys'), { recursive: true, force: true });
}

/** The same of a remote one, whose keys then are all that is there. */
async function removeUnbornRemote(storage: Storage): Promise<void> {
  for (const kind of ['snapshots', 'index', 'data'] as const) if ((await storage.list(kind)).length > 0) return;
  for (const { id } of await storage.list('keys')) await storage.remove({ kind: 'keys', id });
}

function isWithoutFiles(path: string): boolean {
  if (!existsSync(path)) return true;
  return readdirSync(path, { recursive: true, withFileTypes: true }).every((entry) => entry.isDirectory());
}

/** Of 64 hex digits. Throws `key-unreadable`. */
function readKey(places: RepositoryPlaces, account: string, copy: CopyName): string {
  return readKeyFile(keyFileOf(places, account, copy), account);
}

/** A key from a file that must be its owner's alone: 64 hex digits. Throws `key-unreadable`. */
export function readKeyFile(file: string, account: string): string {
  let text: string;
  try {
    if ((lstatSync(file).mode & 0o077) !== 0)
      throw new SalvorError('key-unreadable', { account, problem: `other users can read ${file}` });
    text = readFileSync(file, 'utf8').trim();
  } catch (cause) {
    if (cause instanceof SalvorError) throw cause;
    throw new SalvorError(
      'key-unreadable',
      { account, problem: `${file}: ${errnoOf(cause) ?? 'can not be read'}` },
      { cause },
    );
  }
  if (!/^[0-9a-f]{64}$/.test(text))
    throw new SalvorError('key-unreadable', { account, problem: `${file} holds no key` });
  return text;
}
