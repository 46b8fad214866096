/** What says that one copy can't be read, and nothing of another one. */
import type { Problem } from '@salvor/contract';
import { EngineError, type EngineErrorCode } from '@salvor/engine';
import { SalvorError } from '../errors.ts';

export type CopyFault = { readonly code: string; readonly message: string };

/** Damaged, lost, closed to us, or away. */
const FAULTS: ReadonlySet<EngineErrorCode> = new Set([
  'blob-missing',
  'config-damaged',
  'index-damaged',
  'key-damaged',
  'pack-damaged',
  'repository-missing',
  'repository-version',
  'snapshot-damaged',
  'snapshot-unknown',
  'storage-failed',
  'storage-refused',
  'storage-slow',
  'storage-stalled',
  'storage-unreachable',
  'storage-unsuited',
  'storage-untrusted',
  'storage-url',
  'tree-damaged',
  'wrong-password',
]);
/** `point-unknown` is of a copy that was known to have it. */
const OWN_FAULTS: ReadonlySet<SalvorError['code']> = new Set([
  'key-unreadable',
  'point-unknown',
  'remote-login-missing',
  'repository-gone',
]);
/** No chain of ours is as long; one that bites its tail ends here. */
const MAX_CAUSES = 10;

/** The fault of a copy that an error tells of, by itself or by what it was caused by; null where it tells of something else. */
export function findCopyFault(error: unknown): (CopyFault & Error) | null {
  for (let at = error, depth = 0; at instanceof Error && depth < MAX_CAUSES; at = causeOf(at), depth++) {
    if (at instanceof EngineError && FAULTS.has(at.code)) return at;
    if (at instanceof SalvorError && OWN_FAULTS.has(at.code)) return at;
  }
  return null;
}

/** Of a disposal that failed behind it the body's failure is the cause. */
function causeOf(error: Error): unknown {
  return error instanceof SuppressedError ? (error.suppressed as unknown) : error.cause;
}

/** What it says, to stand within a sentence. */
export function sayFault(error: unknown): string {
  const isTold = typeof error === 'object' && error !== null && 'message' in error;
  return String(isTold ? error.message : error).replace(/\.$/, '');
}

/** Nothing can mend what can't be opened. */
const UNOPENED: ReadonlySet<string> = new Set(['config-damaged', 'key-damaged', 'key-unreadable', 'wrong-password']);

/** What is wrong with an account's local copy, and what to do. */
export function problemOfLocal(fault: CopyFault, account: string, path: string): Problem {
  const isGone = fault.code === 'repository-missing' || fault.code === 'repository-gone';
  const bring = `salvor recover --only copies --account ${account}`;
  const remedy = isGone
    ? `mount its disk, or bring it back with: ${bring}`
    : UNOPENED.has(fault.code)
      ? `put its key back, or move it away (mv ${path} ${path}.damaged) and bring it back with: ${bring}`
      : `mend it with: salvor repo heal --repo local --account ${account} --from-repo remote`;
  return {
    code: isGone ? 'local-copy-gone' : 'local-copy-damaged',
    path,
    message: `the local copy of ${account} can't be used (${sayFault(fault)}), and the remote one is; ${remedy}`,
  };
}
