/**
 * A host to show and to test on: one account as Aegir lays it out, WordPress and Drupal sites with content in it, a
 * MariaDB and a web server of its own. All of it lies in one directory and ends with it.
 *
 *   MariaDB → home → platforms → for each site: database and user, context, files and rows → serve
 *
 * The same seed and sizes give the same content. Knows nothing of Salvor: it is what Salvor finds.
 */
import { cp, mkdir, chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  layOutHome,
  writeOwned,
  writePlatform,
  writeServers,
  writeSite,
  type AegirPlatform,
  type AegirSite,
  type DemoAccount,
} from './aegir-account.ts';
import { buildDrupalPlatform, buildDrupalSite } from './drupal-site.ts';
import { openMariaDb, type MariaDbServer } from './mariadb-server.ts';
import { toPhp } from './php-value.ts';
import { Random } from './random.ts';
import { runToEnd } from './run-as.ts';
import { quoteName } from './sql.ts';
import { makeTemporaryDirectory } from './temporary-directory.ts';
import { findFreePort, openWebServer, type WebServer } from './web-server.ts';
import { buildWordPressPlatform, buildWordPressSite, type SiteDatabaseAccess } from './wordpress-site.ts';

export type DemoSite = {
  readonly uri: string;
  readonly cms: 'wordpress' | 'drupal';
  /** `<platform root>/sites/<uri>` */
  readonly path: string;
  /** Where `serve` serves it: `http://127.0.0.1:<port>/`. */
  readonly url: string;
  readonly database: string;
  readonly user: string;
  readonly password: string;
};

export type DemoHost = AsyncDisposable & {
  readonly directory: string;
  readonly home: string;
  readonly account: DemoAccount;
  readonly sites: readonly DemoSite[];
  readonly mariadb: MariaDbServer;
  site(uri: string): DemoSite;
  /** Starts a web server for each site; resolves when all of them listen. */
  serve(): Promise<void>;
};

export type BuildHostOptions = {
  /** Made where it is missing, and kept at the end; absent: a temporary one, removed at the end. */
  readonly directory?: string;
  readonly seed?: number;
  readonly account?: string;
  /** Posts of the WordPress site. */
  readonly posts?: number;
  /** Rows in each of the main tables of a Drupal site, and ordinary files in its directory (about 7 kB each). */
  readonly nodes?: number;
  readonly files?: number;
  /** A third platform with a fourth site, in Drupal 7's shape. */
  readonly withDrupal7?: boolean;
  /** The server of another host, which several accounts then share, as they do on a real one. */
  readonly mariadb?: MariaDbServer;
  readonly uid?: number;
  /** URIs of the Drupal 10 sites; two of them where it is absent. */
  readonly drupalSites?: readonly string[];
  /** Of Drupal 10 sites that come after these. */
  readonly furtherSites?: readonly string[];
  /** Leaves WordPress out, where only sizes matter. */
  readonly withoutWordPress?: boolean;
  /** Told of each part before it is made. */
  readonly onStep?: (step: string) => void;
};

/** Of the range that no distribution gives to anybody. */
const DEMO_UID = 60801;

/** Builds the host; nothing is served before `serve`. Needs root for owners of their own, else all is ours. */
export async function buildHost(options: BuildHostOptions = {}): Promise<DemoHost> {
  await using made = new AsyncDisposableStack();
  const step = options.onStep ?? (() => {});
  const random = new Random(options.seed ?? 1);
  const directory = options.directory ?? made.use(await makeTemporaryDirectory('salvor-demo')).path;
  await mkdir(directory, { recursive: true });
  await chmod(directory, 0o755);

  step('MariaDB on a socket of its own');
  const mariadb = options.mariadb ?? made.use(await openMariaDb({ directory: join(directory, 'mariadb') }));
  const name = options.account ?? 'o1';
  const account = await makeAccount(name, options.uid ?? DEMO_UID, join(directory, 'data/disk', name));
  const scripts = join(directory, 'scripts');
  // A checkout may be closed to the account's user.
  await cp(fileURLToPath(new URL('php/', import.meta.url)), scripts, { recursive: true });
  await layOutHome(account);
  await writeServers(account, await makeAdministrator(mariadb, random.fork('administrator')));

  const builder: Builder = { account, mariadb, random, scripts, options, step };
  const sites: BuiltSite[] = [];
  if (options.withoutWordPress !== true) sites.push(await buildWordPress(builder));
  const planSite = (uri: string): DrupalSitePlan => ({ uri, title: uri, cloaked: false });
  const plans = [
    ...(options.drupalSites?.map(planSite) ?? DRUPAL_10_SITES),
    ...(options.furtherSites ?? []).map(planSite),
  ];
  sites.push(...(await buildDrupal(builder, 10, plans)));
  if (options.withDrupal7 === true) sites.push(...(await buildDrupal(builder, 7, DRUPAL_7_SITES)));

  const servers: WebServer[] = [];
  const serve = async (): Promise<void> => {
    if (servers.length > 0) return;
    for (const site of sites) {
      const server = await openWebServer(
        {
          port: site.port,
          root: site.root,
          router: join(scripts, 'router.php'),
          vhost: join(account.home, 'config/server_master/nginx/vhost.d', site.uri),
          mariadbSocket: mariadb.socket,
        },
        account,
      );
      servers.push(resources.use(server));
    }
  };
  const resources = made.move();
  return {
    directory,
    home: account.home,
    account,
    sites,
    mariadb,
    serve,
    site: (uri) => {
      const found = sites.find((site) => site.uri === uri);
      if (found === undefined) throw new Error(`the demo has no site ${uri}`);
      return found;
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

type BuiltSite = DemoSite & { readonly port: number; readonly root: string };

type Builder = {
  readonly account: DemoAccount;
  readonly mariadb: MariaDbServer;
  readonly random: Random;
  readonly scripts: string;
  readonly options: BuildHostOptions;
  readonly step: (step: string) => void;
};

type DrupalSitePlan = { readonly uri: string; readonly title: string; readonly cloaked: boolean };

const DRUPAL_10_SITES: readonly DrupalSitePlan[] = [
  { uri: 'harbour.example.org', title: 'Harbour office', cloaked: true },
  { uri: 'market.example.org', title: 'Fish market', cloaked: false },
];
const DRUPAL_7_SITES: readonly DrupalSitePlan[] = [
  { uri: 'archive.example.org', title: 'Harbour archive', cloaked: true },
];

async function buildWordPress(builder: Builder): Promise<BuiltSite> {
  const { account, random, options, step } = builder;
  const uri = 'journal.example.org';
  step('a copy of Debian’s WordPress');
  const platform: AegirPlatform = { name: 'wordpress', root: join(account.home, 'distro/001/wordpress') };
  await buildWordPressPlatform(platform.root, account, builder.scripts);
  await writePlatform(account, platform);
  const port = await findFreePort();
  await writeSitesPhp(platform, [{ uri, port }], account);

  step(`${uri}, by WordPress’s own installer`);
  const site: AegirSite = { uri, platform, path: join(platform.root, 'sites', uri), profile: 'wordpress' };
  const access = await makeDatabase(builder, uri);
  const size = { posts: options.posts ?? 12, host: `127.0.0.1:${port}`, title: 'Harbour journal' };
  await buildWordPressSite(site, account, access, size, builder.scripts, random.fork(uri));
  await writeSite(account, site);
  return { ...describe(site, port, access), cms: 'wordpress' };
}

async function buildDrupal(
  builder: Builder,
  shape: 7 | 10,
  plans: readonly DrupalSitePlan[],
): Promise<readonly BuiltSite[]> {
  const { account, mariadb, random, options, step } = builder;
  const platform: AegirPlatform = {
    name: `drupal_${shape}`,
    root: join(account.home, `distro/001/drupal-${shape}-prod`),
  };
  await buildDrupalPlatform(shape, platform.root, account, builder.scripts);
  await writePlatform(account, platform);
  const ported: { readonly uri: string; readonly port: number; readonly plan: DrupalSitePlan }[] = [];
  for (const plan of plans) ported.push({ uri: plan.uri, port: await findFreePort(), plan });
  await writeSitesPhp(platform, ported, account);

  const sites: BuiltSite[] = [];
  for (const { uri, port, plan } of ported) {
    step(`${uri}, Drupal-shaped, with generated content`);
    const profile = shape === 10 ? 'harbour' : 'standard';
    const site: AegirSite = { uri, platform, path: join(platform.root, 'sites', uri), profile };
    const access = await makeDatabase(builder, uri);
    const size = { title: plan.title, nodes: options.nodes ?? 200, files: options.files ?? 200 };
    await buildDrupalSite(site, { shape, cloaked: plan.cloaked }, account, access, size, mariadb, random.fork(uri));
    await writeSite(account, site);
    sites.push({ ...describe(site, port, access), cms: 'drupal' });
  }
  return sites;
}

function describe(site: AegirSite, port: number, access: SiteDatabaseAccess): Omit<BuiltSite, 'cms'> {
  const { database, user, password } = access;
  const url = `http://127.0.0.1:${port}/`;
  return { uri: site.uri, path: site.path, url, database, user, password, port, root: site.platform.root };
}

async function makeAccount(name: string, ownUid: number, home: string): Promise<DemoAccount> {
  const uid = process.getuid?.() ?? 0;
  if (uid !== 0) {
    const gid = process.getgid?.() ?? 0;
    return { name, home, uid, gid, webGid: gid };
  }
  const group = await runToEnd(['getent', 'group', 'www-data'], '').catch(() => '');
  return { name, home, uid: ownUid, gid: ownUid, webGid: Number(group.split(':')[2] ?? ownUid) };
}

/** The user that Aegir creates databases with; gives its log-in as Aegir's contexts hold it. */
async function makeAdministrator(mariadb: MariaDbServer, random: Random): Promise<string> {
  const password = random.password(16);
  await mariadb.query(`GRANT ALL ON *.* TO aegir_root@localhost IDENTIFIED BY '${password}' WITH GRANT OPTION;`);
  return `mysql://aegir_root:${password}@localhost`;
}

/** A database of its own with a user that may do everything there and nothing elsewhere. */
async function makeDatabase(builder: Builder, uri: string): Promise<SiteDatabaseAccess> {
  const name = uri.replaceAll(/[^a-z0-9]/g, '').slice(0, 16);
  const password = builder.random.fork(`password of ${uri}`).password(20);
  await builder.mariadb.query(`CREATE DATABASE ${quoteName(name)} CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;
CREATE USER ${quoteName(name)}@localhost IDENTIFIED BY '${password}';
GRANT ALL PRIVILEGES ON ${quoteName(name)}.* TO ${quoteName(name)}@localhost;`);
  return { socket: builder.mariadb.socket, database: name, user: name, password };
}

/** Drupal's map of addresses to sites: a port that is not 80 stands before the name. */
async function writeSitesPhp(
  platform: AegirPlatform,
  sites: readonly { readonly uri: string; readonly port: number }[],
  account: DemoAccount,
): Promise<void> {
  const lines = sites.map(({ uri, port }) => `$sites['${port}.127.0.0.1'] = ${toPhp(uri)};\n`);
  await writeOwned(join(platform.root, 'sites/sites.php'), `<?php\n\n${lines.join('')}`, 0o644, account);
}
