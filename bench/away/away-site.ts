/** A site to be restored while it is used: a demo host's Drupal site with many files, tables and rows in it. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import { type DemoHost, type DemoSite, buildHost } from '../../demo/host.ts';
import { initFlags, runSalvor, salvorPlaces } from '../../demo/salvor-command.ts';

export type AwaySite = AsyncDisposable & {
  readonly host: DemoHost;
  readonly site: DemoSite;
  readonly point: string;
  /** Aegir's archive of the same state: the site's directory with its dump in it. */
  readonly archive: string;
  readonly files: number;
  readonly bytes: number;
  /**
   * Makes the site one that has moved on since: files and rows say `new`. Of `every` table a row has changed, or of a
   * `few` of them as in most sites, so that all others are equal to those of the point.
   */
  moveOn(tables: MovedTables): Promise<void>;
};

export type MovedTables = 'few' | 'every';

/** At full size: 2 GB in files, 300 tables, 1 million rows. */
const FILE_BYTES = 1_000_000;
const FILES = 2000;
const TABLES = 300;
const ROWS = 1_000_000;

export async function openAwaySite(directory: string, scale: number, signal: AbortSignal): Promise<AwaySite> {
  await using made = new AsyncDisposableStack();
  const host = made.use(await buildHost({ directory, withoutWordPress: true, nodes: 10, files: 10 }));
  const site = host.site('market.example.org');
  const files = Math.round(FILES * scale);
  mkdirSync(join(site.path, 'files/bench'));
  for (let number = 0; number < files; number++) {
    writeFileSync(join(site.path, 'files/bench', `${number}.bin`), randomBytes(FILE_BYTES));
    if (number % 50 === 0) await breathe();
    signal.throwIfAborted();
  }
  const tables = Math.round(TABLES * scale);
  const rows = Math.round(ROWS * scale);
  const own = Array.from(
    { length: tables },
    (_, number) => `CREATE TABLE bench_${number} (id INT PRIMARY KEY, body VARCHAR(200), KEY (body));
      INSERT INTO bench_${number} SELECT seq, CONCAT(MD5(seq + ${number}), MD5(seq * 7), MD5(seq * 31)) FROM seq_1_to_${Math.round(rows / tables)};`,
  );
  await host.mariadb.query(
    `USE \`${site.database}\`; ${own.join('\n')}
     CREATE TABLE bench_state (id INT PRIMARY KEY, state VARCHAR(10)); INSERT INTO bench_state VALUES (1, 'old');
     CREATE TABLE bench_writes (client INT, number BIGINT, is_seen BOOL NOT NULL DEFAULT 0, PRIMARY KEY (client, number));
     CREATE TRIGGER bench_sees BEFORE INSERT ON bench_writes FOR EACH ROW SET NEW.is_seen = 1;`,
  );
  writeFileSync(join(site.path, 'files/state.txt'), 'old');
  execFileSync('chown', [
    '-R',
    `${host.account.uid}:${host.account.gid}`,
    join(site.path, 'files/bench'),
    join(site.path, 'files/state.txt'),
  ]);
  const flags = initFlags(host);
  // What a restore replaces is in its safety point; the peer makes no archive of it either.
  appendFileSync(salvorPlaces(host).config, 'policy: { archives: { format: none } }\n');
  await salvor(host, ['init', ...flags]);
  const { point } = (await salvor(host, ['backup', site.uri])) as { point: string };
  const archive = join(host.directory, 'archive.tar.gz');
  makeArchive(host, site, archive);
  const resources = made.move();
  return {
    host,
    site,
    point,
    archive,
    files,
    bytes: files * FILE_BYTES,
    moveOn: async (moved) => {
      writeFileSync(join(site.path, 'files/state.txt'), 'new');
      const changes = Array.from(
        { length: moved === 'every' ? tables : 0 },
        (_, number) => `UPDATE bench_${number} SET body = 'new' WHERE id = 1;`,
      );
      await host.mariadb.query(
        `USE \`${site.database}\`; UPDATE bench_state SET state = 'new'; TRUNCATE bench_writes; ${changes.join('\n')}`,
      );
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** Runs the command and gives its document; three means that something is named. */
export async function salvor(host: DemoHost, args: readonly string[]): Promise<unknown> {
  const run = await runSalvor(host, args);
  if (run.exit !== 0 && run.exit !== 3) throw new Error(`salvor ${args.join(' ')}: ${run.exit}\n${run.complaint}`);
  return run.document;
}

/** As Aegir makes it: the dump lies in the site's directory while that is packed. */
export function makeArchive(host: DemoHost, site: DemoSite, archive: string): void {
  const dump = join(site.path, 'database.sql');
  sh(
    `mariadb-dump --no-defaults -uroot -S '${host.mariadb.socket}' --single-transaction --routines '${site.database}' > '${dump}'`,
  );
  sh(`tar czf '${archive}' -C '${site.path}' .`);
  rmSync(dump);
}

/** Aegir's way: the archive is unpacked in the site's place and its dump loaded into the site's database. */
export function aegirCommand({ host, site, archive }: AwaySite): string {
  const client = `mariadb --no-defaults -uroot -S '${host.mariadb.socket}' '${site.database}'`;
  return `set -e; find '${site.path}' -mindepth 1 -delete; tar xzf '${archive}' -C '${site.path}'; ${client} < '${site.path}/database.sql'; rm '${site.path}/database.sql'`;
}

export function sh(command: string): void {
  execFileSync('sh', ['-c', command], { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** Databases in which a restore keeps what it replaced. */
export async function listKept({ host }: AwaySite): Promise<readonly string[]> {
  const names = await host.mariadb.query("SHOW DATABASES LIKE 'salvor%old%'");
  return names.split('\n').filter((name) => name !== '');
}

/** How many files a directory has, hidden ones too. */
export function countFiles(directory: string): number {
  return readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length;
}
