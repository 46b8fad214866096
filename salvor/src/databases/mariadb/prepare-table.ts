/**
 * Makes one table's part of a dump quicker to load, where what it says is known without any doubt; all else passes as it
 * is. Lines keep their numbers, up to the last row.
 */
import { takeKeys } from './keys-behind-rows.ts';
import { BYTES_BEGIN, BYTES_END, takesBytes } from './rows-as-bytes.ts';
import { hasRows, readStructure } from './table-structure.ts';

/** The structure of a table is far shorter, but for a table of hundreds of columns with long comments. */
const MAX_STRUCTURE_BYTES = 256 * 1024;

/** The part's bytes: its rows as bytes, and with `keysBehind` its secondary keys behind them. */
export async function* prepareTable(
  part: AsyncIterable<Uint8Array>,
  { keysBehind }: { readonly keysBehind: boolean },
): AsyncGenerator<Uint8Array> {
  let head: Buffer | null = Buffer.alloc(0);
  let later = '';
  for await (const bytes of part) {
    if (head === null) {
      yield bytes;
      continue;
    }
    head = Buffer.concat([head, bytes]);
    if (!hasRows(head) && head.length <= MAX_STRUCTURE_BYTES) continue;
    const prepared = hasRows(head) ? prepareStructure(head.toString('latin1'), keysBehind) : null;
    yield prepared === null ? head : Buffer.from(prepared.text, 'latin1');
    later = prepared?.later ?? '';
    head = null;
  }
  if (head !== null) yield head;
  if (later !== '') yield Buffer.from(`\n${later}\n`, 'latin1');
}

/** The text as it is loaded, and what has to be said when all rows are in. Null where the structure is not what is known. */
function prepareStructure(text: string, keysBehind: boolean): { readonly text: string; readonly later: string } | null {
  const structure = readStructure(text);
  if (structure === null) return null;
  const { start, end, rows } = structure;
  const keys = keysBehind ? takeKeys(structure) : null;
  const asBytes = takesBytes(structure);
  const definitions = keys?.definitions ?? text.slice(start, end);
  const begin = asBytes ? `${BYTES_BEGIN} ` : '';
  return {
    text: text.slice(0, start) + definitions + text.slice(end, rows) + begin + text.slice(rows),
    later: [...(asBytes ? [BYTES_END] : []), ...(keys === null ? [] : ['COMMIT;', keys.later])].join('\n'),
  };
}
