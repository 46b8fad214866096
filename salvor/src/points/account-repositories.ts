/** The repositories of a host's accounts: opened when they are first asked for, made where they are missing, closed together. */
import { type Repository, testConnection } from '@salvor/engine';
import { hostname } from 'node:os';
import type { Problem } from '@salvor/contract';
import { SalvorError } from '../errors.ts';
import { codeOf } from '../lib/errno.ts';
import { type CopyFault, findCopyFault, problemOfLocal } from './copy-fault.ts';
import { ensureRecoveryAccess, ensureRecoveryKey } from './recovery-key.ts';
import {
  type CopyName,
  type OpenCopy,
  type RemoteWait,
  type RepositoryPlaces,
  copiesOf,
  ensureAccountRepository,
  hasRepository,
  keyFileOf,
  listMade,
  openAccountRepository,
  repositoryUrlOf,
} from './repositories.ts';
import { writeRecoveryKit } from './write-recovery-kit.ts';

export type EnsuredRepository = {
  readonly account: string;
  readonly copy: CopyName;
  readonly id: string;
  readonly created: boolean;
  readonly url: string;
  readonly keyFile: string;
};

export type EnsuredRepositories = {
  readonly repositories: readonly EnsuredRepository[];
  readonly problems: readonly Problem[];
};

/** Where a new point goes, and where it goes when that turns out to be damaged; null where there is no other copy. */
export type NewPointPlace = {
  readonly repository: Repository;
  readonly spare?: {
    readonly open: () => Promise<Repository>;
    /** The problem that the first one's fault is. */
    readonly tell: (fault: CopyFault) => Problem;
  } | null;
};

const AWAY: ReadonlySet<string> = new Set(['storage-unreachable', 'storage-stalled', 'storage-slow']);
const BELIEVED_AWAY_MS = 30_000;

export class AccountRepositories implements AsyncDisposable {
  readonly #places: RepositoryPlaces;
  readonly #waitOf: (account: string) => RemoteWait;
  readonly #opened = new Map<string, Promise<OpenCopy>>();
  /** What the remote place said when it did not answer, and when that was. */
  #away: { readonly error: unknown; readonly since: number } | null = null;

  /** `waitOf`: how fast an account's remote repository may be written and read. */
  constructor(places: RepositoryPlaces, waitOf: (account: string) => RemoteWait) {
    this.#places = places;
    this.#waitOf = waitOf;
  }

  async open(account: string, copy: CopyName = 'local'): Promise<Repository> {
    const name = `${copy} ${account}`;
    let opening = this.#opened.get(name);
    if (opening === undefined) {
      if (copy === 'remote') this.#requireNear();
      opening = openAccountRepository(this.#places, account, copy, this.#waitOf(account));
      this.#opened.set(name, opening);
      // A repository that could not be opened is tried again by the next call.
      opening.catch((error: unknown) => {
        this.#opened.delete(name);
        if (copy === 'remote' && AWAY.has(codeOf(error) ?? '')) this.#away = { error, since: performance.now() };
      });
    }
    return (await opening).repository;
  }

  /** All accounts' lie at one place: who waits is not made to wait for each. */
  #requireNear(): void {
    if (this.#away !== null && performance.now() - this.#away.since < BELIEVED_AWAY_MS) throw this.#away.error;
  }

  /**
   * Makes repositories and keys where they are missing, each with a second key that the recovery key opens. All are cut
   * alike: like the first that is there, else that is made. A remote place that can't be reached is a problem; the local ones are
   * made all the same. With `bearsLocal` what is wrong with one local repository is a problem too, and the others are made.
   */
  async ensure(
    accounts: readonly string[],
    { signal, bearsLocal = false }: { readonly signal?: AbortSignal | undefined; readonly bearsLocal?: boolean } = {},
  ): Promise<EnsuredRepositories> {
    const repositories: EnsuredRepository[] = [];
    const problems: Problem[] = [];
    let like = await this.#findLike(accounts);
    const recoveryKey = ensureRecoveryKey(this.#places.state);
    for (const copy of copiesOf(this.#places)) {
      for (const account of accounts) {
        signal?.throwIfAborted();
        try {
          const opened = await ensureAccountRepository(this.#places, account, copy, like, this.#waitOf(account));
          await this.#replace(`${copy} ${account}`, opened);
          like ??= opened.repository;
          await ensureRecoveryAccess(opened.repository, recoveryKey);
          repositories.push(this.#describe(account, copy, opened));
        } catch (error) {
          if (copy === 'local' && !bearsLocal) throw error;
          problems.push(problemOfPlace(error, repositoryUrlOf(this.#places, account, copy)));
          // The others lie at the same place: who waits is not made to wait for each.
          if (copy === 'remote') break;
        }
      }
    }
    return { repositories, problems };
  }

  /** One that is there, whose cuts a new one shares; null where none is. What is wrong with one is told where it is wanted. */
  async #findLike(accounts: readonly string[]): Promise<Repository | null> {
    for (const copy of copiesOf(this.#places))
      for (const { account } of listMade(this.#places, copy)) {
        if (copy === 'local' && !hasRepository(this.#places, account)) continue;
        try {
          return await this.open(account, copy);
        } catch (error) {
          // The others lie at the same place, and another try waits as long.
          if (copy === 'remote' || findCopyFault(error) === null) break;
        }
      }
    const first = accounts.find((account) => hasRepository(this.#places, account));
    return first === undefined ? null : await this.open(first).catch(() => null);
  }

  /** Makes an account's repository in one copy, cut like the one in the other, with a second key that the recovery key opens. */
  async makeLike(account: string, copy: CopyName): Promise<void> {
    const like = await this.open(account, copy === 'local' ? 'remote' : 'local');
    const opened = await ensureAccountRepository(this.#places, account, copy, like, this.#waitOf(account));
    await this.#replace(`${copy} ${account}`, opened);
    await ensureRecoveryAccess(opened.repository, ensureRecoveryKey(this.#places.state));
  }

  /**
   * Where a new point of an account goes: into its local repository, or, with a problem, into the remote one where that is
   * gone or can't be read. Throws what keeps the local one from being opened where the remote one can't be either.
   */
  async openForNew(account: string): Promise<NewPointPlace & { readonly problem: Problem | null }> {
    const hasSpare = this.isMade(account, 'remote');
    const tell = (fault: CopyFault): Problem =>
      problemOfLocal(fault, account, repositoryUrlOf(this.#places, account, 'local'));
    try {
      const repository = await this.open(account);
      await repository.index();
      return { repository, spare: hasSpare ? { open: () => this.open(account, 'remote'), tell } : null, problem: null };
    } catch (error) {
      const fault = findCopyFault(error);
      if (fault === null || !hasSpare) throw error;
      const repository = await this.open(account, 'remote').catch(() => {
        throw error;
      });
      return { repository, spare: null, problem: tell(fault) };
    }
  }

  /** In which copy a repository of an account is that was opened here. */
  async copyOf(account: string, { id }: Pick<Repository, 'id'>): Promise<CopyName> {
    const remote = await this.#opened.get(`remote ${account}`)?.catch(() => null);
    return remote?.repository.id === id ? 'remote' : 'local';
  }

  /** Whether this host has made or met it, at the place that the configuration names now. */
  isMade(account: string, copy: CopyName): boolean {
    return (
      copiesOf(this.#places).includes(copy) && listMade(this.#places, copy).some((made) => made.account === account)
    );
  }

  /** Writes the page that brings the host back. Its path. */
  writeKit(repositories: readonly EnsuredRepository[], date: Date): string {
    const recoveryKey = ensureRecoveryKey(this.#places.state);
    return writeRecoveryKit(this.#places, { host: hostname(), date, recoveryKey, repositories });
  }

  /** Removes locks of dead processes, which stop other tools: taking one looks at all the others. */
  async unlock(account: string): Promise<void> {
    if (hasRepository(this.#places, account)) await (await this.open(account)).withLock('shared', async () => {});
  }

  /** Writes a file of a moment into an account's repository, reads it back and removes it. Throws `place-unusable`. */
  async tryPlace(account: string, copy: CopyName): Promise<void> {
    const { storage, location } = await this.open(account, copy);
    const verdict = await testConnection(storage.uncached ?? storage);
    if (!verdict.isUsable)
      throw new SalvorError('place-unusable', { place: location, step: verdict.step, why: verdict.message });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const opened = [...this.#opened.values()];
    this.#opened.clear();
    for (const each of await Promise.allSettled(opened))
      if (each.status === 'fulfilled') await each.value[Symbol.asyncDispose]();
  }

  #describe(
    account: string,
    copy: CopyName,
    { repository, created }: OpenCopy & { readonly created: boolean },
  ): EnsuredRepository {
    const url = repositoryUrlOf(this.#places, account, copy);
    return { account, copy, id: repository.id, created, url, keyFile: keyFileOf(this.#places, account, copy) };
  }

  async #replace(name: string, opened: OpenCopy): Promise<void> {
    const before = this.#opened.get(name);
    this.#opened.set(name, Promise.resolve(opened));
    if (before !== undefined) await (await before)[Symbol.asyncDispose]();
  }
}

/** What is wrong with a place. */
export function problemOfPlace(error: unknown, url: string): Problem {
  const code = codeOf(error) ?? 'remote-failed';
  return { code, path: url, message: error instanceof Error ? error.message : String(error) };
}
