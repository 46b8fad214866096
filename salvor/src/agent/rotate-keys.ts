/**
 * New keys for the repositories of a host: of one account or of all, and on demand a new recovery key with a new kit. One
 * repository that can't be reached keeps its old key, which is a problem of its own; the recovery key changes everywhere or nowhere.
 */
import { hostname } from 'node:os';
import type { KeysRotateDocument, Problem } from '@salvor/contract';
import { SalvorError } from '../errors.ts';
import { codeOf } from '../lib/errno.ts';
import { type MadeRepository, type RepositoryPlaces, copiesOf, listMade } from '../points/repositories.ts';
import { rotateKey, rotateRecoveryKey } from '../points/rotate-keys.ts';
import { writeRecoveryKit } from '../points/write-recovery-kit.ts';

export type RotateWanted = {
  /** Null for all. */
  readonly account: string | null;
  /** The recovery key too. */
  readonly recovery: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly clock: () => Date;
  readonly onStep: (step: string) => void;
};

/** Throws `account-unknown`. */
export async function rotateHostKeys(places: RepositoryPlaces, wanted: RotateWanted): Promise<KeysRotateDocument> {
  const all = copiesOf(places).flatMap((copy) => listMade(places, copy));
  const meant = all.filter(({ account }) => wanted.account === null || account === wanted.account);
  if (wanted.account !== null && meant.length === 0)
    throw new SalvorError('account-unknown', { account: wanted.account });
  const problems: Problem[] = [];
  const attempt = async <T>(path: string, work: () => Promise<T>): Promise<T | null> => {
    try {
      return await work();
    } catch (error) {
      wanted.signal?.throwIfAborted();
      const message = error instanceof Error ? error.message : String(error);
      problems.push({ code: codeOf(error) ?? 'key-not-rotated', path, message });
      return null;
    }
  };
  const repositories: KeysRotateDocument['repositories'][number][] = [];
  for (const { account, copy, url } of meant) {
    wanted.signal?.throwIfAborted();
    wanted.onStep(`new key for ${url}`);
    const done = await attempt(url, async () => {
      await rotateKey(places, account, copy, wanted);
      return true;
    });
    repositories.push({ account, copy, url, rotated: done === true });
  }
  const recoveryKit = wanted.recovery ? await attempt(places.state, () => rotateRecovery(places, all, wanted)) : null;
  const isNothing = repositories.every(({ rotated }) => !rotated) && recoveryKit === null;
  const state = problems.length === 0 ? 'succeeded' : isNothing ? 'failed' : 'warned';
  return { state, repositories, recoveryKit, problems };
}

async function rotateRecovery(
  places: RepositoryPlaces,
  repositories: readonly MadeRepository[],
  { clock, signal, onStep }: RotateWanted,
): Promise<string> {
  onStep('new recovery key');
  return await rotateRecoveryKey(places, {
    accounts: repositories,
    signal,
    writeKit: (recoveryKey) => writeRecoveryKit(places, { host: hostname(), date: clock(), recoveryKey, repositories }),
  });
}
