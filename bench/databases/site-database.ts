/**
 * A site's database that changes from day to day, on a real server. Owns what changes: rows at the end (`append`), a
 * run of neighbours (`clustered`) or rows all over the place (`spread`), in every table of any size.
 */
import { type Random } from '../../demo/random.ts';
import { literal, quoteName, tableStatements } from '../../demo/sql.ts';
import type { MariaDbServer } from '../../demo/mariadb-server.ts';
import type { Prose } from './prose.ts';
import { type SiteTable, siteTables } from './site-tables.ts';

export type Mix = 'append' | 'clustered' | 'spread';

/** Text that is sent to the server in one go. */
const MAX_BATCH_CHARS = 16 * 1024 * 1024;
/** Of the rows of each table, each day. */
const CHANGED_SHARE = 0.02;

export class SiteDatabase {
  readonly name: string;
  readonly #server: MariaDbServer;
  readonly #random: Random;
  readonly #prose: Prose;
  /** Rows of each table that were ever made. */
  readonly #rows = new Map<string, number>();

  constructor(server: MariaDbServer, name: string, random: Random, prose: Prose) {
    this.#server = server;
    this.name = name;
    this.#random = random;
    this.#prose = prose;
  }

  async fill(nodes: number): Promise<void> {
    await this.#server.query(`CREATE DATABASE ${quoteName(this.name)} CHARACTER SET utf8mb4`);
    await this.#send(
      this.#statements((table) => tableStatements({ ...table, rows: () => this.#newRows(table, nodes) })),
    );
  }

  /** What one day does to it. */
  async live(mix: Mix): Promise<void> {
    await this.#send(
      this.#statements((table) => {
        const rows = this.#rows.get(table.name) ?? 0;
        const count = Math.max(1, Math.round(rows * CHANGED_SHARE));
        switch (mix) {
          case 'append':
            return [...this.#appended(table, Math.ceil(count / 4))];
          case 'clustered': {
            const first = this.#random.between(1, rows - count + 1);
            return [this.#edited(table, `BETWEEN ${first} AND ${first + count - 1}`)];
          }
          case 'spread': {
            const chosen = new Set<number>();
            while (chosen.size < count) chosen.add(this.#random.between(1, rows));
            return [this.#edited(table, `IN (${[...chosen].join(',')})`)];
          }
          default:
            return mix satisfies never;
        }
      }),
    );
  }

  #edited(table: SiteTable, which: string): string {
    // Each row gets a text of its own.
    const words = literal(this.#prose.sentence(this.#random));
    const text = `CONCAT(SUBSTRING(MD5(${table.number} + ${this.#random.between(1, 1e6)}), 1, 8), ' ', ${words})`;
    return `UPDATE ${quoteName(table.name)} SET ${table.edit(text)} WHERE ${quoteName(table.number)} ${which};\n`;
  }

  *#appended(table: SiteTable, nodes: number): Generator<string> {
    const [, ...inserts] = tableStatements({ ...table, rows: () => this.#newRows(table, nodes) });
    yield* inserts;
  }

  *#newRows(table: SiteTable, nodes: number): Generator<ReturnType<SiteTable['row']>> {
    const first = (this.#rows.get(table.name) ?? 0) + 1;
    const last = first + nodes * table.perNode - 1;
    this.#rows.set(table.name, last);
    for (let number = first; number <= last; number++) yield table.row(number, this.#random, this.#prose);
  }

  *#statements(of: (table: SiteTable) => Iterable<string>): Generator<string> {
    for (const table of siteTables()) yield* of(table);
  }

  async #send(statements: Iterable<string>): Promise<void> {
    const head = `USE ${quoteName(this.name)}; SET NAMES utf8mb4; SET autocommit = 0;\n`;
    let batch = head;
    for (const statement of statements) {
      batch += statement;
      if (batch.length < MAX_BATCH_CHARS) continue;
      await this.#server.query(`${batch}COMMIT;`);
      batch = head;
    }
    await this.#server.query(`${batch}COMMIT;`);
  }
}
