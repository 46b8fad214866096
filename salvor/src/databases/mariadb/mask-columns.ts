/**
 * Puts something else in the place of values, set by set, in the server: no row comes to us, and none is left that was
 * there before. Knows nothing of what the tables are for. One statement counts and one changes each table and choice of rows.
 */
import { type DatabaseConnection, type QueryValue, quoteName, quoteText } from './connect.ts';

/** How a value is masked: the meaning of each is at `MaskKind` of the policies. */
export type MaskedAs = 'mail' | 'name' | 'text' | 'password' | 'ip' | 'list' | 'empty';

export type TableColumn = {
  readonly name: string;
  /** As `information_schema` has it: `varchar`, `longblob`, `int`. */
  readonly type: string;
  /** Letters that fit; null where it says none. */
  readonly letters: number | null;
  readonly isNullable: boolean;
  readonly isGenerated: boolean;
};

export type MaskTable = {
  readonly name: string;
  readonly isVersioned: boolean;
  readonly columns: ReadonlyMap<string, TableColumn>;
  /** What its triggers are called that run when rows change or go. */
  readonly triggers: readonly string[];
};

export type RowChoice = { readonly column: string; readonly values: readonly string[] } | null;

const TEXTS = new Set(['char', 'varchar', 'tinytext', 'text', 'mediumtext', 'longtext', 'json']);
const BYTES = new Set(['binary', 'varbinary', 'tinyblob', 'blob', 'mediumblob', 'longblob']);
const NUMBERS = new Set(['tinyint', 'smallint', 'mediumint', 'int', 'bigint', 'decimal', 'float', 'double', 'bit']);

/** The tables of a database, without views and sequences. */
export async function readMaskTables(
  connection: DatabaseConnection,
  database: string,
): Promise<ReadonlyMap<string, MaskTable>> {
  const tables = await connection.query<{ t: string; type: string }>(
    `SELECT TABLE_NAME AS t, TABLE_TYPE AS type FROM information_schema.TABLES
     WHERE TABLE_SCHEMA = ? AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')`,
    [database],
  );
  const columns = await connection.query<{
    t: string;
    c: string;
    type: string;
    letters: string | number | null;
    nullable: string;
    extra: string;
  }>(
    `SELECT TABLE_NAME AS t, COLUMN_NAME AS c, DATA_TYPE AS type, CHARACTER_MAXIMUM_LENGTH AS letters,
            IS_NULLABLE AS nullable, EXTRA AS extra
     FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ?`,
    [database],
  );
  const triggers = await connection.query<{ t: string; name: string }>(
    `SELECT EVENT_OBJECT_TABLE AS t, TRIGGER_NAME AS name FROM information_schema.TRIGGERS
     WHERE EVENT_OBJECT_SCHEMA = ? AND EVENT_MANIPULATION IN ('UPDATE', 'DELETE')`,
    [database],
  );
  const found = new Map<string, { columns: Map<string, TableColumn>; triggers: string[]; isVersioned: boolean }>();
  for (const { t, type } of tables)
    found.set(t, { columns: new Map(), triggers: [], isVersioned: type === 'SYSTEM VERSIONED' });
  for (const { t, c, type, letters, nullable, extra } of columns)
    found.get(t)?.columns.set(c, {
      name: c,
      type: type.toLowerCase(),
      letters: letters === null ? null : Number(letters),
      isNullable: nullable === 'YES',
      isGenerated: /GENERATED|VIRTUAL|STORED|PERSISTENT/i.test(extra),
    });
  for (const { t, name } of triggers) found.get(t)?.triggers.push(name);
  return new Map([...found].map(([name, table]) => [name, { name, ...table }]));
}

/** The secret that masked values are made with, for this session: random, and forgotten with it. */
export async function beginMasking(connection: DatabaseConnection, secret: Uint8Array): Promise<void> {
  const hex = Buffer.from(secret).toString('hex');
  // What is too long for its column is an error then, and not cut.
  await connection.execute("SET SESSION sql_mode = 'STRICT_ALL_TABLES', @salvor_mask = ?", [hex]);
}

/** Whether a column can hold what it would be masked with. */
export function isMaskable({ type }: TableColumn, as: MaskedAs): boolean {
  return TEXTS.has(type) || BYTES.has(type) || (as === 'empty' && NUMBERS.has(type));
}

/** How many values were there of each column; with `apply` they are not any more. */
export async function maskColumns(
  connection: DatabaseConnection,
  database: string,
  table: MaskTable,
  wanted: {
    readonly columns: readonly { readonly column: TableColumn; readonly as: MaskedAs }[];
    readonly rows: RowChoice;
    readonly apply: boolean;
  },
): Promise<readonly number[]> {
  const name = quoteName(database, table.name);
  const [chosen, values] = choose(wanted.rows);
  const parts = wanted.columns.map(({ column, as }) => ({ column, as, holds: holdsValue(column) }));
  const [row] = await connection.query<Record<string, string | null>>(
    `SELECT ${parts.map(({ holds }, n) => `SUM(${holds}) AS n${n}`).join(', ')} FROM ${name} WHERE ${chosen}`,
    values,
  );
  const counts = parts.map((_, n) => Number(row?.[`n${n}`] ?? 0));
  if (!wanted.apply || counts.every((count) => count === 0)) return counts;
  const sets = parts.map(({ column, as, holds }) => {
    const quoted = quoteName(column.name);
    return `${quoted} = IF(${holds}, ${maskExpression(column, as)}, ${quoted})`;
  });
  const any = parts.map(({ holds }) => holds).join(' OR ');
  await connection.execute(`UPDATE ${name} SET ${sets.join(', ')} WHERE ${chosen} AND (${any})`, values);
  await forgetHistory(connection, name, table);
  return counts;
}

/** How many rows were there. */
export async function maskRows(
  connection: DatabaseConnection,
  database: string,
  table: MaskTable,
  wanted: { readonly rows: RowChoice; readonly apply: boolean },
): Promise<number> {
  const name = quoteName(database, table.name);
  const [chosen, values] = choose(wanted.rows);
  const [row] = await connection.query<{ n: string }>(`SELECT COUNT(*) AS n FROM ${name} WHERE ${chosen}`, values);
  if (wanted.apply) {
    await connection.execute(`DELETE FROM ${name} WHERE ${chosen}`, values);
    await forgetHistory(connection, name, table);
  }
  return Number(row?.n ?? 0);
}

/** A table with system versioning keeps every value that it ever held. */
async function forgetHistory(connection: DatabaseConnection, name: string, table: MaskTable): Promise<void> {
  if (table.isVersioned) await connection.execute(`DELETE HISTORY FROM ${name}`);
}

function choose(rows: RowChoice): readonly [sql: string, values: readonly QueryValue[]] {
  if (rows === null) return ['1 = 1', []];
  return [`${quoteName(rows.column)} IN (${rows.values.map(() => '?').join(', ')})`, rows.values];
}

/** NULL, nothing and zero say nothing of anybody, and mean something to a site: they stay. */
function holdsValue(column: TableColumn): string {
  const quoted = quoteName(column.name);
  return `(${quoted} IS NOT NULL AND ${quoted} <> ${isNumber(column) ? '0' : "''"})`;
}

function isNumber({ type }: TableColumn): boolean {
  return NUMBERS.has(type);
}

const MAIL_HEAD = 'user-';
const MAIL_TAIL = '@masked.invalid';
/** 64 bits: two of ten million values are alike by less than one chance in a hundred thousand. */
const DIGITS = 16;
/** Less than this would make two values alike before long. */
const LEAST_DIGITS = 8;
/** Old systems take 32 letters for a plain MD5: with `!` it is one of nothing. */
const PASSWORD_LETTERS = 32;

function maskExpression(column: TableColumn, as: MaskedAs): string {
  const most = column.letters ?? Number.MAX_SAFE_INTEGER;
  const head = (text: string, tail = ''): string => {
    const digits = Math.min(DIGITS, most - text.length - tail.length);
    if (digits < LEAST_DIGITS) return `LEFT(${hashOf(column, '')}, ${Math.min(64, most)})`;
    return `CONCAT(${quoteText(text)}, LEFT(${hashOf(column, '')}, ${digits}), ${quoteText(tail)})`;
  };
  switch (as) {
    case 'mail':
      return head(MAIL_HEAD, MAIL_TAIL);
    case 'name':
      return head(MAIL_HEAD);
    case 'text':
      return head('masked-');
    case 'password':
      return `CONCAT('!', LEFT(${hashOf(column, 'password')}, ${Math.min(PASSWORD_LETTERS, most) - 1}))`;
    case 'ip':
      // Of the addresses that are kept for documents (RFC 5737).
      return BYTES.has(column.type) ? "''" : quoteText('192.0.2.1'.slice(0, most));
    case 'list':
      return quoteText('a:0:{}');
    case 'empty':
      return column.isNullable ? 'NULL' : isNumber(column) ? '0' : "''";
    default:
      return as satisfies never;
  }
}

/** Letters of either case are one name to most sites, and so to this. */
function hashOf(column: TableColumn, purpose: string): string {
  const quoted = quoteName(column.name);
  const value = BYTES.has(column.type) ? `HEX(${quoted})` : `LOWER(CONVERT(${quoted} USING utf8mb4))`;
  return `SHA2(CONCAT(@salvor_mask, ${quoteText(`${purpose}:`)}, ${value}), 256)`;
}
