/** A value of a generated row; a `Raw` is put in as it is. */
export type SqlValue = string | number | bigint | null | Buffer | Raw;
export type Raw = { readonly sql: string };

/** One generated table: what `CREATE TABLE` says after the name, and its rows. */
export type GeneratedTable = {
  readonly name: string;
  readonly definition: string;
  /** Columns that rows have values of; absent: all, in their order. */
  readonly columns?: readonly string[];
  readonly rows: () => Iterable<readonly SqlValue[]>;
};

/** Statements are cut at this size: well under the server's max_allowed_packet. */
const MAX_STATEMENT_CHARS = 512 * 1024;

/** The stock client takes neither a NUL nor a CR as it is. */
const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  "'": "\\'",
  '\0': '\\0',
  '\n': '\\n',
  '\r': '\\r',
  '\x1a': '\\Z',
};

const MUST_ESCAPE = new RegExp(String.raw`[\\']|[${Object.keys(ESCAPES).slice(2).join('')}]`, 'g');

export function quoteName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

export function literal(value: SqlValue): string {
  if (value === null) return 'NULL';
  if (Buffer.isBuffer(value)) return value.length === 0 ? "''" : `0x${value.toString('hex')}`;
  if (typeof value === 'object') return value.sql;
  if (typeof value === 'string') return `'${value.replaceAll(MUST_ESCAPE, (found) => ESCAPES[found] as string)}'`;
  return String(value);
}

/** The statements that make and fill a table, each a string of bounded size. */
export function* tableStatements(table: GeneratedTable): Generator<string> {
  const name = quoteName(table.name);
  yield `CREATE TABLE ${name} ${table.definition};\n`;
  const columns = table.columns === undefined ? '' : ` (${table.columns.map(quoteName).join(', ')})`;
  const head = `INSERT INTO ${name}${columns} VALUES\n`;
  let values: string[] = [];
  let size = 0;
  for (const row of table.rows()) {
    const tuple = `(${row.map(literal).join(',')})`;
    values.push(tuple);
    size += tuple.length;
    if (size < MAX_STATEMENT_CHARS) continue;
    yield `${head}${values.join(',\n')};\n`;
    values = [];
    size = 0;
  }
  if (values.length > 0) yield `${head}${values.join(',\n')};\n`;
}
