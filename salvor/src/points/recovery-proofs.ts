/**
 * Whether the recovery key opens each repository, by trying it as a person with the printed kit would; what came of it is
 * kept in STATE/recovery-proofs.json, for whoever looks after the installation.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Problem } from '@salvor/contract';
import { codeOf } from '../lib/errno.ts';
import { writeDurably } from '../lib/write-durably.ts';
import { ensureRecoveryKey, openWithRecoveryKey } from './recovery-key.ts';
import { type CopyName, type RepositoryPlaces, copiesOf, openCopyStorage, repositoryUrlOf } from './repositories.ts';

export type RecoveryProof = {
  readonly account: string;
  readonly copy: CopyName;
  readonly url: string;
  /** When it was tried last, and when it opened last: RFC 3339. Null where it never did. */
  readonly tried: string;
  readonly proven: string | null;
  /** Why it did not open the last time. */
  readonly problem: Problem | null;
};

/** Tries the recovery key of this host on the repositories of these accounts, in all copies. Throws `key-unreadable`. */
export async function proveRecovery(
  places: RepositoryPlaces,
  accounts: readonly string[],
  { clock, signal }: { readonly clock: () => Date; readonly signal?: AbortSignal | undefined },
): Promise<readonly RecoveryProof[]> {
  const recoveryKey = ensureRecoveryKey(places.state);
  const before = readRecoveryProofs(places.state);
  const proofs: RecoveryProof[] = [];
  for (const copy of copiesOf(places)) {
    for (const account of accounts) {
      signal?.throwIfAborted();
      const url = repositoryUrlOf(places, account, copy);
      const known = before.find((proof) => proof.account === account && proof.url === url);
      const problem = await tryKey(places, account, copy, recoveryKey, signal);
      const tried = clock().toISOString();
      proofs.push({ account, copy, url, tried, proven: problem === null ? tried : (known?.proven ?? null), problem });
    }
  }
  const others = before.filter(({ account }) => !accounts.includes(account));
  writeDurably(fileOf(places.state), `${JSON.stringify([...others, ...proofs], null, 1)}\n`);
  return proofs;
}

/** What is known of the repositories: empty where nobody has tried yet. */
export function readRecoveryProofs(state: string): readonly RecoveryProof[] {
  const file = fileOf(state);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as RecoveryProof[]) : [];
}

function fileOf(state: string): string {
  return join(state, 'recovery-proofs.json');
}

async function tryKey(
  places: RepositoryPlaces,
  account: string,
  copy: CopyName,
  recoveryKey: string,
  signal: AbortSignal | undefined,
): Promise<Problem | null> {
  await using opening = new AsyncDisposableStack();
  try {
    const storage = openCopyStorage(places, account, copy, {}, opening);
    await openWithRecoveryKey(storage, recoveryKey, { signal });
    return null;
  } catch (error) {
    signal?.throwIfAborted();
    const message = error instanceof Error ? error.message : String(error);
    return { code: codeOf(error) ?? 'recovery-unproven', path: repositoryUrlOf(places, account, copy), message };
  }
}
