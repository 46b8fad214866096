/** A host of several accounts on one database server, whose sites change from day to day; it remembers what each was like. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DemoHost, type DemoSite, buildHost } from '../../../demo/host.ts';
import { type MariaDbServer, openMariaDb } from '../../../demo/mariadb-server.ts';
import { Random } from '../../../demo/random.ts';
import { quoteName } from '../../../demo/sql.ts';
import { makeTemporaryDirectory } from '../../../demo/temporary-directory.ts';

/** What a site held in a night: hashes of files by their path in the site, and the rows of a table that changes daily. */
export type Seen = { readonly files: ReadonlyMap<string, string>; readonly diary: string };

export type SimulatedSite = DemoSite & { readonly account: string };

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

  static async open(size: { accounts: number; sites: number; seed: number }): Promise<SimulatedHost> {
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
    writeFileSync(
      host.config,
      `state: ${join(path, 'state')}
homes: [${accounts.map(({ home }) => home).join(', ')}]
local: ${join(path, 'repositories')}
remote: ${join(path, 'remote')}
staging: ${join(path, 'staging')}
mariadb: { socket: ${JSON.stringify(mariadb.socket)} }
policy: { nightly: { spread: 0 }, archives: { format: none }, limits: { nice: no } }
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
      writeFileSync(join(files, 'changing.txt'), `${site.uri} of day ${day} ${this.#random.sentence(400)}`);
      await this.mariadb.query(`USE ${quoteName(site.database)};
INSERT INTO diary VALUES (${day}, '${this.#random.sentence(30)}');
UPDATE diary SET words = CONCAT(words, ' ${day}') WHERE day = ${Math.max(0, day - 2)};`);
    }
  }

  async look(site: SimulatedSite): Promise<Seen> {
    const files = new Map<string, string>();
    for (const name of ['files/daily/changing.txt', 'settings.php'])
      files.set(name, hashOf(readFileSync(join(site.path, name))));
    return { files, diary: await this.diaryOf(site.database) };
  }

  async diaryOf(database: string): Promise<string> {
    return await this.mariadb.query(`SELECT * FROM ${quoteName(database)}.diary ORDER BY day`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#held.disposeAsync();
  }
}

export function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
