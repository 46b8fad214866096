/**
 * What was done with rights that others do not have: STATE/audit.log, root's alone, one JSON document a line, and
 * never a secret, because there is no free text in it. Each destructive step, and each that acts in a home or on a
 * server as somebody else than the tenant, writes a line before it and one after it; a line is on disk when the step
 * goes on. A line `begun` without another of its number was cut off by a crash.
 *
 * Several commands of a host write to the same file, one line at a time under a lock that falls with its process. A
 * file that is full gets a number, older ones the next; the oldest goes.
 */
import {
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { lockFile } from '@salvor/engine/libc';
import { syncDirectory } from './write-durably.ts';
import { codeOf } from './errno.ts';
import { isThere } from './is-there.ts';

export type AuditAction =
  | 'cancel-task'
  | 'create-database'
  | 'drop-database'
  | 'load-dump'
  | 'rename-values'
  | 'remove-files'
  | 'restore-files'
  | 'write-archive'
  | 'remove-archive'
  | 'forget-point'
  | 'unpack-archive'
  | 'set-owners'
  | 'switch'
  | 'switch-back'
  | 'unpin-point'
  | 'write-files';

/** The lines around a step. What the step throws is thrown; where the first line can't be written it never begins. */
export type Audit = <T>(action: AuditAction, on: string, step: () => T | Promise<T>) => Promise<T>;

export type AuditLine = {
  readonly time: string;
  /** Of the host; both lines of a step have the same. */
  readonly step: string;
  readonly task: string | null;
  readonly who: string;
  readonly action: AuditAction;
  /** A path, or a database as `database NAME`. */
  readonly on: string;
  /** `begun`, `done`, or the code of what the step threw. */
  readonly result: string;
};

export type AuditOptions = {
  readonly clock: () => Date;
  /** Who asked for what is done: `nameCaller`. */
  readonly who: string;
  /** Bytes after which a new file is begun. */
  readonly maxBytes?: number;
};

/** Some thirty thousand lines; with the older ones a busy host's years. */
const MAX_FILE_BYTES = 8 * 1024 * 1024;
const MAX_OLDER_FILES = 9;
/** A path is no longer; what somebody makes up may be. */
const MAX_ON_CHARACTERS = 4096;

export class AuditLog {
  readonly #path: string;
  readonly #options: AuditOptions;
  #steps = 0;

  constructor(stateDirectory: string, options: AuditOptions) {
    this.#path = join(stateDirectory, 'audit.log');
    this.#options = options;
  }

  /** The lines of one task. */
  for(task: string | null): Audit {
    return async (action, on, step) => {
      const { who } = this.#options;
      const line = { step: `${process.pid}-${++this.#steps}`, task, who, action, on: on.slice(0, MAX_ON_CHARACTERS) };
      this.#append({ ...line, result: 'begun' });
      try {
        const value = await step();
        this.#appendAfter({ ...line, result: 'done' });
        return value;
      } catch (error) {
        this.#appendAfter({ ...line, result: codeOf(error) ?? 'failed' });
        throw error;
      }
    };
  }

  /** What was done was done: a disk that is full by now does not make it a failure. The first line stands. */
  #appendAfter(line: Omit<AuditLine, 'time'>): void {
    try {
      this.#append(line);
    } catch {
      // Said by the line that is missing.
    }
  }

  #append(line: Omit<AuditLine, 'time'>): void {
    const text = `${JSON.stringify({ time: this.#options.clock().toISOString(), ...line } satisfies AuditLine)}\n`;
    const fd = this.#openLocked(Buffer.byteLength(text));
    try {
      const bytes = Buffer.from(isTorn(fd) ? `\n${text}` : text);
      for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
      fdatasyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }

  /** The file that has the name now, locked: another process may have given it a number while we waited. */
  #openLocked(bytes: number): number {
    const flags = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;
    for (;;) {
      const fd = openSync(this.#path, flags, 0o600);
      try {
        lockFile(fd);
        const opened = fstatSync(fd, { bigint: true });
        if (lstatSync(this.#path, { bigint: true, throwIfNoEntry: false })?.ino === opened.ino) {
          if (opened.size === 0n) syncDirectory(dirname(this.#path));
          if (opened.size === 0n || Number(opened.size) + bytes <= (this.#options.maxBytes ?? MAX_FILE_BYTES))
            return fd;
          this.#rotate();
        }
      } catch (error) {
        closeSync(fd);
        throw error;
      }
      closeSync(fd);
    }
  }

  #rotate(): void {
    for (let number = MAX_OLDER_FILES - 1; number >= 1; number--) {
      const older = `${this.#path}.${number}`;
      if (isThere(older)) renameSync(older, `${this.#path}.${number + 1}`);
    }
    renameSync(this.#path, `${this.#path}.1`);
  }
}

/** Whether the last line was cut off by a crash: the next one must not become a part of it. */
function isTorn(fd: number): boolean {
  const { size } = fstatSync(fd);
  if (size === 0) return false;
  const last = Buffer.alloc(1);
  readSync(fd, last, 0, 1, size - 1);
  return last[0] !== 0x0a;
}

/** Never the message: it may hold what a tenant wrote. */
