/**
 * The rows of one dumped table as values, read out of the dump's text as data: no server is asked. For small things that a
 * point is looked through for; whoever stops early stops the reading.
 */
import { DumpScanner } from './scan-dump.ts';
import { readColumnList } from './row-key.ts';

/** By the names of columns. A blob comes as its bytes, all else as the bytes of its text. */
export type DumpedRow = ReadonlyMap<string, Buffer | null>;

/** More than a table of 4096 columns takes to be defined. */
const MAX_DEFINITION_BYTES = 4 * 1024 * 1024;
/** A longer row is passed over: nothing that is looked for is as long. */
const MAX_ROW_BYTES = 16 * 1024 * 1024;

const COMMA = 0x2c;
const CLOSE = 0x29;
const QUOTE = 0x27;
const BACKSLASH = 0x5c;

/**
 * `isWanted` is told the raw text of each row, which is only taken apart where it says so. Throws `unknownForm` where the text
 * is not what the dump tool writes.
 */
export async function* readDumpedRows(
  pieces: AsyncIterable<Uint8Array>,
  isWanted: (raw: Buffer) => boolean,
  unknownForm: () => Error,
): AsyncGenerator<DumpedRow> {
  const scanner = new DumpScanner(unknownForm);
  let definition: Buffer[] = [];
  let definitionBytes = 0;
  let columns: readonly string[] = [];
  let parts: Buffer[] = [];
  let bytes = 0;
  let found: DumpedRow[] = [];
  const sink = {
    text: (text: Buffer): void => {
      definitionBytes += text.length;
      if (definitionBytes <= MAX_DEFINITION_BYTES) definition.push(text);
    },
    insert: (prefix: Buffer): void => {
      columns = readColumnList(prefix) ?? readColumns(Buffer.concat(definition).toString());
    },
    row: (part: Buffer, isEnd: boolean): void => {
      bytes += part.length;
      if (bytes <= MAX_ROW_BYTES) parts.push(part);
      if (!isEnd) return;
      const raw = parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
      if (bytes <= MAX_ROW_BYTES && isWanted(raw)) {
        const values = readValues(raw, unknownForm);
        if (values.length !== columns.length) throw unknownForm();
        found.push(new Map(columns.map((name, place) => [name, values[place] ?? null])));
      }
      parts = [];
      bytes = 0;
    },
  };
  const scan = (): void => {
    scanner.scan(sink);
    while (scanner.next !== null) {
      scanner.open(scanner.next);
      definition = [];
      scanner.scan(sink);
    }
  };
  for await (const piece of pieces) {
    scanner.push(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength));
    scan();
    yield* found;
    found = [];
  }
  scanner.end();
  scan();
  yield* found;
}

/** Of `SHOW CREATE TABLE`: a line for each column, which begins with its name. */
function readColumns(definition: string): readonly string[] {
  return [...definition.matchAll(/^ {2}`((?:[^`]|``)*)`/gm)].map(([, name]) => (name ?? '').replaceAll('``', '`'));
}

/** What stands in `(…),` of a row. */
function readValues(raw: Buffer, unknownForm: () => Error): readonly (Buffer | null)[] {
  const values: (Buffer | null)[] = [];
  for (let at = 1; at < raw.length;) {
    const { value, end } = readValue(raw, at);
    values.push(value);
    if (raw[end] === CLOSE) return values;
    if (raw[end] !== COMMA) throw unknownForm();
    at = end + 1;
  }
  throw unknownForm();
}

function readValue(raw: Buffer, start: number): { readonly value: Buffer | null; readonly end: number } {
  let at = start;
  while (at < raw.length && raw[at] !== QUOTE && raw[at] !== COMMA && raw[at] !== CLOSE) at += 1;
  // Before a quote stands at most the name of a character set.
  if (raw[at] === QUOTE) return readText(raw, at + 1);
  const word = raw.toString('latin1', start, at);
  if (word === 'NULL') return { value: null, end: at };
  return { value: word.startsWith('0x') ? Buffer.from(word.slice(2), 'hex') : Buffer.from(word, 'latin1'), end: at };
}

/** By the byte behind a backslash; any other stands for itself. */
const ESCAPED: ReadonlyMap<number, number> = new Map(
  [
    ['0', '\0'],
    ['n', '\n'],
    ['r', '\r'],
    ['t', '\t'],
    ['b', '\b'],
    ['Z', '\x1a'],
  ].map(([letter, byte]) => [(letter as string).charCodeAt(0), (byte as string).charCodeAt(0)]),
);

function readText(raw: Buffer, start: number): { readonly value: Buffer; readonly end: number } {
  const text = Buffer.allocUnsafe(raw.length - start);
  let length = 0;
  let at = start;
  for (; at < raw.length; at += 1) {
    let byte = raw[at] as number;
    if (byte === BACKSLASH) {
      at += 1;
      const next = raw[at] as number;
      byte = ESCAPED.get(next) ?? next;
    } else if (byte === QUOTE) {
      if (raw[at + 1] !== QUOTE) break;
      at += 1;
    }
    text[length] = byte;
    length += 1;
  }
  return { value: text.subarray(0, length), end: at + 1 };
}
