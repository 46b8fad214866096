/**
 * Visitors of a site: each asks and writes all the time, and knows which answers were right. One more holds a transaction
 * open for three seconds, again and again, in which it has read one table and written to another, which has a trigger.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type DatabaseConnection,
  type DatabaseLogin,
  openConnection,
} from '../../salvor/src/databases/mariadb/connect.ts';
import type { AwaySite } from './away-site.ts';

export type Visit = {
  /** The longest time in which a client got no right answer. */
  readonly awaySeconds: number;
  /** The longest time in which answers were wrong because files and rows were of different states. */
  readonly mixedSeconds: number;
  readonly answers: number;
  readonly failures: number;
  /** Writes that the server has acknowledged: `client number`. */
  readonly writes: ReadonlySet<string>;
};

const CLIENTS = 4;
const PAUSE_MS = 5;
const OPEN_MS = 3000;
/** Between two such transactions; a site that always has one open can't be switched by anybody. */
const REST_MS = 1500;

/** Visits the site while `work` runs, and a moment before and after. */
export async function visitDuring(away: AwaySite, work: () => Promise<unknown>): Promise<Visit> {
  const stop = new AbortController();
  const clients = Array.from({ length: CLIENTS }, (_, number) => new Client(away, number));
  const committed: string[] = [];
  const running = [...clients.map((client) => client.run(stop.signal)), holdTransactions(away, committed, stop.signal)];
  try {
    await sleep(500);
    await work();
    await sleep(500);
  } finally {
    stop.abort();
    await Promise.all(running);
  }
  return {
    awaySeconds: Math.max(...clients.map((client) => client.longestGapMs)) / 1000,
    mixedSeconds: Math.max(...clients.map((client) => client.longestMixMs)) / 1000,
    answers: clients.reduce((sum, client) => sum + client.answers, 0),
    failures: clients.reduce((sum, client) => sum + client.failures, 0),
    writes: new Set([...clients.flatMap((client) => client.writes), ...committed]),
  };
}

function loginOf({ host, site }: AwaySite): DatabaseLogin {
  return { address: { socket: host.mariadb.socket }, user: site.user, password: site.password };
}

class Client {
  answers = 0;
  failures = 0;
  longestGapMs = 0;
  longestMixMs = 0;
  readonly writes: string[] = [];
  readonly #away: AwaySite;
  readonly #number: number;
  #connection: DatabaseConnection | null = null;
  #rightAt = performance.now();
  #mixedSince: number | null = null;
  /** No number of an earlier round is used again: what is lost must not be found there. */
  #next = Date.now() * 1000;

  constructor(away: AwaySite, number: number) {
    this.#away = away;
    this.#number = number;
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#rightAt = performance.now();
    while (!signal.aborted) {
      try {
        await this.#ask();
      } catch {
        this.failures += 1;
        await this.#connection?.close().catch(() => undefined);
        this.#connection = null;
      }
      await sleep(PAUSE_MS);
    }
    this.#note(performance.now());
    await this.#connection?.close();
  }

  /**
   * A request: the file, the row, a write to a table that changes places, and one to a table that stays where few differ,
   * for which it has to be free. Right where file and row are of one state, and the writes went in.
   */
  async #ask(): Promise<void> {
    const { site } = this.#away;
    this.#connection ??= await openConnection(loginOf(this.#away), { database: site.database });
    const state = await readFile(join(site.path, 'files/state.txt'), 'utf8');
    const [row] = await this.#connection.query<{ state: string }>('SELECT state FROM bench_state WHERE id = 1');
    const number = this.#next++;
    await this.#connection.execute(insertWrite(this.#number, number));
    this.writes.push(`${this.#number} ${number}`);
    await this.#connection.execute('UPDATE bench_0 SET body = body WHERE id = 1');
    const now = performance.now();
    if (row?.state !== state) {
      this.#mixedSince ??= now;
      this.longestMixMs = Math.max(this.longestMixMs, now - this.#mixedSince);
      return;
    }
    if (this.#mixedSince !== null) this.longestMixMs = Math.max(this.longestMixMs, now - this.#mixedSince);
    this.#mixedSince = null;
    this.answers += 1;
    this.#note(now);
  }

  #note(now: number): void {
    this.longestGapMs = Math.max(this.longestGapMs, now - this.#rightAt);
    this.#rightAt = now;
  }
}

function insertWrite(client: number, number: number): string {
  return `INSERT INTO bench_writes (client, number) VALUES (${client}, ${number})`;
}

/** What it has written, and what was acknowledged, goes to `committed`. */
async function holdTransactions(away: AwaySite, committed: string[], signal: AbortSignal): Promise<void> {
  for (let number = Date.now() * 1000; !signal.aborted; number += 1) {
    try {
      await using connection = await openConnection(loginOf(away), { database: away.site.database });
      await connection.execute('START TRANSACTION');
      await connection.query('SELECT COUNT(*) FROM bench_state');
      await connection.execute(insertWrite(CLIENTS, number));
      await sleep(OPEN_MS, undefined, { signal });
      await connection.execute('COMMIT');
      committed.push(`${CLIENTS} ${number}`);
    } catch {
      // The table may be gone just now, or the time over.
    }
    await sleep(REST_MS, undefined, { signal }).catch(() => undefined);
  }
}
