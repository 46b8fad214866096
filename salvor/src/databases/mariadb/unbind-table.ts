import { DumpRewriter } from './dump-rewriter.ts';

/**
 * A table's part of a dump without the name of the database that was dumped: the server writes it before the sequence in
 * a column's default. Rows pass unread.
 */
export async function* unbindTable(source: AsyncIterable<Uint8Array>, origin: string): AsyncGenerator<Uint8Array> {
  const rewriter = new DumpRewriter({ found: [], origin, stopsAtRows: true });
  for await (const bytes of source) {
    if (rewriter.isPast) {
      yield bytes;
      continue;
    }
    const ready = rewriter.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), false);
    if (ready.length > 0) yield ready;
  }
  const rest = rewriter.push(Buffer.alloc(0), true);
  if (rest.length > 0) yield rest;
}

/** The tool's line, and the rule below it: a name may hold line ends, which it makes comments of. */
const ORIGIN = /^-- Host: .*? {4}Database: ([^]+?)\n-- -{40}/m;
/** The tool writes it before all else. */
const LOOK_BYTES = 4096;

/** The database that a dump is of, as its head says; null where it does not. */
export async function readOrigin(head: AsyncIterable<Uint8Array>): Promise<string | null> {
  let begin: Buffer = Buffer.alloc(0);
  for await (const bytes of head) {
    begin = Buffer.concat([begin, bytes]);
    if (begin.length >= LOOK_BYTES) break;
  }
  return ORIGIN.exec(begin.toString('utf8', 0, LOOK_BYTES))?.[1]?.replaceAll('\n-- ', '\n') ?? null;
}
