/**
 * Repositories of this host that are gone, made again out of the account's other copy: a disk that died, a directory that was
 * deleted. By hand and not by the night: nobody but a person knows that a disk is gone and not only not mounted.
 *
 *   each account and copy: gone, or not brought back to its end? → mark → begun anew, cut as the other → all points over
 *   → known as this host's again → mark away
 *
 * Killed in between, the mark says what is to be gone on with. Nothing is removed from the other copy.
 */
import { existsSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Problem, RecoverCopiesDocument } from '@salvor/contract';
import { SalvorError } from '../errors.ts';
import { codeOf } from '../lib/errno.ts';
import { makeDirectories } from '../lib/make-directories.ts';
import { writeDurably } from '../lib/write-durably.ts';
import type { HostPoints } from '../points/host-points.ts';
import {
  type CopyName,
  type RepositoryPlaces,
  copiesOf,
  forgetMadeRepository,
  listMade,
} from '../points/repositories.ts';
import { bringOver } from '../tasks/bring-over.ts';
import { asProblem } from './recover-account.ts';

export type RecoverCopiesWanted = {
  /** Null for all. */
  readonly account: string | null;
  readonly workers: number;
  readonly clock: () => Date;
  readonly signal: AbortSignal;
  readonly onStep: (step: string) => void;
};

/** Throws `account-unknown`, and `remote-unnamed` where there is one copy. */
export async function recoverCopies(
  places: RepositoryPlaces,
  points: HostPoints,
  wanted: RecoverCopiesWanted,
): Promise<RecoverCopiesDocument> {
  if (places.remote === null) throw new SalvorError('remote-unnamed', {});
  const made = copiesOf(places).flatMap((copy) => listMade(places, copy));
  const meant = made.filter(({ account }) => wanted.account === null || account === wanted.account);
  if (wanted.account !== null && meant.length === 0)
    throw new SalvorError('account-unknown', { account: wanted.account });
  const problems: Problem[] = [];
  const copies: RecoverCopiesDocument['copies'][number][] = [];
  for (const { account, copy, url } of meant) {
    wanted.signal.throwIfAborted();
    try {
      if (!(await isToBring(places, points, account, copy))) continue;
      copies.push({ account, copy, url, snapshots: await bringBack(places, points, { account, copy, url }, wanted) });
    } catch (error) {
      wanted.signal.throwIfAborted();
      problems.push(asProblem(error, url));
    }
  }
  const state = problems.length === 0 ? 'succeeded' : copies.length === 0 ? 'failed' : 'warned';
  return { state, copies, problems };
}

/** What is there and can't be opened is not gone: it stays as it is, and what it says is thrown. */
async function isToBring(
  places: RepositoryPlaces,
  points: HostPoints,
  account: string,
  copy: CopyName,
): Promise<boolean> {
  try {
    await points.repositories.open(account, copy);
    return existsSync(markOf(places, account, copy));
  } catch (error) {
    if (codeOf(error) === 'repository-missing') return true;
    throw error;
  }
}

/** How many snapshots came over. */
async function bringBack(
  places: RepositoryPlaces,
  points: HostPoints,
  { account, copy, url }: { readonly account: string; readonly copy: CopyName; readonly url: string },
  { workers, clock, signal, onStep }: RecoverCopiesWanted,
): Promise<number> {
  const other: CopyName = copy === 'local' ? 'remote' : 'local';
  // What can't be read there is told before anything is begun here.
  const from = await points.repositories.open(account, other);
  const mark = markOf(places, account, copy);
  if (!existsSync(mark)) {
    makeDirectories(dirname(mark), 0o700);
    writeDurably(mark, `${url}\n`, 0o600);
    forgetMadeRepository(places, account, copy);
  }
  onStep(`make ${url}`);
  await points.repositories.makeLike(account, copy);
  const to = await points.repositories.open(account, copy);
  const onProgress = (blobs: number): void => onStep(`points of ${account}: ${blobs} pieces`);
  const count = await bringOver(from, to, { isWanted: () => true, workers, signal, onProgress });
  await points.adoptMade(account, copy, { points: await points.madeTags(account, other), now: clock() });
  await points.listCopy(account, copy);
  rmSync(mark, { force: true });
  return count;
}

function markOf({ state }: RepositoryPlaces, account: string, copy: CopyName): string {
  return join(state, 'bringing-back', copy, account);
}
