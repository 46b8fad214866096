/** Databases that are not as most are, from a site's settings to a restore and its undo. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { EXIT_OF_STATE, LsDocument, RestoreDocument } from '@salvor/contract';
import type { DemoSite } from '../../../demo/host.ts';
import { type MariaDbServer, openMariaDb } from '../../../demo/mariadb-server.ts';
import { type ObservedDatabase, differences, observeDatabase, observeTree } from '../../../demo/observe-site.ts';
import { toPhp } from '../../../demo/php-value.ts';
import { quoteName } from '../../../demo/sql.ts';
import { findFreePort } from '../../../demo/web-server.ts';
import { quoteText } from '../../src/databases/mariadb/connect.ts';
import { describeDatabase } from '../../src/databases/mariadb/describe-database.ts';
import { makeAuthority } from '../../src/databases/mariadb/test-certificates.ts';
import { runCli } from '../cli/run-cli.ts';
import { EVERYTHING, type FaultHost, hasCode, openFaultHost } from '../fault/fault-host.ts';

const DATABASES_ONLY = { ...EVERYTHING, only: 'databases' } as const;

describe('a site whose database is not as most are', () => {
  let test: FaultHost;
  let harbour: DemoSite;
  let market: DemoSite;
  before(async () => {
    test = await openFaultHost();
    [harbour, market] = [test.host.site('harbour.example.org'), test.host.site('market.example.org')];
  });
  after(() => test[Symbol.asyncDispose]());

  const query = (sql: string): Promise<string> => test.host.mariadb.query(sql);
  const observe = (database: string): Promise<ObservedDatabase> => observeDatabase(test.host.mariadb, database);

  /** For as long as it is held the site has these settings and no other. */
  const withSettings = (site: DemoSite, php: string): Disposable => {
    const settings = join(site.path, 'settings.php');
    const { uid, gid } = test.host.account;
    renameSync(settings, `${settings}.kept`);
    writeFileSync(settings, `<?php\n${php}\n`);
    chownSync(settings, uid, gid);
    let isHeld = true;
    return {
      [Symbol.dispose]: () => {
        if (!isHeld) return;
        isHeld = false;
        rmSync(settings, { force: true });
        renameSync(`${settings}.kept`, settings);
      },
    };
  };
  const connection = (fields: Parameters<typeof toPhp>[0]): string =>
    `$databases['default']['default'] = ${toPhp(fields)};`;

  /** Has the site's settings name a database with a row on that server. */
  const moveTo = async (server: MariaDbServer): Promise<Disposable> => {
    await server.query(
      "CREATE DATABASE p; CREATE TABLE p.t (i INT); INSERT INTO p.t VALUES (1); CREATE USER u@localhost IDENTIFIED BY 'w'; GRANT ALL ON p.* TO u@localhost;",
    );
    const fields = { driver: 'mysql', database: 'p', username: 'u', password: 'w', unix_socket: server.socket };
    return withSettings(market, connection(fields));
  };

  const leftToLoad = (): Promise<string> => query("SHOW DATABASES LIKE 'salvor%new%'");

  it('may have any name, and so its tables, its user and the password, and dates of no calendar on a strict server: backup, a table back, undo, all back, undo', async () => {
    const odd = `it's "odd"/../\\site\nx`;
    const database = odd.padEnd(64, 'y');
    const [user, password] = [`o'dd"us\\er`, `p#"w' \\;%\n`];
    const table = `a/b'c.d\\"e`;
    const others = ['Node', 'node', 'select', 'n'.repeat(64)];
    await query(`SET GLOBAL sql_mode = 'TRADITIONAL'`);
    await using strict = {
      [Symbol.asyncDispose]: () => query('SET GLOBAL sql_mode = DEFAULT').then(() => {}),
    };
    void strict;
    await query(`CREATE DATABASE ${quoteName(database)}; CREATE USER ${quoteText(user)}@localhost IDENTIFIED BY ${quoteText(password)};
      GRANT ALL ON ${quoteName(database.replaceAll(/[\\%_]/g, '_'))}.* TO ${quoteText(user)}@localhost; USE ${quoteName(database)};
      CREATE TABLE ${quoteName(table)} (i INT PRIMARY KEY); INSERT INTO ${quoteName(table)} VALUES (1), (2); CREATE TABLE plain (i INT); INSERT INTO plain VALUES (7);
      SET SESSION sql_mode = ''; CREATE TABLE dated (i INT PRIMARY KEY, d DATETIME NOT NULL DEFAULT '0000-00-00 00:00:00'); INSERT INTO dated VALUES (1, '0000-00-00'), (2, '2026-02-00'); SET SESSION sql_mode = DEFAULT;
      ${others.map((name, i) => `CREATE TABLE ${quoteName(name)} (i INT PRIMARY KEY, \`from\` TEXT); INSERT INTO ${quoteName(name)} VALUES (${i}, '😀');`).join('')}
      CREATE SEQUENCE counted;
      CREATE DEFINER=${quoteName(user)}@localhost VIEW ${quoteName(`v'${table}`)} AS SELECT i FROM ${quoteName(table)};
      CREATE DEFINER=${quoteName(user)}@localhost PROCEDURE ${quoteName("p'r")}() SELECT 'x';`);
    const socket = test.host.mariadb.socket;
    using settings = withSettings(
      market,
      connection({
        driver: 'mysql',
        database,
        username: user,
        password,
        host: 'localhost',
        unix_socket: socket,
        prefix: '',
      }),
    );
    void settings;
    const config = join(test.host.directory, 'salvor/salvor.yaml');
    const { homes, state, local, staging, mariadb } = test.config;
    writeFileSync(config, JSON.stringify({ homes, state, local, staging, mariadb: { socket: mariadb.socket } }));
    const salvor = async (...args: string[]): Promise<unknown> => {
      const ran = await runCli([...args, '--config', config, '--json']);
      assert.equal(ran.exit, 0, ran.out + ran.err);
      return JSON.parse(ran.out);
    };
    const look = (): ReturnType<typeof describeDatabase> =>
      describeDatabase(test.host.mariadb.rootLogin, database, { definers: true });
    const original = await look();
    const { point } = (await salvor('backup', market.uri)) as { point: string };
    const [directory] = LsDocument.parse(await salvor('ls', point, '/databases'));
    assert.equal(directory?.path, `/databases/it%27s%20%22odd%22%2F..%2F%5Csite%0Ax${'y'.repeat(64 - odd.length)}`);

    await query(
      `USE ${quoteName(database)}; DELETE FROM ${quoteName(table)}; DELETE FROM plain; DROP PROCEDURE ${quoteName("p'r")};
       ${others.map((name) => `DELETE FROM ${quoteName(name)};`).join('')} DROP TABLE node; DELETE FROM dated;`,
    );
    const ruined = await look();
    const part = RestoreDocument.parse(
      await salvor('restore', market.uri, point, '--table', `${database}.${table}`, '--yes'),
    );
    assert.equal(await query(`SELECT COUNT(*) FROM ${quoteName(database)}.${quoteName(table)}`), '2\n');
    assert.equal(await query(`SELECT COUNT(*) FROM ${quoteName(database)}.plain`), '0\n');
    assert.equal(await leftToLoad(), '', 'the sequence that was loaded beside the table is gone');
    await salvor('undo', part.task ?? '', '--yes');
    assert.deepEqual(await look(), ruined);
    await using agent = await test.open();
    const whole = await agent.restore(market.uri, { ...DATABASES_ONLY, point });
    assert.deepEqual(await look(), original);
    assert.equal(
      await query(`SELECT d FROM ${quoteName(database)}.dated`),
      '0000-00-00 00:00:00\n2026-02-00 00:00:00\n',
    );
    assert.equal(
      await query(`SELECT i FROM ${quoteName(database)}.node; SELECT i FROM ${quoteName(database)}.Node`),
      '1\n0\n',
    );
    await agent.undo(whole.task ?? '');
    assert.deepEqual(await look(), ruined);
    await agent.restore(market.uri, { ...DATABASES_ONLY, point });
    assert.deepEqual(await look(), original);

    const target = join(test.host.directory, 'odd');
    await agent.restore(market.uri, { ...DATABASES_ONLY, point, to: target });
    assert.deepEqual(readdirSync(join(target, directory?.path ?? '')).toSorted(), [
      '000000-head.sql',
      '000001-counted.sql',
      '000002-Node.sql',
      '000003-a%2Fb%27c.d%5C%22e.sql',
      '000004-dated.sql',
      `000005-${'n'.repeat(64)}.sql`,
      '000006-node.sql',
      '000007-plain.sql',
      '000008-select.sql',
      '000009-tail.sql',
    ]);
  });

  it('may share it by prefixes that begin alike: each is backed up, restored and undone alone', async () => {
    const password = 'shared-by-two';
    const tables = (prefix: string): string =>
      `CREATE TABLE ${prefix}a (i INT PRIMARY KEY); INSERT INTO ${prefix}a VALUES (1); CREATE TABLE ${prefix}b (i INT); CREATE VIEW ${prefix}v AS SELECT i FROM ${prefix}a;`;
    await query(`CREATE DATABASE pool; CREATE USER swimmer@localhost IDENTIFIED BY '${password}'; GRANT ALL ON pool.* TO swimmer@localhost;
      USE pool; ${tables('h_')} ${tables('h_m_')} CREATE TABLE nobodys (i INT);`);
    const fields = {
      driver: 'mysql',
      database: 'pool',
      username: 'swimmer',
      password,
      unix_socket: test.host.mariadb.socket,
    };
    using one = withSettings(harbour, connection({ ...fields, prefix: 'h_' }));
    await using agent = await test.open();
    // While nobody else names it all of it is the site's.
    const whole = await agent.backup(harbour.uri, { reason: null });
    assert.deepEqual([whole.tables, whole.problems], [5, []]);
    using two = withSettings(market, connection({ ...fields, prefix: 'h_m_' }));
    const { sites } = await agent.sites();
    assert.deepEqual(
      sites.map(({ databases }) => databases[0]?.sharedWith),
      [['o1/market.example.org'], ['o1/harbour.example.org']],
    );
    const made = await agent.backup(harbour.uri, { reason: null });
    assert.deepEqual(
      [made.state, made.tables, made.problems.map(({ code }) => code).toSorted()],
      ['warned', 2, ['prefix-nested', 'tables-unclaimed']],
    );
    await query(
      `USE pool; DELETE FROM h_a; DROP TABLE h_b; DROP VIEW h_v; INSERT INTO h_m_a VALUES (9); CREATE TABLE h_new (i INT);`,
    );
    const neighbour = async (): Promise<readonly (readonly [string, string])[]> =>
      [...(await observe('pool'))].filter(([name]) => /h_m_|nobodys/.test(name));
    const [ruined, untouched] = [await observe('pool'), await neighbour()];
    const { plan, task } = await agent.restore(harbour.uri, DATABASES_ONLY);
    assert.deepEqual(plan.tables, { restored: 2, deleted: 1, kept: 0 });
    assert.ok(plan.notes.some(({ code }) => code === 'prefix-nested'));
    assert.deepEqual(plan.obstacles, []);
    assert.equal(
      await query('USE pool; SELECT COUNT(*) FROM h_v; SHOW TABLES;'),
      '1\nh_a\nh_b\nh_m_a\nh_m_b\nh_m_v\nh_v\nnobodys\n',
    );
    assert.deepEqual(await neighbour(), untouched);
    await agent.undo(task ?? '');
    assert.deepEqual(differences(ruined, await observe('pool')), []);
    const old = await agent.restore(harbour.uri, { ...DATABASES_ONLY, point: whole.point });
    assert.deepEqual(old.plan.tables, { restored: 2, deleted: 1, kept: 0 });
    assert.deepEqual(await neighbour(), untouched);
    assert.equal(await leftToLoad(), '', 'what was loaded of the other site is gone');
    await agent.undo(old.task ?? '');
    assert.deepEqual(differences(ruined, await observe('pool')), []);
    const theirs = { ...EVERYTHING, point: whole.point, tables: ['h_m_a'], dryRun: true };
    assert.deepEqual(
      (await agent.restore(harbour.uri, theirs)).plan.obstacles.map(({ code }) => code),
      ['table-of-other-site'],
    );

    // The night dumps each site's part by itself, and tells the same of it as a backup does.
    const night = await agent.daily({ account: null });
    assert.deepEqual(night.accounts.flatMap((account) => account.problems.map(({ code }) => code)).toSorted(), [
      'prefix-nested',
      'prefix-nested',
      'tables-unclaimed',
      'tables-unclaimed',
    ]);
    const daily = (await agent.points(harbour.uri)).find(({ origin }) => origin === 'daily');
    await query('USE pool; DELETE FROM h_new; DELETE FROM h_m_a; INSERT INTO nobodys VALUES (1);');
    const late = await neighbour();
    const back = await agent.restore(harbour.uri, { ...DATABASES_ONLY, point: daily?.id ?? '' });
    assert.deepEqual(back.plan.tables, { restored: 2, deleted: 0, kept: 0 });
    assert.deepEqual(await neighbour(), late);
    await agent.undo(back.task ?? '');
    await query('USE pool; INSERT INTO h_m_a VALUES (1), (9); DELETE FROM nobodys;');

    // Its neighbour's settings are gone: nobody says any more whose h_m_… are, but the point does.
    two[Symbol.dispose]();
    const again = withSettings(market, connection({ ...fields, database: 'elsewhere', prefix: '' }));
    const alone = await agent.restore(harbour.uri, DATABASES_ONLY);
    again[Symbol.dispose]();
    assert.deepEqual(alone.plan.tables, { restored: 2, deleted: 0, kept: 0 });
    assert.deepEqual(await neighbour(), untouched);
    void one;
  });

  it('may be two: a restore and its undo take both, and a server that is killed in the switch leaves neither half done', async () => {
    const password = 'of-two';
    const fill = (rows: string): string =>
      ['pair_one', 'pair_two'].map((name) => `DELETE FROM ${name}.t; INSERT INTO ${name}.t VALUES ${rows};`).join(' ');
    await query(`CREATE DATABASE pair_one; CREATE DATABASE pair_two; CREATE USER pairs@localhost IDENTIFIED BY '${password}';
      GRANT ALL ON pair_one.* TO pairs@localhost; GRANT ALL ON pair_two.* TO pairs@localhost;
      CREATE TABLE pair_one.t (i INT PRIMARY KEY); CREATE TABLE pair_two.t (i INT PRIMARY KEY); ${fill('(1), (2)')}`);
    const fields = { driver: 'mysql', username: 'pairs', password, unix_socket: test.host.mariadb.socket, prefix: '' };
    using settings = withSettings(
      harbour,
      `${connection({ ...fields, database: 'pair_one' })}
       $databases['second']['default'] = ${toPhp({ ...fields, database: 'pair_two' })};`,
    );
    void settings;
    const look = async (): Promise<string> => {
      const rows = await query('SELECT COUNT(*) FROM pair_one.t; SELECT COUNT(*) FROM pair_two.t');
      return rows.replaceAll('\n', ' ').trim();
    };
    {
      await using agent = await test.open();
      const made = await agent.backup(harbour.uri, { reason: null });
      assert.deepEqual([made.tables, made.problems], [2, []]);
      await query(fill('(9)'));
      const restored = await agent.restore(harbour.uri, { ...DATABASES_ONLY, point: made.point });
      assert.equal(await look(), '2 2');
      await agent.undo(restored.task ?? '');
      assert.equal(await look(), '1 1');
    }
    let isKilled = false;
    {
      await using agent = await test.open((line) => {
        if (line !== 'switch: begins' || isKilled) return;
        isKilled = true;
        process.kill(test.host.mariadb.pid, 'SIGKILL');
      });
      await assert.rejects(agent.restore(harbour.uri, DATABASES_ONLY), hasCode('database-unreachable'));
    }
    await test.host.mariadb.kill('SIGKILL');
    await test.host.mariadb.start();
    await (await test.open())[Symbol.asyncDispose]();
    assert.equal(await look(), '1 1');
    assert.equal(await leftToLoad(), '');
  });

  it('is not cut short by a tenant who names it in settings of his own: the server does not let him in', async () => {
    const { database } = market;
    using settings = withSettings(
      harbour,
      connection({
        driver: 'mysql',
        database,
        username: 'thief',
        password: 'x',
        unix_socket: test.host.mariadb.socket,
        prefix: 'node',
      }),
    );
    void settings;
    await using agent = await test.open();
    const made = await agent.backup(market.uri, { reason: null });
    assert.deepEqual(made.problems, []);
    const tables = await query(
      `SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = '${database}' AND TABLE_TYPE <> 'VIEW'`,
    );
    assert.equal(made.tables, Number(tables));
    assert.deepEqual((await agent.restore(market.uri, { ...DATABASES_ONLY, dryRun: true })).plan.obstacles, []);
  });

  for (const [name, fields] of [
    ['SQLite', { driver: 'sqlite', database: 'sites/market.example.org/files/.ht.sqlite' }],
    ['PostgreSQL', { driver: 'pgsql', database: 'pg', username: 'u', password: 'p', host: '127.0.0.1', port: '5432' }],
  ] as const)
    it(`on ${name} keeps its files in a point that is not complete, ends as warned with exit 3, and says with a code that the database is not in it`, async () => {
      using settings = withSettings(market, connection(fields));
      void settings;
      await using agent = await test.open();
      const made = await agent.backup(market.uri, { reason: null });
      assert.deepEqual(
        [made.state, made.tables, made.problems.map(({ code }) => code)],
        ['warned', 0, ['database-unsupported']],
      );
      const plans = [false, true].map((withoutBackup) => agent.delete(market.uri, { dryRun: true, withoutBackup }));
      const [refused, left] = (await Promise.all(plans)).map(({ plan }) => plan);
      assert.deepEqual(
        refused?.obstacles.map(({ code }) => code),
        ['database-unsupported'],
      );
      assert.deepEqual([left?.obstacles, left?.databases], [[], []]);
      assert.ok(left?.notes.some(({ code }) => code === 'database-stays'));
      assert.equal(EXIT_OF_STATE[made.state], 3);
      assert.match(made.problems[0]?.message ?? '', new RegExp(`kept by ${name}`));
      assert.ok(made.files > 10);
      const [point] = await agent.points(market.uri);
      assert.deepEqual([point?.id, point?.holds], [made.point, ['files']]);
      if (name !== 'SQLite') return;
      const before = observeTree(market.path);
      rmSync(join(market.path, 'files'), { recursive: true });
      const restored = await agent.restore(market.uri, { ...EVERYTHING, point: made.point });
      assert.deepEqual(restored.plan.tables, null);
      const php = new Set(restored.refreshed);
      assert.deepEqual(
        differences(before, observeTree(market.path), (path) => php.has(path)),
        [],
      );
    });

  it('on a server that says it is Percona is backed up with a problem that is named, and a restore is refused before anything is touched', async () => {
    await using percona = await openMariaDb({ serverOptions: ['--version=8.0.36-28-Percona'] });
    using settings = await moveTo(percona);
    void settings;
    await using agent = await test.open();
    const made = await agent.backup(market.uri, { reason: null });
    assert.deepEqual(
      [made.state, made.tables, made.problems.map(({ code }) => code)],
      ['warned', 1, ['server-untested']],
    );
    const { plan } = await agent.restore(market.uri, { ...DATABASES_ONLY, dryRun: true });
    assert.deepEqual(
      plan.obstacles.map(({ code }) => code),
      ['server-untested'],
    );
    const before = await percona.query('SHOW DATABASES; SELECT User FROM mysql.user;');
    await assert.rejects(agent.restore(market.uri, DATABASES_ONLY), hasCode('restore-obstructed'));
    assert.equal(await percona.query('SHOW DATABASES; SELECT User FROM mysql.user;'), before);
  });

  it('on a MariaDB of another version than the one that was tried is restored, and the plan and the log say so', async () => {
    await using newer = await openMariaDb({ serverOptions: ['--version=11.4.5-MariaDB'] });
    using settings = await moveTo(newer);
    void settings;
    const lines: string[] = [];
    await using agent = await test.open((line) => void lines.push(line));
    const made = await agent.backup(market.uri, { reason: null });
    assert.deepEqual([made.state, made.problems], ['succeeded', []]);
    await newer.query('DELETE FROM p.t');
    const restored = await agent.restore(market.uri, DATABASES_ONLY);
    assert.deepEqual(
      restored.plan.notes.filter(({ code }) => code === 'server-untried').map(({ path }) => path),
      ['p'],
    );
    assert.match(lines.join('\n'), /MariaDB 11\.4\.5 holds p: it is written to as MariaDB 10\.11/);
    assert.equal(await newer.query('SELECT i FROM p.t'), '1\n');
  });

  it('on a server of the network that demands TLS comes back and goes again over it, its certificates read from the home', async () => {
    const directory = join(test.host.directory, 'certificates');
    mkdirSync(directory);
    chmodSync(directory, 0o755);
    const authority = await makeAuthority(directory, 'host');
    const own = await authority.make('server');
    const port = await findFreePort();
    await using remote = await openMariaDb({
      serverOptions: [
        '--skip-networking=0',
        '--bind-address=127.0.0.1',
        `--port=${port}`,
        `--ssl-ca=${authority.ca}`,
        `--ssl-cert=${own.cert}`,
        `--ssl-key=${own.key}`,
      ],
    });
    await remote.query(`CREATE DATABASE far; CREATE TABLE far.t (i INT PRIMARY KEY); INSERT INTO far.t VALUES (1), (2);
      CREATE USER u@'%' IDENTIFIED BY 'w' REQUIRE SSL; GRANT ALL ON far.* TO u@'%'; GRANT ALL ON *.* TO boss@'%' IDENTIFIED BY 'b' REQUIRE SSL WITH GRANT OPTION;`);
    const ca = join(test.host.home, 'ca.pem');
    copyFileSync(authority.ca, ca);
    const defaultsFile = join(directory, 'my.cnf');
    const fields = toPhp({
      driver: 'mysql',
      database: 'far',
      username: 'u',
      password: 'w',
      host: '127.0.0.1',
      port: String(port),
    });
    using settings = withSettings(
      market,
      `$databases['default']['default'] = ${fields.replace(/\)$/, `'pdo' => [PDO::MYSQL_ATTR_SSL_CA => ${toPhp(ca)}])`)};`,
    );
    void settings;
    writeFileSync(defaultsFile, `[client]\nuser=boss\npassword=b\n`);
    const config = { mariadb: { ...test.config.mariadb, defaultsFile } };
    {
      await using agent = await test.open(undefined, config);
      const made = await agent.backup(market.uri, { reason: null });
      assert.deepEqual([made.state, made.tables, made.problems], ['succeeded', 1, []]);
      await remote.query('DELETE FROM far.t');
      // The administrator's password is for the server that its file names.
      await assert.rejects(agent.restore(market.uri, DATABASES_ONLY), hasCode('administrator-unknown'));
    }
    writeFileSync(defaultsFile, `[client]\nuser=boss\npassword=b\nhost=127.0.0.1\nport=${port}\n`);
    await using agent = await test.open(undefined, config);
    const { task, problems } = await agent.restore(market.uri, DATABASES_ONLY);
    assert.deepEqual(problems, []);
    assert.equal(await remote.query('SELECT COUNT(*) FROM far.t'), '2\n');
    await agent.undo(task ?? '');
    assert.equal(await remote.query('SELECT COUNT(*) FROM far.t'), '0\n');
    assert.equal(await remote.query("SELECT User FROM mysql.user WHERE User LIKE 'salvor%'"), '');

    copyFileSync(join(directory, 'host-server.pem'), ca);
    await assert.rejects(agent.backup(market.uri, { reason: null }), hasCode('database-tls-failed'));
    assert.ok(readFileSync(ca).length > 0);
  });
});
