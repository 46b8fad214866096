/**
 * A site's database to be brought back: a few large tables with texts and indexes among many small ones, on a server
 * that keeps what it says it keeps, its dump in a repository of ours and beside it as the stock tool writes it.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { backup, listSnapshots, openLocalStorage, openRepository, openView } from '@salvor/engine';
import type { SnapshotView, SourceEntry } from '@salvor/engine';
import { type MariaDbServer, openMariaDb } from '../../demo/mariadb-server.ts';
import { Random } from '../../demo/random.ts';
import { dumpDatabase } from '../../salvor/src/databases/mariadb/dump.ts';
import type { LoadPart } from '../../salvor/src/databases/mariadb/load.ts';
import { probeDatabase } from '../../salvor/src/databases/mariadb/probe.ts';
import { chooseDumpCut } from '../../salvor/src/points/dump-cut.ts';
import { runCommand } from '../measure/run-command.ts';
import type { Repository } from '../programs.ts';
import type { RowContext } from '../rows/rows.ts';
import { freshRepository } from '../rows/repositories.ts';
import { Prose } from './prose.ts';
import { SiteDatabase } from './site-database.ts';

export type LoadedSite = AsyncDisposable & {
  readonly server: MariaDbServer;
  readonly name: string;
  readonly tables: number;
  readonly rows: number;
  /** As `mariadb-dump --single-transaction --routines` writes it. */
  readonly dump: string;
  readonly dumpBytes: number;
  /** The point's parts, each read out of the repository when it is asked for. */
  readonly parts: readonly LoadPart[];
  /** Rows of each table, as the point's manifest has them. */
  readonly expected: readonly { readonly table: string; readonly rows: number }[];
  /** Every byte of every table as the server sums it, and every definition. */
  describe(): Promise<string>;
};

/** At full size about a million rows. */
const NODES = 30_000;
const SMALL_TABLES = 130;
const SMALL_ROWS = 40;
const SEED = 20_261_127;

/** What a small host has: memory for the working set, a log that is not written over at once, commits that are kept. */
const SERVER_OPTIONS = [
  '--innodb-buffer-pool-size=512M',
  '--innodb-log-file-size=96M',
  '--innodb-flush-log-at-trx-commit=1',
];

export async function openLoadedSite(context: RowContext): Promise<LoadedSite> {
  const { work } = context.place;
  const name = 'site';
  await using made = new AsyncDisposableStack();
  const server = made.use(await openMariaDb({ directory: join(work, 'server'), serverOptions: SERVER_OPTIONS }));
  const random = new Random(SEED);
  const database = new SiteDatabase(server, name, random, new Prose(random.fork('prose')));
  await database.fill(Math.max(20, Math.round(NODES * context.scale)));
  await server.query(`USE ${name}; ${smallTables(Math.max(10, Math.round(SMALL_TABLES * context.scale)))}`);
  const { tables } = await probeDatabase(server.rootLogin, name);
  const repository = await freshRepository('loaded-site', context);
  const { view, expected } = await backUp(server, name, repository, context);
  const parts = await listParts(view, name);
  const dump = join(work, 'site.sql');
  const login = ['--no-defaults', '--user=root', `--socket=${server.socket}`];
  const flags = ['--single-transaction', '--routines', `--result-file=${dump}`];
  await runCommand(['mariadb-dump', ...login, ...flags, name], { work, signal: context.signal });
  const resources = made.move();
  return {
    server,
    name,
    tables: tables.length,
    rows: expected.reduce((sum, { rows }) => sum + rows, 0),
    dump,
    dumpBytes: readFileSync(dump).length,
    parts,
    expected,
    describe: () => describe(server, name),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

function smallTables(count: number): string {
  return Array.from(
    { length: count },
    (
      _,
      number,
    ) => `CREATE TABLE cache_${number} (cid VARCHAR(255) CHARACTER SET ascii NOT NULL, data LONGBLOB, expire INT NOT NULL DEFAULT 0,
      created DECIMAL(14,3), tags LONGTEXT, PRIMARY KEY (cid), KEY expire (expire), KEY created (created)) ENGINE=InnoDB;
      INSERT INTO cache_${number} SELECT CONCAT(MD5(seq), ':', seq), REPEAT(SHA2(seq + ${number}, 256), 4), -1, seq * 1.5, 'tags' FROM seq_1_to_${SMALL_ROWS};`,
  ).join('\n');
}

async function backUp(
  server: MariaDbServer,
  name: string,
  { directory, passwordFile }: Repository,
  { place, signal }: RowContext,
): Promise<{ readonly view: SnapshotView; readonly expected: LoadedSite['expected'] }> {
  const text = readFileSync(passwordFile, 'utf8').trim();
  const repository = await openRepository(openLocalStorage(directory), { kind: 'password', text });
  const facts = await probeDatabase(server.rootLogin, name);
  const bytes = facts.tables.reduce((sum, table) => sum + table.approximateDataBytes, 0);
  const { cutBytes } = chooseDumpCut([], name, bytes);
  const defaultsDirectory = join(place.work, 'clients');
  await mkdir(defaultsDirectory, { recursive: true });
  const expected: { table: string; rows: number }[] = [];
  const entries = async function* (): AsyncGenerator<SourceEntry> {
    for await (const part of dumpDatabase(server.rootLogin, name, { defaultsDirectory, cutBytes })) {
      const open = (): AsyncIterable<Uint8Array> => part.bytes;
      yield { kind: 'stream', name: part.file, cut: part.kind === 'table' ? 'given' : 'content', open };
      if (part.table !== null) expected.push({ table: part.table, rows: part.rows() });
    }
  };
  const source: SourceEntry = { kind: 'directory', name, entries: entries() };
  await backup({ repositories: [repository], source: [source], paths: [`/${name}`], host: 'bench', signal });
  const [snapshot] = (await listSnapshots(repository)).snapshots;
  if (snapshot === undefined) throw new Error('the dump is in no snapshot');
  return { view: await openView(repository, snapshot), expected };
}

async function listParts(view: SnapshotView, name: string): Promise<readonly LoadPart[]> {
  const parts: LoadPart[] = [];
  for await (const entry of view.list(`/${name}`)) {
    const kind = entry.name === '000000-head.sql' ? 'head' : entry.name.endsWith('-tail.sql') ? 'tail' : 'table';
    const table = kind === 'table' ? entry.name.slice(7, -4) : null;
    const open = (): AsyncIterable<Uint8Array> => view.readEntry(entry);
    parts.push({ file: entry.name, kind, table, size: entry.size, open });
  }
  return parts;
}

async function describe(server: MariaDbServer, name: string): Promise<string> {
  const list = await server.query(
    `SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = '${name}' ORDER BY 1`,
  );
  const tables = list.trim().split('\n');
  const sums = await server.query(`USE ${name}; CHECKSUM TABLE ${tables.join(', ')} EXTENDED;`);
  const definitions = await server.query(
    `USE ${name}; ${tables.map((table) => `SHOW CREATE TABLE ${table};`).join(' ')}`,
  );
  return createHash('sha256').update(sums).update(definitions).digest('hex');
}
