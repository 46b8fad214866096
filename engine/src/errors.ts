/**
 * Failures of the engine. Each code stands once in the catalogue, with what happened and what to do about it.
 * What is merely a fact about the source or the target (an unreadable file) is a `Problem` and is returned.
 */
import { constants } from 'node:os';

/** What a message is filled in with: paths, ids, counts, reasons. */
export type ErrorContext = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/** What is said of a code: `exit` is the exit code of a command, `retry` whether trying later can help. */
export type ErrorEntry = {
  readonly message: (context: ErrorContext) => string;
  readonly hint: string;
  readonly exit: 1 | 2;
  readonly retry: 'never' | 'later';
};

const text = (value: unknown): string => String(value);

/** Stable names of failures; each stands in docs/errors.md with what to do about it. */
export type EngineErrorCode =
  | 'blob-missing'
  | 'cancelled'
  | 'config-damaged'
  | 'index-damaged'
  | 'key-damaged'
  | 'key-in-use'
  | 'key-unknown'
  | 'lock-lost'
  | 'pack-damaged'
  | 'pack-unknown'
  | 'path-unknown'
  | 'pattern-invalid'
  | 'policy-empty'
  | 'policy-removes-all'
  | 'polynomial-differs'
  | 'repository-exists'
  | 'repository-locked'
  | 'repository-missing'
  | 'repository-version'
  | 'snapshot-ambiguous'
  | 'snapshot-damaged'
  | 'snapshot-unknown'
  | 'source-empty'
  | 'source-failed'
  | 'storage-failed'
  | 'storage-full'
  | 'storage-refused'
  | 'storage-slow'
  | 'storage-stalled'
  | 'storage-unreachable'
  | 'storage-unsuited'
  | 'storage-untrusted'
  | 'storage-url'
  | 'target-full'
  | 'target-not-empty'
  | 'target-failed'
  | 'tree-damaged'
  | 'worker-failed'
  | 'wrong-password';

/** Code → what is said of it. Alphabetical. */
export const ENGINE_ERRORS: Readonly<Record<EngineErrorCode, ErrorEntry>> = {
  'blob-missing': {
    message: (c) => `The repository lacks the ${text(c['type'])} blob ${text(c['blob'])}: no index lists it.`,
    hint: 'Check the repository (salvor repo check --read-data); take what is missing from the other copy.',
    exit: 1,
    retry: 'never',
  },
  cancelled: {
    message: () => 'Cancelled before it was done; nothing was committed.',
    hint: 'Run the same command again to do it.',
    exit: 1,
    retry: 'later',
  },
  'config-damaged': {
    message: (c) => `The repository's config file is damaged: ${text(c['reason'])}.`,
    hint: 'Only a byte-for-byte copy of this file mends it (a snapshot of the disk, a mirror of this place): another repository has keys of its own, and its config does not fit. Without one, make a new repository (salvor repo init --copy-chunker-params) and fill it from the other copy (salvor repo copy).',
    exit: 1,
    retry: 'never',
  },
  'index-damaged': {
    message: (c) => `The index file ${text(c['file'])} is damaged: ${text(c['reason'])}.`,
    hint: 'No data is lost by this: packs list their own blobs. Mend it with: salvor repo repair index',
    exit: 1,
    retry: 'never',
  },
  'key-damaged': {
    message: (c) => `The key file ${text(c['file'])} is damaged: ${text(c['reason'])}.`,
    hint: 'Use another password of this repository (the recovery key is one), then add this one again: salvor repo key add. A byte-for-byte copy of the key file, from a mirror of this very repository, mends it too; a key of another repository does not fit.',
    exit: 1,
    retry: 'never',
  },
  'key-in-use': {
    message: (c) => `The key ${text(c['key'])} is the one that this repository was opened with, so it stays.`,
    hint: 'Open the repository with another of its passwords to remove this key, or change its password.',
    exit: 1,
    retry: 'never',
  },
  'key-unknown': {
    message: (c) => `No single key is meant by ${text(c['key'])}: ${text(c['reason'])}.`,
    hint: 'List them with: salvor repo key list',
    exit: 1,
    retry: 'never',
  },
  'lock-lost': {
    message: (c) =>
      `The lock of this run at ${text(c['location'])} was taken away, so it stopped before it deleted more.`,
    hint: 'Nothing is lost: run it again. A lock goes when the machine slept for half an hour, or by "unlock".',
    exit: 1,
    retry: 'later',
  },
  'pack-damaged': {
    message: (c) => `The pack file ${text(c['file'])} is damaged: ${text(c['reason'])}.`,
    hint: 'Check the repository with --read-data to see how much is hit; take the pack from the other copy.',
    exit: 1,
    retry: 'never',
  },
  'pack-unknown': {
    message: (c) => `The repository has no pack file ${text(c['pack'])}, and lists none.`,
    hint: 'Give the whole id of a pack file, as salvor repo check names it. Nothing was changed.',
    exit: 1,
    retry: 'never',
  },
  'path-unknown': {
    message: (c) => `The snapshot ${text(c['snapshot'])} has no ${text(c['path'])}.`,
    hint: 'List what it has with: salvor ls',
    exit: 1,
    retry: 'never',
  },
  'pattern-invalid': {
    message: (c) => `'${text(c['pattern'])}' is no pattern: ${text(c['reason'])}.`,
    hint: 'Use * ? [a-z] within a name and ** for any directories; write a backslash before what is meant as it is.',
    exit: 2,
    retry: 'never',
  },
  'policy-empty': {
    message: () => 'The policy has no rule that keeps anything, so every snapshot would go.',
    hint: 'Name at least one rule, such as --keep-daily 7. Nothing was removed.',
    exit: 2,
    retry: 'never',
  },
  'policy-removes-all': {
    message: (c) => `The policy would remove all ${text(c['snapshots'])} snapshots of the group ${text(c['group'])}.`,
    hint: 'Look at the rules; where that is really meant, say so with --unsafe-allow-remove-all. Nothing was removed.',
    exit: 1,
    retry: 'never',
  },
  'polynomial-differs': {
    message: (c) => `The repositories ${text(c['repositories'])} cut files differently and can't be fed in one pass.`,
    hint: 'Create the second one like the first: salvor repo init --copy-chunker-params --from-repo FIRST',
    exit: 1,
    retry: 'never',
  },
  'repository-exists': {
    message: (c) => `There is a repository at ${text(c['location'])} already.`,
    hint: 'Open it, or choose another place. Nothing was changed.',
    exit: 1,
    retry: 'never',
  },
  'repository-locked': {
    message: (c) => `The repository is locked by ${text(c['holder'])}.`,
    hint: 'Wait until that is done; a lock that was not renewed for 30 minutes counts no more. If you know that nobody works there, remove it now with: salvor repo unlock --remove-all',
    exit: 1,
    retry: 'later',
  },
  'repository-missing': {
    message: (c) => `There is no repository at ${text(c['location'])}.`,
    hint: 'Look at the path; create one with: salvor repo init',
    exit: 1,
    retry: 'never',
  },
  'repository-version': {
    message: (c) => `The repository has format version ${text(c['version'])}, and ${text(c['reason'])}.`,
    hint: 'Upgrade it with "restic migrate upgrade_repo_v2", or use a newer Salvor.',
    exit: 1,
    retry: 'never',
  },
  'snapshot-ambiguous': {
    message: (c) => `More than one snapshot begins with ${text(c['snapshot'])}.`,
    hint: 'Give more characters of the id.',
    exit: 1,
    retry: 'never',
  },
  'snapshot-damaged': {
    message: (c) => `The snapshot file ${text(c['file'])} is damaged: ${text(c['reason'])}.`,
    hint: 'Take the file from the other copy, or use another snapshot.',
    exit: 1,
    retry: 'never',
  },
  'snapshot-unknown': {
    message: (c) => `The repository has no snapshot ${text(c['snapshot'])}.`,
    hint: 'List them with: salvor repo snapshots',
    exit: 1,
    retry: 'never',
  },
  'source-empty': {
    message: () =>
      'Nothing is left to back up: no snapshot was made, so that an empty one takes no place of a good one.',
    hint: 'Look at the paths and at what the exclude patterns leave out.',
    exit: 1,
    retry: 'never',
  },
  'source-failed': {
    message: (c) => `Reading ${text(c['path'])} failed, so no snapshot was made: ${text(c['reason'])}`,
    hint: 'Mend the cause and run the backup again; what was stored already is not stored twice.',
    exit: 1,
    retry: 'later',
  },
  'storage-failed': {
    message: (c) => `The storage at ${text(c['location'])} failed to ${text(c['action'])}: ${text(c['reason'])}.`,
    hint: 'Look at the disk and its mount, its rights, and the free space; then run the command again.',
    exit: 1,
    retry: 'later',
  },
  'storage-full': {
    message: (c) => `There is no space left at ${text(c['location'])}.`,
    hint: 'Make space there and run the command again. Committed snapshots are not touched by this.',
    exit: 1,
    retry: 'later',
  },
  'storage-refused': {
    message: (c) => `The storage at ${text(c['location'])} refused to ${text(c['action'])}: ${text(c['reason'])}.`,
    hint: 'Look at the user, its key or rights there, and at the owner and modes of the path.',
    exit: 1,
    retry: 'never',
  },
  'storage-slow': {
    message: (c) => `The storage at ${text(c['location'])} did not take a pack within ${text(c['seconds'])} seconds.`,
    hint: 'The other copies were written without it. It is caught up by copying what it lacks.',
    exit: 1,
    retry: 'later',
  },
  'storage-stalled': {
    message: (c) =>
      `The storage at ${text(c['location'])} made no progress for ${text(c['seconds'])} s while it was to ${text(c['action'])}.`,
    hint: 'Look at the network and at the server there; then run the command again.',
    exit: 1,
    retry: 'later',
  },
  'storage-unreachable': {
    message: (c) => `The storage at ${text(c['location'])} can't be reached: ${text(c['reason'])}.`,
    hint: 'Look at host name, port, network and firewall, and whether the server runs; then try again.',
    exit: 1,
    retry: 'later',
  },
  'storage-unsuited': {
    message: (c) => `The storage at ${text(c['location'])} lacks what a safe save needs: ${text(c['reason'])}.`,
    hint: 'Use a server that has it (OpenSSH does unless it was switched off), or another kind of storage.',
    exit: 1,
    retry: 'never',
  },
  'storage-untrusted': {
    message: (c) => `The host key of ${text(c['location'])} is not trusted: ${text(c['reason'])}.`,
    hint: "Compare the fingerprint with what the server's administrator says, then add it; a changed key may be an attack.",
    exit: 1,
    retry: 'never',
  },
  'storage-url': {
    message: (c) => `This is not the address of a storage: ${text(c['reason'])}.`,
    hint: 'Give a directory (/path) or sftp:user@host:/path; a password has no place in an address.',
    exit: 2,
    retry: 'never',
  },
  'target-full': {
    message: (c) => `There is no space left to write ${text(c['path'])}.`,
    hint: 'Make space or choose another target. What was written so far lies in the target.',
    exit: 1,
    retry: 'later',
  },
  'target-not-empty': {
    message: (c) => `The target ${text(c['path'])} is not an empty directory.`,
    hint: 'Choose a directory that is empty or does not exist yet. Nothing was written.',
    exit: 1,
    retry: 'never',
  },
  'target-failed': {
    message: (c) => `Writing into ${text(c['path'])} failed: ${text(c['reason'])}.`,
    hint: 'Look at the rights of the target and at the disk below it, then try again.',
    exit: 1,
    retry: 'later',
  },
  'tree-damaged': {
    message: (c) => `The directory listing ${text(c['blob'])} is damaged: ${text(c['reason'])}.`,
    hint: 'Check the repository with --read-data; take what is missing from the other copy.',
    exit: 1,
    retry: 'never',
  },
  'worker-failed': {
    message: (c) => `A worker thread of the engine ended: ${text(c['reason'])}.`,
    hint: 'Nothing was committed. Run the command again; if it repeats, report it with this message.',
    exit: 1,
    retry: 'later',
  },
  'wrong-password': {
    message: (c) => `No key of the repository at ${text(c['location'])} opens with this password.`,
    hint: 'Look at the password or the key file that was given.',
    exit: 1,
    retry: 'never',
  },
};

/** Thrown where an operation of the engine failed. Branch on `code`, never on the text. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
  readonly code: EngineErrorCode;
  readonly hint: string;
  readonly context: ErrorContext;
  readonly retry: 'never' | 'later';

  constructor(code: EngineErrorCode, context: ErrorContext = {}, options: { readonly cause?: unknown } = {}) {
    const entry: ErrorEntry = ENGINE_ERRORS[code];
    super(entry.message(context), options);
    this.code = code;
    this.hint = entry.hint;
    this.context = context;
    this.retry = entry.retry;
  }
}

/** A fact about one path that did not stop the run. */
export type Problem = { readonly code: string; readonly path: string; readonly message: string };

/** The text of whatever was thrown. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return systemCode(error) === 'EDQUOT' ? error.message.replace(UNNAMED, 'EDQUOT: disk quota exceeded') : error.message;
}

/** The system's error code (`ENOENT`), where there is one. */
export function systemCode(error: unknown): string {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return '';
  return 'errno' in error && error.errno === -constants.errno.EDQUOT ? 'EDQUOT' : error.code;
}

/** Node has neither a name nor words for a quota that is used up; what it says instead has two forms. */
const UNNAMED = /^UNKNOWN: unknown error|^Unknown system error -?\d+: Unknown system error -?\d+/;

/** Throws `cancelled` if the signal says so; called between steps, never between those of a commit. */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new EngineError('cancelled', {}, { cause: signal.reason });
}
