/**
 * Which share of a repository's data was read last, so that a night reads the next one: a night that was missed skips none. Kept
 * in STATE/checked-shares.json; what can't be read is begun anew, and all is read once more.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DataShare } from '@salvor/engine';
import { writeDurably } from '../lib/write-durably.ts';
import type { CopyName } from './repositories.ts';

export type CheckedShares = {
  /** From 1; null where none was. */
  readonly lastOf: (account: string, copy: CopyName) => number | null;
  readonly remember: (account: string, copy: CopyName, part: number) => void;
};

const DAY_MS = 86_400_000;

/** All data within the policy's time, an equal share each night: the one behind the `last` that was read. Pure. */
export function nextShare(checkAllMs: number, last: number | null): Extract<DataShare, { kind: 'part' }> {
  const of = Math.max(1, Math.floor(checkAllMs / DAY_MS));
  return { kind: 'part', part: ((last ?? 0) % of) + 1, of };
}

export function checkedSharesOf(state: string): CheckedShares {
  const file = join(state, 'checked-shares.json');
  return {
    lastOf: (account, copy) => {
      const part = readShares(file)[`${copy} ${account}`];
      return Number.isSafeInteger(part) && Number(part) > 0 ? Number(part) : null;
    },
    remember: (account, copy, part) =>
      writeDurably(file, `${JSON.stringify({ ...readShares(file), [`${copy} ${account}`]: part }, null, 1)}\n`),
  };
}

function readShares(file: string): Readonly<Record<string, unknown>> {
  try {
    const read: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return typeof read === 'object' && read !== null && !Array.isArray(read) ? { ...read } : {};
  } catch {
    return {};
  }
}
