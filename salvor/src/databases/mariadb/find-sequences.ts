import type { LoadPart } from './load.ts';

/** The tool writes sequences before all tables, one a part; with the longest name, one is smaller. */
const MAX_SEQUENCE_BYTES = 4096;
const HEADER = '-- Sequence structure for `';

/**
 * The parts that make sequences, of all parts of a dump in its order: a table whose column takes its default from one
 * cannot be made before it.
 */
export async function findSequences<Part extends Pick<LoadPart, 'kind' | 'size' | 'open'>>(
  parts: readonly Part[],
): Promise<readonly Part[]> {
  const tables = parts.filter(({ kind }) => kind === 'table');
  const end = await findFirstTable(tables);
  return tables.slice(0, end);
}

async function findFirstTable(parts: readonly Pick<LoadPart, 'size' | 'open'>[]): Promise<number> {
  for (const [index, { size = 0, open }] of parts.entries())
    if (size > MAX_SEQUENCE_BYTES || !(await isSequence(open()))) return index;
  return parts.length;
}

async function isSequence(part: AsyncIterable<Uint8Array>): Promise<boolean> {
  let begin = '';
  for await (const bytes of part) {
    begin += Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
    if (begin.length >= 2 * HEADER.length) break;
  }
  return begin.slice(0, 2 * HEADER.length).includes(HEADER);
}
