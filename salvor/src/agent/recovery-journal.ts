/**
 * How far the recovery of a lost host has come: STATE/recovery.json, so that one that was killed goes on where it was. It says
 * which night each account is brought back to, so that all of it is of one, and what on this machine is the recovery's own doing.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeDirectories } from '../lib/make-directories.ts';
import { writeDurably } from '../lib/write-durably.ts';

export type RecoveryJournal = {
  readonly version: 1;
  readonly accounts: Readonly<Record<string, RecoveredAccount>>;
};

export type RecoveredAccount = {
  readonly point: string;
  /** By path of a home, or of a site that its home was recovered without: what was placed there is this directory. */
  readonly places: Readonly<Record<string, string>>;
  /** By URI: its databases were begun, or are in their places. */
  readonly sites: Readonly<Record<string, 'begun' | 'done'>>;
};

export class RecoveryJournalFile {
  readonly #file: string;
  #journal: RecoveryJournal;

  constructor(state: string) {
    this.#file = join(state, 'recovery.json');
    this.#journal = existsSync(this.#file)
      ? (JSON.parse(readFileSync(this.#file, 'utf8')) as RecoveryJournal)
      : { version: 1, accounts: {} };
  }

  of(account: string): RecoveredAccount | null {
    return this.#journal.accounts[account] ?? null;
  }

  /** On disk when it returns. What was begun with another night counts for nothing any more. */
  begin(account: string, point: string): void {
    if (this.of(account)?.point !== point) this.#write(account, { point, places: {}, sites: {} });
  }

  place(account: string, path: string, identity: string): void {
    const before = this.#require(account);
    this.#write(account, { ...before, places: { ...before.places, [path]: identity } });
  }

  site(account: string, uri: string, state: 'begun' | 'done'): void {
    const before = this.#require(account);
    this.#write(account, { ...before, sites: { ...before.sites, [uri]: state } });
  }

  #require(account: string): RecoveredAccount {
    const found = this.of(account);
    if (found === null) throw new Error(`the recovery of ${account} was not begun`);
    return found;
  }

  #write(account: string, recovered: RecoveredAccount): void {
    this.#journal = { ...this.#journal, accounts: { ...this.#journal.accounts, [account]: recovered } };
    makeDirectories(join(this.#file, '..'), 0o700);
    writeDurably(this.#file, `${JSON.stringify(this.#journal, null, 1)}\n`);
  }
}
