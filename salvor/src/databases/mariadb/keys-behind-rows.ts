/**
 * Makes the secondary keys of a table when its rows are in: sorted, they cost the server about half of what they cost one
 * row at a time. Of what the dump tool writes for one table, and only where that is read without any doubt; all else
 * passes as it is.
 *
 *   CREATE TABLE … KEY k (c) …; INSERT …      →      CREATE TABLE … ; INSERT … ; COMMIT; ALTER TABLE … ADD KEY k (c);
 */

/** The structure of a table is far shorter, but for a table of hundreds of columns with long comments. */
const MAX_STRUCTURE_BYTES = 256 * 1024;

const NAME = '`(?:[^`]|``)+`';
/** The server's own way to write it: a definition a line. */
const CREATE = new RegExp(`(?:^|\\n)CREATE TABLE (${NAME}) \\(\\n`);
const ROWS = '\nINSERT INTO ';
const SECONDARY_KEY = new RegExp(`^ {2}(?:UNIQUE )?KEY ${NAME} \\(`);
const PRIMARY_KEY = new RegExp(`^ {2}PRIMARY KEY \\((${NAME})`);
const COLUMN = new RegExp(`^ {2}(${NAME}) `);
/**
 * What keys are bound to: foreign keys, columns that are worked out, kinds of keys and of tables that want theirs from the
 * beginning. Words within quotes only make a table pass as it is.
 */
const BOUND_DEFINITION = / (?:FOREIGN KEY|GENERATED ALWAYS|AS ROW|USING HASH|WITHOUT OVERLAPS)\b/;
const BOUND_TABLE = /\b(?:PARTITION BY|SYSTEM VERSIONING)\b/;

/** The bytes of a table's part, in which the secondary keys of its table come behind its rows. Lines keep their numbers. */
export async function* putKeysBehindRows(part: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let head: Buffer | null = Buffer.alloc(0);
  let later = '';
  for await (const bytes of part) {
    if (head === null) {
      yield bytes;
      continue;
    }
    head = Buffer.concat([head, bytes]);
    const found = head.includes(ROWS) ? takeKeys(head.toString('latin1')) : null;
    if (found === null && !head.includes(ROWS) && head.length <= MAX_STRUCTURE_BYTES) continue;
    yield found === null ? head : Buffer.from(found.text, 'latin1');
    later = found?.later ?? '';
    head = null;
  }
  if (head !== null) yield head;
  if (later !== '') yield Buffer.from(`\nCOMMIT;\n${later}\n`, 'latin1');
}

/**
 * The text without the secondary keys, and the statement that makes them. Null where there are none, or where they have to
 * be there from the beginning.
 */
export function takeKeys(text: string): { readonly text: string; readonly later: string } | null {
  const create = CREATE.exec(text);
  if (create === null) return null;
  const [whole, table = ''] = create;
  const start = create.index + whole.length;
  const rows = text.indexOf(ROWS, start);
  const list = readDefinitions(text, start);
  if (list === null || rows < list.end) return null;
  if (!text.startsWith('\n) ENGINE=InnoDB', list.end) || BOUND_TABLE.test(text.slice(list.end, rows))) return null;
  const isKey = (definition: string): boolean => SECONDARY_KEY.test(definition);
  const keys = list.definitions.filter(isKey);
  const stay = list.definitions.filter((definition) => !isKey(definition));
  if (keys.length === 0 || list.definitions.some((definition) => BOUND_DEFINITION.test(definition))) return null;
  if (!stay.every((definition) => COLUMN.test(definition) || PRIMARY_KEY.test(definition))) return null;
  // Rows lie in the order of the first one; and what counts up by itself has to be the first column of a key.
  const first = stay.map((definition) => PRIMARY_KEY.exec(definition)?.[1]).find((column) => column !== undefined);
  const counting = stay.find((definition) => definition.includes(' AUTO_INCREMENT'));
  if (first === undefined || (counting !== undefined && COLUMN.exec(counting)?.[1] !== first)) return null;
  return {
    text: text.slice(0, start) + stay.join(',\n') + '\n'.repeat(keys.length) + text.slice(list.end),
    later: `ALTER TABLE ${table} ${keys.map((key) => `ADD ${key.trim()}`).join(', ')};`,
  };
}

/** Up to the line that ends the list, quotes and brackets followed. Null where the text ends before it. */
function readDefinitions(
  text: string,
  start: number,
): { readonly definitions: readonly string[]; readonly end: number } | null {
  const definitions: string[] = [];
  let begin = start;
  let depth = 0;
  let quote = '';
  for (let at = start; at < text.length; at += 1) {
    const character = text[at] as string;
    if (quote !== '') {
      if (character === '\\' && quote !== '`') at += 1;
      else if (character === quote) quote = '';
    } else if (character === '`' || character === "'" || character === '"') quote = character;
    else if (character === '(') depth += 1;
    else if (depth > 0) depth -= character === ')' ? 1 : 0;
    else if (text.startsWith(',\n', at)) {
      definitions.push(text.slice(begin, at));
      begin = at + 2;
    } else if (text.startsWith('\n) ', at)) {
      definitions.push(text.slice(begin, at));
      return { definitions, end: at };
    }
  }
  return null;
}
