/** A host of several accounts on one database server, whose sites change from day to day; it remembers what each was like. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { runCommand } from '../../../bench/measure/run-command.ts';
import { type DemoHost, type DemoSite, buildHost } from '../../../demo/host.ts';
import { type MariaDbServer, openMariaDb } from '../../../demo/mariadb-server.ts';
import { Random } from '../../../demo/random.ts';
import { quoteName } from '../../../demo/sql.ts';
import { makeTemporaryDirectory } from '../../../demo/temporary-directory.ts';

/** What a site held in a night, of all that a night keeps: hashes of files by their path in the site, checksums of tables by name. */
export type Seen = { readonly files: ReadonlyMap<string, string>; readonly tables: ReadonlyMap<string, string> };

export type SimulatedSite = DemoSite & { readonly account: string };

/** What the nightly job leaves out of a Drupal site by rule. */
const REGENERABLE = /^files\/(?:css|js|styles|imagecache|php|advagg_css|advagg_js)\//;
const CHECKSUM_OF_NONE = '0';
/** Says the time zone and the mode that the rows are written for. */
const HEAD = '000000-head.sql';

export class SimulatedHost implements AsyncDisposable {
  readonly directory: string;
  readonly config: string;
  readonly mariadb: MariaDbServer;
  readonly accounts: readonly DemoHost[];
  readonly sites: readonly SimulatedSite[];
  readonly #random: Random;
  readonly #held: AsyncDisposableStack;

  private constructor(
    directory: string,
    mariadb: MariaDbServer,
    accounts: readonly DemoHost[],
    random: Random,
    held: AsyncDisposableStack,
  ) {
    this.directory = directory;
    this.config = join(directory, 'salvor.yaml');
    this.mariadb = mariadb;
    this.accounts = accounts;
    this.sites = accounts.flatMap((host) => host.sites.map((site) => ({ ...site, account: host.account.name })));
    this.#random = random;
    this.#held = held;
  }

  static async open(size: {
    accounts: number;
    sites: number;
    seed: number;
    /** How long the remote copy waits with what the rules let go of; else as the preset says. */
    remoteDeletes?: string;
  }): Promise<SimulatedHost> {
    await using made = new AsyncDisposableStack();
    const { path } = made.use(await makeTemporaryDirectory('salvor-days'));
    const mariadb = made.use(await openMariaDb({ directory: join(path, 'mariadb') }));
    const accounts: DemoHost[] = [];
    for (let at = 0; at < size.accounts; at++) {
      const count = Math.floor(size.sites / size.accounts) + (at < size.sites % size.accounts ? 1 : 0);
      const drupalSites = Array.from({ length: count }, (_, n) => `s${n}.a${at}.example.org`);
      const account = `a${at}`;
      accounts.push(
        made.use(
          await buildHost({
            directory: path,
            account,
            uid: 60_900 + at,
            mariadb,
            drupalSites,
            withoutWordPress: true,
            nodes: 12,
            files: 8,
            seed: size.seed,
          }),
        ),
      );
    }
    const host = new SimulatedHost(path, mariadb, accounts, new Random(size.seed).fork('days'), made.move());
    const keep = size.remoteDeletes === undefined ? '' : `, keep: { remoteDeletes: ${size.remoteDeletes} }`;
    writeFileSync(
      host.config,
      `state: ${join(path, 'state')}
homes: [${accounts.map(({ home }) => home).join(', ')}]
local: ${join(path, 'repositories')}
remote: ${join(path, 'remote')}
staging: ${join(path, 'staging')}
mariadb: { socket: ${JSON.stringify(mariadb.socket)} }
policy: { nightly: { spread: 0 }, archives: { format: none }, limits: { nice: no }${keep} }
`,
    );
    for (const site of host.sites)
      await mariadb.query(
        `USE ${quoteName(site.database)}; CREATE TABLE diary (day INT PRIMARY KEY, words TEXT) ENGINE=InnoDB;`,
      );
    return host;
  }

  /** A day goes by: some files are new, some changed, some gone, rows too. */
  async live(day: number): Promise<void> {
    for (const site of this.sites) {
      const files = join(site.path, 'files/daily');
      mkdirSync(files, { recursive: true });
      writeFileSync(join(files, `new-${day}.txt`), `${site.uri} ${day} ${this.#random.sentence(200)}`);
      // What is deleted is still there in the nights before.
      rmSync(join(files, `new-${day - 1}.txt`), { force: true });
      writeFileSync(join(files, 'changing.txt'), `${site.uri} of day ${day} ${this.#random.sentence(400)}`);
      await this.mariadb.query(`USE ${quoteName(site.database)};
INSERT INTO diary VALUES (${day}, '${this.#random.sentence(30)}');
UPDATE diary SET words = CONCAT(words, ' ${day}') WHERE day = ${Math.max(0, day - 2)};`);
    }
  }

  async look(site: SimulatedSite): Promise<Seen> {
    const files = new Map<string, string>();
    for (const entry of readdirSync(site.path, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      const name = relative(site.path, path);
      // What is seen through a link to a directory lies in that. A name that is no UTF-8 can't be asked for by a text.
      if (realpathSync(entry.parentPath) !== realpathSync(site.path) + entry.parentPath.slice(site.path.length))
        continue;
      if (!entry.isFile() || REGENERABLE.test(name) || name.includes('\ufffd')) continue;
      files.set(name, hashOf(readFileSync(path)));
    }
    const tables = await this.checksumsOf(site.database);
    // Of a cache the table is kept, and no row.
    for (const name of tables.keys()) if (/^cache(?:_|$)/.test(name)) tables.set(name, CHECKSUM_OF_NONE);
    return { files, tables };
  }

  /** The same for the same rows, in whatever order they lie. */
  async checksumsOf(database: string): Promise<Map<string, string>> {
    const listed = await this.mariadb.query(`SELECT HEX(table_name) FROM information_schema.tables
WHERE table_schema = '${database}' AND table_type = 'BASE TABLE' ORDER BY table_name`);
    const names = listed.split('\n').flatMap((hex) => (hex === '' ? [] : [Buffer.from(hex, 'hex').toString()]));
    if (names.length === 0) return new Map();
    const quoted = names.map((name) => `${quoteName(database)}.${quoteName(name)}`);
    const sums = (await this.mariadb.query(`CHECKSUM TABLE ${quoted.join(', ')} EXTENDED`)).trim().split('\n');
    return new Map(names.map((name, at) => [name, sums[at]?.split('\t').at(-1) ?? '']));
  }

  /** The checksums of what a dump of a site's database holds, loaded into another one. */
  async checksumsOfDump({ user }: SimulatedSite, dump: Uint8Array): Promise<Map<string, string>> {
    const scratch = `judge_${this.#random.next()}`;
    const file = join(this.directory, `${scratch}.sql`);
    writeFileSync(file, Buffer.concat([Buffer.from('SET foreign_key_checks = 0;\n'), dump]));
    // Views are read with the rights of whom they belong to.
    const rights = `ALL PRIVILEGES ON ${scratch}.*`;
    await this.mariadb.query(`CREATE DATABASE ${scratch}; GRANT ${rights} TO '${user}'@'localhost'`);
    const load = 'exec mariadb --no-defaults --socket="$1" --user=root --default-character-set=utf8mb4 "$2" < "$3"';
    await runCommand(['bash', '-c', load, 'load', this.mariadb.socket, scratch, file], {
      work: this.directory,
      signal: AbortSignal.timeout(60_000),
    });
    const found = await this.checksumsOf(scratch);
    await this.mariadb.query(`REVOKE ${rights} FROM '${user}'@'localhost'; DROP DATABASE ${scratch}`);
    rmSync(file);
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#held.disposeAsync();
  }
}

export function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** All files of a dump's directory in the order in which they are loaded, or those that one table needs: its own and the head. */
export function readDump(directory: string, table: string | null = null): Buffer {
  const isWanted = (name: string): boolean =>
    table === null || name === HEAD || decodeURIComponent(name.slice('000000-'.length, -'.sql'.length)) === table;
  return Buffer.concat(
    readdirSync(directory)
      .toSorted()
      .filter((name) => name.endsWith('.sql') && isWanted(name))
      .map((name) => readFileSync(join(directory, name))),
  );
}
