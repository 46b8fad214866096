/**
 * What a dump tool writes ahead of the rows of one table, read only where it is read without any doubt: a definition a
 * line, as the server itself writes it.
 */

export const NAME = '`(?:[^`]|``)+`';

const CREATE = new RegExp(`(?:^|\\n)CREATE TABLE (${NAME}) \\(\\n`);
const ROWS = '\nINSERT INTO ';

/** Text is bytes in Latin 1, whatever they stand for. */
export type TableStructure = {
  readonly text: string;
  /** In its quotes. */
  readonly table: string;
  /** Of columns, keys and constraints, without the commas between them. */
  readonly definitions: readonly string[];
  /** Where the first definition begins, and where the last one ends. */
  readonly start: number;
  readonly end: number;
  /** Where the line of the first rows begins. */
  readonly rows: number;
  /** All between the two: the table's options and what the tool says before rows come. */
  readonly options: string;
};

/** Whether there can be no more of the structure in what follows. */
export function hasRows(text: Buffer): boolean {
  return text.includes(ROWS);
}

/** Null where the text is not what is known, or ends before the rows. */
export function readStructure(text: string): TableStructure | null {
  const create = CREATE.exec(text);
  if (create === null) return null;
  const [whole, table = ''] = create;
  const start = create.index + whole.length;
  const rows = text.indexOf(ROWS, start) + 1;
  const list = readDefinitions(text, start);
  if (list === null || rows <= list.end) return null;
  return { text, table, ...list, start, rows, options: text.slice(list.end, rows) };
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
