/**
 * Changes texts in every column of a database that can hold one, value by value, each handed to the caller as the bytes
 * that a page would have read. The same way looks only: what would change is then known before anything does.
 *
 *   columns → keys of the rows that hold the text → one row at a time: read, rewrite, write by its key
 *
 * One row is in memory at a time. Knows nothing of what the texts mean.
 */
import { type DatabaseConnection, type QueryValue, quoteName, quoteText, serverErrorNumber } from './connect.ts';
import type { DatabaseProblem } from './probe.ts';

export type RewriteOptions = {
  /** ASCII; only values that hold all pieces of one of these, in order, are looked at. */
  readonly needles: readonly (readonly string[])[];
  readonly tables: readonly string[];
  /** False to look only. */
  readonly apply: boolean;
  readonly rewrite: (value: Buffer) => {
    readonly value: Buffer;
    readonly replaced: number;
    readonly foreign: number;
    readonly isDamaged: boolean;
  };
  readonly signal?: AbortSignal;
};

/** What was found in one column. */
export type RewrittenColumn = {
  readonly table: string;
  readonly column: string;
  /** Values that change, and how often something in them does. */
  readonly values: number;
  readonly replaced: number;
  /** Places that hold the text and belong to somebody else. */
  readonly foreign: number;
  /** The first values before and after, around the first change. */
  readonly samples: readonly { readonly before: string; readonly after: string }[];
};

export type RewriteResult = {
  readonly columns: readonly RewrittenColumn[];
  readonly problems: readonly DatabaseProblem[];
};

type Column = { readonly name: string; readonly isBinary: boolean };
type Table = {
  readonly name: string;
  readonly key: readonly string[];
  readonly columns: readonly Column[];
  /** Times that the server would set at each change: nobody has changed the row. */
  readonly stamps: readonly string[];
};
type Found = { values: number; replaced: number; foreign: number; samples: { before: string; after: string }[] };

const KEYS_AT_A_TIME = 500;
const VALUES_AT_A_TIME = 20;
const MAX_SAMPLES = 3;
const SAMPLE_LETTERS = 60;
const ER_DUP_ENTRY = 1062;
const ER_DATA_TOO_LONG = 1406;
/** Data types that hold texts, and those of them that hold bytes. */
const TEXTS = ['char', 'varchar', 'tinytext', 'text', 'mediumtext', 'longtext', 'json'];
const BYTES = ['binary', 'varbinary', 'tinyblob', 'blob', 'mediumblob', 'longblob'];

/** Throws as `openConnection`'s session does. A row that can't be written is a problem and stays as it is. */
export async function rewriteValues(
  connection: DatabaseConnection,
  database: string,
  options: RewriteOptions,
): Promise<RewriteResult> {
  const columns: RewrittenColumn[] = [];
  const problems: DatabaseProblem[] = [];
  // What is too long for its column is an error then, and not cut.
  await connection.execute("SET SESSION sql_mode = 'STRICT_ALL_TABLES'");
  try {
    for (const table of await readTextTables(connection, database, options.tables)) {
      const work = new TableRewrite(connection, database, table, options, problems);
      columns.push(...(await work.run()));
    }
  } finally {
    await connection.execute("SET SESSION sql_mode = ''").catch(() => undefined);
  }
  return { columns, problems };
}

class TableRewrite {
  readonly #connection: DatabaseConnection;
  readonly #name: string;
  readonly #table: Table;
  readonly #options: RewriteOptions;
  readonly #problems: DatabaseProblem[];
  readonly #found = new Map<string, Found>();

  constructor(
    connection: DatabaseConnection,
    database: string,
    table: Table,
    options: RewriteOptions,
    problems: DatabaseProblem[],
  ) {
    this.#connection = connection;
    this.#name = quoteName(database, table.name);
    this.#table = table;
    this.#options = options;
    this.#problems = problems;
  }

  async run(): Promise<readonly RewrittenColumn[]> {
    if (this.#table.key.length > 0) await this.#byKey();
    else for (const column of this.#table.columns) await this.#byValue(column);
    return [...this.#found]
      .filter(([, { replaced, foreign }]) => replaced + foreign > 0)
      .map(([column, found]) => ({ table: this.#table.name, column, ...found }));
  }

  async #byKey(): Promise<void> {
    const { key, columns } = this.#table;
    const keyList = key.map((name) => quoteName(name)).join(', ');
    const holds = columns.map((column) => this.#holds(column)).join(' OR ');
    let last: readonly QueryValue[] | null = null;
    for (;;) {
      this.#options.signal?.throwIfAborted();
      const after = last === null ? '' : ` AND (${keyList}) > (${key.map(() => '?').join(', ')})`;
      const rows: readonly Record<string, QueryValue>[] = await this.#connection.query<Record<string, QueryValue>>(
        `SELECT ${key.map((name, n) => `${quoteName(name)} AS k${n}`).join(', ')} FROM ${this.#name}
         WHERE (${holds})${after} ORDER BY ${keyList} LIMIT ${KEYS_AT_A_TIME}`,
        last ?? [],
      );
      for (const row of rows) {
        last = key.map((_, n) => row[`k${n}`] ?? null);
        await this.#row(last);
      }
      if (rows.length < KEYS_AT_A_TIME) return;
    }
  }

  async #row(key: readonly QueryValue[]): Promise<void> {
    const where = this.#table.key.map((name) => `${quoteName(name)} = ?`).join(' AND ');
    const { columns } = this.#table;
    const [row] = await this.#connection.query<Record<string, Buffer | null>>(
      `SELECT ${columns.map((column, n) => `${readExpression(column)} AS v${n}`).join(', ')} FROM ${this.#name} WHERE ${where}`,
      key,
    );
    const changes: { readonly column: Column; readonly value: Buffer }[] = [];
    for (const [n, column] of columns.entries()) {
      const before = row?.[`v${n}`] ?? null;
      const value = before === null ? null : this.#rewrite(column, before);
      if (value !== null) changes.push({ column, value });
    }
    if (!this.#options.apply || changes.length === 0) return;
    const sets = [
      ...changes.map(({ column }) => `${quoteName(column.name)} = ${writeExpression(column)}`),
      ...this.#keptStamps(),
    ].join(', ');
    await this.#write(
      `UPDATE ${this.#name} SET ${sets} WHERE ${where}`,
      [...changes.map(({ value }) => value), ...key],
      key.map(String).join(', '),
    );
  }

  /** Without a key, rows with the same value are changed together: they would be told apart by nothing. */
  async #byValue(column: Column): Promise<void> {
    const value = readExpression(column);
    let last: Buffer | null = null;
    for (;;) {
      this.#options.signal?.throwIfAborted();
      const rows: readonly { v: Buffer }[] = await this.#connection.query<{ v: Buffer }>(
        `SELECT DISTINCT ${value} AS v FROM ${this.#name}
         WHERE ${this.#holds(column)}${last === null ? '' : ` AND ${value} > ?`} ORDER BY v LIMIT ${VALUES_AT_A_TIME}`,
        last === null ? [] : [last],
      );
      for (const { v } of rows) {
        last = v;
        const rewritten = this.#rewrite(column, v);
        if (rewritten === null || !this.#options.apply) continue;
        const sets = [`${quoteName(column.name)} = ${writeExpression(column)}`, ...this.#keptStamps()].join(', ');
        const sql = `UPDATE ${this.#name} SET ${sets} WHERE ${value} = ?`;
        await this.#write(sql, [rewritten, v], 'rows without a key');
      }
      if (rows.length < VALUES_AT_A_TIME) return;
    }
  }

  #keptStamps(): readonly string[] {
    return this.#table.stamps.map((name) => `${quoteName(name)} = ${quoteName(name)}`);
  }

  #rewrite(column: Column, before: Buffer): Buffer | null {
    if (!this.#options.needles.some((pieces) => pieces.every((piece) => before.includes(piece)))) return null;
    const { value, replaced, foreign, isDamaged } = this.#options.rewrite(before);
    const found = this.#found.get(column.name) ?? { values: 0, replaced: 0, foreign: 0, samples: [] };
    this.#found.set(column.name, found);
    found.foreign += foreign;
    if (isDamaged)
      this.#report('value-damaged', column.name, 'holds a serialised value that is damaged; it was left as it is');
    if (replaced === 0) return null;
    found.values += 1;
    found.replaced += replaced;
    if (found.samples.length < MAX_SAMPLES) found.samples.push(sampleOf(before, value));
    return value;
  }

  async #write(sql: string, values: readonly QueryValue[], which: string): Promise<void> {
    try {
      await this.#connection.execute(sql, values);
    } catch (error) {
      const number = serverErrorNumber(error);
      if (number !== ER_DUP_ENTRY && number !== ER_DATA_TOO_LONG) throw error;
      const why = number === ER_DUP_ENTRY ? 'such a row is there already' : 'it would be too long for its column';
      this.#report('value-not-rewritten', which.slice(0, 80), `was left as it is: ${why}`);
    }
  }

  #report(code: string, which: string, message: string): void {
    const name = `${this.#table.name}.${which}`;
    this.#problems.push({ code, name, message: `${name} ${message}` });
  }

  #holds(column: Column): string {
    // LIKE's own letters in the name stand for themselves.
    const escape = (piece: string): string => piece.replace(/[\\%_]/g, String.raw`\$&`);
    const patterns = this.#options.needles.map((pieces) => `%${pieces.map(escape).join('%')}%`);
    const value = readExpression(column);
    return `(${patterns.map((pattern) => `${value} LIKE ${quoteText(pattern)}`).join(' OR ')})`;
  }
}

/** The bytes that a page reads through a connection in UTF-8: what lengths in serialised values count. */
function readExpression({ name, isBinary }: Column): string {
  return isBinary ? quoteName(name) : `CONVERT(CONVERT(${quoteName(name)} USING utf8mb4) USING binary)`;
}

function writeExpression({ isBinary }: Column): string {
  return isBinary ? '?' : 'CONVERT(? USING utf8mb4)';
}

/** Both sides around the first place in which they differ. */
function sampleOf(before: Buffer, after: Buffer): { before: string; after: string } {
  const one = before.toString();
  const other = after.toString();
  let at = 0;
  while (at < one.length && one[at] === other[at]) at += 1;
  const from = Math.max(0, at - SAMPLE_LETTERS / 2);
  return { before: one.slice(from, from + SAMPLE_LETTERS), after: other.slice(from, from + SAMPLE_LETTERS) };
}

async function readTextTables(
  connection: DatabaseConnection,
  database: string,
  wanted: readonly string[],
): Promise<readonly Table[]> {
  const rows = await connection.query<{ t: string; c: string; type: string; extra: string }>(
    `SELECT c.TABLE_NAME AS t, c.COLUMN_NAME AS c, c.DATA_TYPE AS type, c.EXTRA AS extra
     FROM information_schema.COLUMNS c WHERE c.TABLE_SCHEMA = ? ORDER BY c.TABLE_NAME, c.ORDINAL_POSITION`,
    [database],
  );
  const keys = await connection.query<{ t: string; c: string }>(
    `SELECT TABLE_NAME AS t, COLUMN_NAME AS c FROM information_schema.STATISTICS
     WHERE TABLE_SCHEMA = ? AND INDEX_NAME = 'PRIMARY' ORDER BY TABLE_NAME, SEQ_IN_INDEX`,
    [database],
  );
  const isGenerated = (extra: string): boolean => /GENERATED|VIRTUAL|STORED|PERSISTENT/i.test(extra);
  return wanted.flatMap((name) => {
    const columns = rows
      .filter(({ t, type, extra }) => t === name && [...TEXTS, ...BYTES].includes(type) && !isGenerated(extra))
      .map(({ c, type }) => ({ name: c, isBinary: BYTES.includes(type) }));
    const key = keys.filter(({ t }) => t === name).map(({ c }) => c);
    const stamps = rows.filter(({ t, extra }) => t === name && /on update/i.test(extra)).map(({ c }) => c);
    return columns.length === 0 ? [] : [{ name, key, columns, stamps }];
  });
}
