/** `--into`: a site gets what another one had, and stays who it is. */
import assert from 'node:assert/strict';
import {
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { DemoSite } from '../../../demo/host.ts';
import {
  type ObservedDatabase,
  type ObservedTree,
  differences,
  observeDatabase,
  observeTree,
} from '../../../demo/observe-site.ts';
import type { Config } from '../../src/config.ts';
import { keepOwnAddresses } from '../../src/tasks/into-site.ts';
import { EVERYTHING, type FaultHost, hasCode, openFaultHost } from '../fault/fault-host.ts';

const SETTINGS = ['settings.php', 'drushrc.php', 'local.settings.php'];

describe('a point put into another site', () => {
  let test: FaultHost;
  let from: DemoSite;
  let to: DemoSite;
  let point: string;

  before(async () => {
    test = await openFaultHost();
    from = test.host.site('harbour.example.org');
    to = test.site;
    await test.host.mariadb.query(
      `USE \`${from.database}\`; CREATE SEQUENCE numbers; CREATE TABLE tickets (id BIGINT DEFAULT NEXTVAL(numbers) PRIMARY KEY, name TEXT); INSERT INTO tickets (name) VALUES ('a');`,
    );
    await using agent = await test.open();
    ({ point } = await agent.backup(from.uri, { reason: null }));
  });
  after(() => test[Symbol.asyncDispose]());

  const own = (tree: ObservedTree): ObservedTree => new Map([...tree].filter(([name]) => SETTINGS.includes(name)));
  const rest = (tree: ObservedTree, without: readonly string[] = []): ObservedTree =>
    new Map(
      [...tree].filter(
        ([name]) => ![...SETTINGS, '.', ...without].some((other) => name === other || name.startsWith(`${other}/`)),
      ),
    );
  /** Definers are the site's own user; a default from a sequence names the database. */
  const tables = async (site: DemoSite): Promise<ObservedDatabase> => {
    const seen = await observeDatabase(test.host.mariadb, site.database);
    return new Map(
      [...seen]
        .filter(([name]) => /^(checksum|table) /.test(name))
        .map(([name, value]) => [name.replace(site.database, 'database'), value.replaceAll(site.database, 'database')]),
    );
  };
  const WISH = { ...EVERYTHING, into: 'market.example.org' } as const;

  it('brings files and tables, keeps settings and log-in, and undo brings back what was there', async () => {
    const source = { files: observeTree(from.path), tables: await tables(from) };
    const target = { files: observeTree(to.path), tables: await tables(to) };
    await using agent = await test.open();
    const { plan } = await agent.restore(from.uri, { ...WISH, point, dryRun: true });
    assert.deepEqual([plan.uri, plan.into, plan.obstacles], [from.uri, 'o1/market.example.org', []]);
    assert.deepEqual(
      plan.notes.map(({ code }) => code),
      ['names-stay'],
    );
    assert.ok((plan.files?.changed ?? 0) > 0);

    const restored = await agent.restore(from.uri, { ...WISH, point });
    assert.deepEqual(restored.problems, []);
    const now = observeTree(to.path);
    const php = (name: string): boolean => restored.refreshed.includes(name);
    assert.deepEqual(differences(rest(source.files), rest(now), php), []);
    assert.deepEqual(differences(own(target.files), own(now)), []);
    assert.deepEqual(differences(source.tables, await tables(to)), []);
    assert.deepEqual(differences(source.files, observeTree(from.path)), []);
    assert.deepEqual(differences(source.tables, await tables(from)), []);
    const safety = (await agent.points(to.uri))[0];
    assert.equal(safety?.id, restored.safetyPoint);

    await agent.undo(restored.task ?? '');
    assert.deepEqual(differences(target.files, observeTree(to.path), php), []);
    assert.deepEqual(differences(target.tables, await tables(to)), []);
  });

  it('brings chosen paths and tables, and refuses those that say who a site is', async () => {
    rmSync(join(to.path, 'files/pictures'), { recursive: true });
    await using agent = await test.open();
    await agent.restore(from.uri, { ...WISH, point, paths: ['files/pictures'], tables: ['sessions'] });
    assert.ok(existsSync(join(to.path, 'files/pictures')));
    const refused = agent.restore(from.uri, { ...WISH, point, paths: ['settings.php'] });
    await assert.rejects(refused, hasCode('restore-obstructed'));
    await assert.rejects(refused, /market\.example\.org was not restored/);
  });

  it('is refused where the prefixes of their tables differ', async () => {
    const sites: Config['sites'] = {
      'market.example.org': {
        databases: [
          { name: to.database, user: null, password: null, host: null, port: null, socket: null, prefix: 'x_' },
        ],
      },
    };
    await using agent = await test.open(() => {}, { sites });
    const { plan } = await agent.restore(from.uri, { ...WISH, point, dryRun: true });
    assert.ok(plan.obstacles.some(({ code }) => code === 'prefix-differs'));
  });

  it('leaves a WordPress the address that it has', async () => {
    await test.host.mariadb.query(
      `CREATE DATABASE own; CREATE DATABASE salvor_built;
       CREATE TABLE own.wp_options (option_name VARCHAR(191) PRIMARY KEY, option_value LONGTEXT);
       CREATE TABLE salvor_built.wp_options LIKE own.wp_options;
       INSERT INTO own.wp_options VALUES ('siteurl', 'https://own.test/it\\'s'), ('home', 'https://own.test'), ('blogname', 'Own');
       INSERT INTO salvor_built.wp_options VALUES ('siteurl', 'https://other.test'), ('home', 'https://other.test'), ('blogname', 'Other');`,
    );
    const login = test.host.mariadb.rootLogin;
    await keepOwnAddresses(login, { cms: 'wordpress' }, { name: 'own', prefix: 'wp_' }, 'salvor_built');
    const options = await test.host.mariadb.query('SELECT * FROM salvor_built.wp_options ORDER BY 1');
    assert.equal(options, "blogname\tOther\nhome\thttps://own.test\nsiteurl\thttps://own.test/it's\n");
    await test.host.mariadb.query('DROP DATABASE own; DROP DATABASE salvor_built');
  });

  it('puts files where that site has them: behind its own link, and into a directory where it has none', async () => {
    const shown = (site: string): string => join(test.host.home, 'static/files', site);
    mkdirSync(join(test.host.home, 'static/files'), { recursive: true });
    for (const path of ['static', 'static/files'])
      lchownSync(join(test.host.home, path), test.host.account.uid, test.host.account.gid);
    const moveOut = (site: DemoSite, link: string, name: string): void => {
      renameSync(join(site.path, link), shown(name));
      symlinkSync(shown(name), join(site.path, link));
      lchownSync(join(site.path, link), test.host.account.uid, test.host.account.gid);
    };
    const pictures = observeTree(join(from.path, 'files'));
    const contracts = observeTree(join(from.path, 'private/files'));
    moveOut(to, 'files', 'market.files');
    moveOut(from, 'private/files', 'harbour.private');
    await using agent = await test.open();
    const { point: scattered } = await agent.backup(from.uri, { reason: null });
    const restored = await agent.restore(from.uri, { ...WISH, point: scattered, only: 'files' });
    assert.deepEqual(restored.problems, []);
    assert.equal(readlinkSync(join(to.path, 'files')), shown('market.files'));
    assert.deepEqual(differences(pictures, observeTree(shown('market.files'))), []);
    assert.ok(lstatSync(join(to.path, 'private/files')).isDirectory());
    assert.deepEqual(differences(contracts, observeTree(join(to.path, 'private/files'))), []);
    assert.deepEqual(differences(contracts, observeTree(shown('harbour.private'))), []);
    assert.match(readFileSync(join(to.path, 'settings.php'), 'utf8'), new RegExp(to.database));
    await agent.undo(restored.task ?? '');
    assert.equal(readlinkSync(join(to.path, 'files')), shown('market.files'));
  });
});
