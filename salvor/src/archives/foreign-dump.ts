/**
 * A dump that another program has made, as a part that a scratch database is loaded from: with the session that such a
 * dump expects, without what a load may not do and that belongs to replication, and told where it was cut off.
 */
import type { LoadPart } from '../databases/mariadb/load.ts';
import { END_MARKER } from '../databases/mariadb/split-dump.ts';
import { SalvorError } from '../errors.ts';

/** What mysqldump, mariadb-dump and Backup and Migrate set at their head; other programs rely on the server's own. */
const HEAD = Buffer.from(
  `/*!40101 SET NAMES utf8mb4 */;\nSET FOREIGN_KEY_CHECKS=0, UNIQUE_CHECKS=0, SQL_MODE='NO_AUTO_VALUE_ON_ZERO';\n`,
);
/** Looked at at either end. */
const LOOK_BYTES = 64 * 1024;
/** MySQL's tool writes them where the server replicates; they ask for rights over the whole server. */
const REPLICATION = /^SET @@(?:GLOBAL\.GTID_PURGED|SESSION\.SQL_LOG_BIN)\s*=[^;]*;/gim;

/**
 * The whole dump as one: definers in it are taken out on the way, as in a tail. Throws `dump-incomplete` at its end where
 * the program that made it did not come to its own.
 */
export function partsOfForeignDump(content: AsyncIterable<Uint8Array>, name: string): readonly LoadPart[] {
  return [
    { file: 'the head', kind: 'head', table: null, open: () => once(HEAD) },
    { file: name, kind: 'tail', table: null, open: () => readWhole(content, name) },
  ];
}

async function* readWhole(content: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<Uint8Array> {
  let head: Buffer | null = Buffer.alloc(0);
  let first = '';
  let last: Buffer = Buffer.alloc(0);
  for await (const bytes of content) {
    last = Buffer.concat([last, bytes.subarray(-LOOK_BYTES)]).subarray(-LOOK_BYTES);
    if (head === null) {
      yield bytes;
      continue;
    }
    head = Buffer.concat([head, bytes]);
    if (head.length < LOOK_BYTES) continue;
    first = head.toString('latin1', 0, LOOK_BYTES);
    yield withoutReplication(head);
    head = null;
  }
  if (head !== null) {
    first = head.toString('latin1');
    yield withoutReplication(head);
  }
  requireEnd(first, last.toString('latin1'), name);
  yield Buffer.from('\n');
  yield END_MARKER;
}

function withoutReplication(head: Buffer): Buffer {
  const text = head.toString('latin1');
  return REPLICATION.test(text) ? Buffer.from(text.replace(REPLICATION, ''), 'latin1') : head;
}

/** By what each program writes last, told by what it writes first. Of others the load finds the end of each statement. */
function requireEnd(first: string, last: string, name: string): void {
  const isTool = /^-- (?:MySQL|MariaDB) dump /m.test(first);
  const isRestored = /SET @OLD_SQL_NOTES\s*=\s*@@SQL_NOTES/i.test(first);
  if (isTool && !/^-- Dump completed/m.test(last) && !/SET SQL_NOTES\s*=\s*@OLD_SQL_NOTES/i.test(last))
    throw cutOff(name, 'the end marker of the dump tool is missing');
  if (isRestored && !/SET SQL_NOTES\s*=\s*@OLD_SQL_NOTES/i.test(last))
    throw cutOff(name, 'what it sets at its head is not put back at its end');
}

function cutOff(database: string, why: string): SalvorError {
  return new SalvorError('dump-incomplete', { database, why });
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
