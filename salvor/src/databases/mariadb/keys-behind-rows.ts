/**
 * Which secondary keys of a table can be made when its rows are in: sorted, they cost the server about half of what they
 * cost one row at a time.
 *
 *   CREATE TABLE … KEY k (c) …; INSERT …      →      CREATE TABLE … ; INSERT … ; COMMIT; ALTER TABLE … ADD KEY k (c);
 */
import { NAME, type TableStructure } from './table-structure.ts';

const SECONDARY_KEY = new RegExp(`^ {2}(?:UNIQUE )?KEY ${NAME} \\(`);
const PRIMARY_KEY = new RegExp(`^ {2}PRIMARY KEY \\((${NAME})`);
const COLUMN = new RegExp(`^ {2}(${NAME}) `);
/**
 * What keys are bound to: foreign keys, columns that are worked out, kinds of keys and of tables that want theirs from the
 * beginning. Words within quotes only make a table pass as it is.
 */
const BOUND_DEFINITION = / (?:FOREIGN KEY|GENERATED ALWAYS|AS ROW|USING HASH|WITHOUT OVERLAPS)\b/;
const BOUND_TABLE = /\b(?:PARTITION BY|SYSTEM VERSIONING)\b/;

/**
 * The table's definitions without its secondary keys, in as many lines, and the statement that makes these. Null where there
 * are none, or where they have to be there from the beginning.
 */
export function takeKeys({
  table,
  definitions,
  options,
}: TableStructure): { readonly definitions: string; readonly later: string } | null {
  if (!options.startsWith('\n) ENGINE=InnoDB') || BOUND_TABLE.test(options)) return null;
  const isKey = (definition: string): boolean => SECONDARY_KEY.test(definition);
  const keys = definitions.filter(isKey);
  const stay = definitions.filter((definition) => !isKey(definition));
  if (keys.length === 0 || definitions.some((definition) => BOUND_DEFINITION.test(definition))) return null;
  if (!stay.every((definition) => COLUMN.test(definition) || PRIMARY_KEY.test(definition))) return null;
  // Rows lie in the order of the first one; and what counts up by itself has to be the first column of a key.
  const first = stay.map((definition) => PRIMARY_KEY.exec(definition)?.[1]).find((column) => column !== undefined);
  const counting = stay.find((definition) => definition.includes(' AUTO_INCREMENT'));
  if (first === undefined || (counting !== undefined && COLUMN.exec(counting)?.[1] !== first)) return null;
  return {
    definitions: stay.join(',\n') + '\n'.repeat(keys.length),
    later: `ALTER TABLE ${table} ${keys.map((key) => `ADD ${key.trim()}`).join(', ')};`,
  };
}
