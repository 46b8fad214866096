/**
 * One task per site at a time, over all processes of this host. A lock is a file in STATE/locks that names the
 * process that holds it; it falls with that process, so that a crash never leaves a site locked. Changes to the
 * directory are made one at a time under SQLite's own file lock, which the kernel lets go with the process.
 */
import { chmodSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SalvorError } from '../errors.ts';
import { type ProcessIdentity, identifyThisProcess, isAlive } from '../lib/process-identity.ts';
import { writeDurably } from '../lib/write-durably.ts';
import { makeDirectories } from '../lib/make-directories.ts';

export type LockHolder = ProcessIdentity & { readonly task: string };

export class Locks implements Disposable {
  readonly #directory: string;
  readonly #gate: DatabaseSync;

  constructor(stateDirectory: string) {
    this.#directory = join(stateDirectory, 'locks');
    makeDirectories(this.#directory, 0o700);
    chmodSync(this.#directory, 0o700);
    this.#gate = new DatabaseSync(join(this.#directory, 'gate.sqlite'), { timeout: MAX_GATE_WAIT_MS });
  }

  /** Takes the lock, or throws `site-busy` with the name of who has it. */
  lockSite(site: { readonly account: string; readonly uri: string }, task: string): Disposable {
    const name = `${site.account}--${encodeURIComponent(site.uri)}`;
    const holder = this.#take(name, task);
    if (holder !== null)
      throw new SalvorError('site-busy', {
        site: `${site.account}/${site.uri}`,
        task: holder.task,
        process: holder.pid,
      });
    return this.#held(name);
  }

  /** Takes the lock that recovery holds, or null where another process is recovering just now. */
  tryLockRecovery(): Disposable | null {
    return this.#take('recovery', 'recovery') === null ? this.#held('recovery') : null;
  }

  /** Takes the lock of the one process that serves this host, or throws `agent-running`. */
  lockAgent(): Disposable {
    const holder = this.#take('agent', 'agent');
    if (holder !== null) throw new SalvorError('agent-running', { process: holder.pid });
    return this.#held('agent');
  }

  /** The process that serves this host; null where none does. */
  findAgent(): LockHolder | null {
    const holder = readHolder(this.#path('agent'));
    return holder !== null && isAlive(holder) ? holder : null;
  }

  /** Whether a process served this host, or another one does now: what it left waiting is somebody's to do. */
  isServed({ pid, start }: ProcessIdentity): boolean {
    const holder = readHolder(this.#path('agent'));
    return holder !== null && (isAlive(holder) || (holder.pid === pid && holder.start === start));
  }

  [Symbol.dispose](): void {
    if (this.#gate.isOpen) this.#gate.close();
  }

  /** Null where it was taken, else who has it. */
  #take(name: string, task: string): LockHolder | null {
    return this.#oneAtATime(() => {
      const path = this.#path(name);
      const holder = readHolder(path);
      if (holder !== null && isAlive(holder)) return holder;
      writeDurably(path, JSON.stringify({ ...identifyThisProcess(), task } satisfies LockHolder));
      return null;
    });
  }

  #held(name: string): Disposable {
    let isHeld = true;
    return {
      [Symbol.dispose]: () => {
        if (!isHeld) return;
        isHeld = false;
        this.#oneAtATime(() => rmSync(this.#path(name), { force: true }));
      },
    };
  }

  /** Removes the files of locks whose holders are gone. They bind nobody; this keeps the directory readable. */
  sweep(): void {
    this.#oneAtATime(() => {
      for (const path of this.#listDead()) rmSync(path, { force: true });
    });
  }

  /** Whether a process that held a lock is gone without giving it up. */
  hasDead(): boolean {
    return this.#listDead().length > 0;
  }

  #listDead(): readonly string[] {
    return readdirSync(this.#directory)
      .filter((name) => /\.lock(\.new)?$/.test(name))
      .map((name) => join(this.#directory, name))
      .filter((path) => {
        const holder = readHolder(path);
        return holder === null || !isAlive(holder);
      });
  }

  #oneAtATime<T>(body: () => T): T {
    this.#gate.exec('BEGIN EXCLUSIVE');
    try {
      return body();
    } finally {
      this.#gate.exec('ROLLBACK');
    }
  }

  #path(name: string): string {
    return join(this.#directory, `${name}.lock`);
  }
}

/** The gate is held for the time of one file's fsync; with many commands at once on a slow disk that is seconds. */
const MAX_GATE_WAIT_MS = 30_000;

/** Null where there is no such file, or one that was cut off by a crash. */
function readHolder(path: string): LockHolder | null {
  try {
    const holder = JSON.parse(readFileSync(path, 'utf8')) as Partial<LockHolder>;
    if (typeof holder.pid !== 'number' || typeof holder.start !== 'string') return null;
    return { pid: holder.pid, start: holder.start, task: String(holder.task) };
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
