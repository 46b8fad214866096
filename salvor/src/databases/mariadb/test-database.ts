/**
 * What the tests of this folder share: one real server per file, a database and a site's own user per test, and the
 * whole way there and back through the functions under test.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { openMariaDb, type MariaDbServer } from '../../../../demo/mariadb-server.ts';
import { type DatabaseAccount, type DatabaseLogin, quoteName } from './connect.ts';
import { dumpDatabase } from './dump.ts';
import { type LoadOptions, type LoadPart, type LoadResult, loadDump } from './load.ts';
import type { DatabaseProblem } from './probe.ts';
import { createScratch, type Scratch } from './scratch.ts';

export type TestServer = AsyncDisposable & {
  readonly server: MariaDbServer;
  readonly admin: DatabaseLogin;
  /** For option files. */
  readonly directory: string;
};

export type StoredPart = LoadPart & { readonly bytes: Buffer; readonly rows: number };

export async function openTestServer(serverOptions: readonly string[] = []): Promise<TestServer> {
  // What the server tells in its own zone, and what in the session's, must not be taken for each other.
  const server = await openMariaDb({ serverOptions, timeZone: 'Pacific/Auckland' });
  return {
    server,
    admin: server.rootLogin,
    directory: join(server.directory, 'clients'),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** A new database with a user who may do anything in it, filled by `sql` as root. */
export async function makeSite(
  { server, admin }: TestServer,
  name: string,
  sql: string,
): Promise<{ readonly name: string; readonly login: DatabaseLogin; readonly account: DatabaseAccount }> {
  const user = `u${randomBytes(4).toString('hex')}`;
  // Everything that a quoting mistake would trip over.
  const password = `p"a's\\s #w\`ö${randomBytes(4).toString('hex')} `;
  const pattern = quoteName(name.replaceAll(/[\\%_]/g, '\\$&'));
  await server.query(`CREATE DATABASE ${quoteName(name)} CHARACTER SET utf8mb4;
    CREATE USER '${user}'@'localhost' IDENTIFIED BY '${password.replaceAll('\\', '\\\\').replaceAll("'", "''")}';
    GRANT ALL ON ${pattern}.* TO '${user}'@'localhost';
    USE ${quoteName(name)};
    ${sql}`);
  return { name, login: { address: admin.address, user, password }, account: { user, host: 'localhost' } };
}

/** A whole dump in memory. */
export async function dumpAll(
  test: TestServer,
  login: DatabaseLogin,
  name: string,
  problems: DatabaseProblem[] = [],
): Promise<StoredPart[]> {
  const parts: StoredPart[] = [];
  const onProblem = (problem: DatabaseProblem): void => void problems.push(problem);
  for await (const part of dumpDatabase(login, name, { defaultsDirectory: test.directory, onProblem })) {
    const pieces: Uint8Array[] = [];
    for await (const bytes of part.bytes) pieces.push(bytes);
    parts.push(storePart(part.file, part.kind, part.table, Buffer.concat(pieces), part.rows()));
  }
  return parts;
}

export function storePart(
  file: string,
  kind: LoadPart['kind'],
  table: string | null,
  bytes: Buffer,
  rows = 0,
): StoredPart {
  // In pieces of an awkward size: what looks at the stream must not depend on where it is cut.
  const open = async function* (): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += 65_521) yield bytes.subarray(at, at + 65_521);
  };
  return { file, kind, table, bytes, size: bytes.length, rows, open };
}

export async function makeScratch(test: TestServer, charset = 'utf8mb4'): Promise<Scratch> {
  const id = randomBytes(6).toString('hex');
  return await createScratch(test.admin, {
    name: `salvor_${id}`,
    user: `salvor_${id}`,
    password: randomBytes(16).toString('hex'),
    charset,
    collation: `${charset}_general_ci`,
  });
}

/** Every table is made quicker to load that can be, however small it is. */
export async function loadAll(
  test: TestServer,
  scratch: Scratch,
  parts: readonly LoadPart[],
  options: Partial<LoadOptions> = {},
): Promise<LoadResult> {
  return await loadDump(scratch, parts, {
    defaultsDirectory: test.directory,
    admin: test.admin,
    prepareFromBytes: 0,
    ...options,
  });
}

/** Names, checksums and rows of every table, as one text to compare. */
export async function fingerprint(test: TestServer, database: string): Promise<string> {
  const list = await test.server.query(
    `SELECT CONCAT('\`', REPLACE(TABLE_NAME, '\`', '\`\`'), '\`') FROM information_schema.TABLES
     WHERE TABLE_SCHEMA = '${database.replaceAll("'", "''")}' AND TABLE_TYPE NOT IN ('VIEW', 'SEQUENCE') ORDER BY BINARY TABLE_NAME`,
  );
  // The client writes a newline in a name as two characters.
  const names = list
    .split('\n')
    .filter(Boolean)
    .map((name) => name.replaceAll('\\n', '\n'));
  if (names.length === 0) return '';
  const sums = await test.server.query(`USE ${quoteName(database)}; CHECKSUM TABLE ${names.join(', ')} EXTENDED;`);
  return sums.replaceAll(`${database}.`, '');
}
