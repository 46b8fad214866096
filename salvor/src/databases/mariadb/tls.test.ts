import assert from 'node:assert/strict';
import { chmodSync, chownSync, linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type MariaDbServer, openMariaDb } from '../../../../demo/mariadb-server.ts';
import { makeTemporaryDirectory } from '../../../../demo/temporary-directory.ts';
import { findFreePort } from '../../../../demo/web-server.ts';
import { openDefaultsFile } from './defaults-file.ts';
import { type DatabaseLogin, openConnection } from './connect.ts';
import { readSwapFacts } from './inspect-swap.ts';
import { planSwap, WHOLE_DATABASE } from './plan-swap.ts';
import { probeDatabase } from './probe.ts';
import { createScratch, dropScratch } from './scratch.ts';
import { applySwap, swapBack } from './swap.ts';
import { run } from '../../lib/run.ts';
import { makeAuthority, type TestAuthority } from './test-certificates.ts';
import { dumpAll, fingerprint, loadAll, makeSite, type TestServer } from './test-database.ts';
import { type DatabaseTls, readTlsMaterial } from './tls.ts';

describe('a server on the network', () => {
  let made: AsyncDisposableStack;
  let server: MariaDbServer;
  let authority: TestAuthority;
  let stranger: TestAuthority;
  let client: { readonly cert: string; readonly key: string };
  let ports: { readonly tls: number; readonly clear: number };
  let clear: MariaDbServer;
  let directory: string;
  before(async () => {
    made = new AsyncDisposableStack();
    directory = made.use(await makeTemporaryDirectory('salvor-tls')).path;
    chmodSync(directory, 0o755);
    [authority, stranger] = [await makeAuthority(directory, 'ours'), await makeAuthority(directory, 'stranger')];
    const own = await authority.make('server');
    client = await authority.make('client');
    ports = { tls: await findFreePort(), clear: await findFreePort() };
    const network = (port: number): string[] => ['--skip-networking=0', '--bind-address=127.0.0.1', `--port=${port}`];
    server = made.use(
      await openMariaDb({
        serverOptions: [
          ...network(ports.tls),
          `--ssl-ca=${authority.ca}`,
          `--ssl-cert=${own.cert}`,
          `--ssl-key=${own.key}`,
        ],
      }),
    );
    clear = made.use(await openMariaDb({ serverOptions: network(ports.clear) }));
  });
  after(() => made.disposeAsync());

  const tls = (asked: Partial<DatabaseTls> = {}): DatabaseTls => ({
    ca: authority.ca,
    caPath: null,
    cert: null,
    key: null,
    verify: null,
    reader: null,
    ...asked,
  });
  const at = (
    login: DatabaseLogin,
    asked: DatabaseTls | undefined,
    port = ports.tls,
    host = '127.0.0.1',
  ): DatabaseLogin => ({
    ...login,
    address: { host, port, ...(asked === undefined ? {} : { tls: asked }) },
  });

  /** A site whose user comes over TCP and has to satisfy `requirement`, and an administrator who does too. */
  const makeRemote = async (name: string, requirement: string, of: MariaDbServer = server) => {
    const test: TestServer = {
      server: of,
      admin: of.rootLogin,
      directory: join(of.directory, 'clients'),
      [Symbol.asyncDispose]: () => of[Symbol.asyncDispose](),
    };
    const site = await makeSite(
      test,
      name,
      'CREATE TABLE t (i INT PRIMARY KEY, v VARCHAR(9)); INSERT INTO t VALUES (1, "a"), (2, "b"); CREATE TABLE u (i INT); CREATE VIEW w AS SELECT i FROM t;',
    );
    const boss = `boss_${name}`;
    await of.query(`RENAME USER '${site.account.user}'@'localhost' TO '${site.account.user}'@'%'; ALTER USER '${site.account.user}'@'%' REQUIRE ${requirement};
      GRANT ALL ON *.* TO '${boss}'@'%' IDENTIFIED BY 'b#o''ss' REQUIRE ${requirement} WITH GRANT OPTION;`);
    const admin = { ...test.admin, user: boss, password: "b#o'ss" };
    return { test, site, admin };
  };

  /** Dump, load, switch and back, over TCP alone. */
  const wholeWay = async (
    name: string,
    requirement: string,
    asked: DatabaseTls | undefined,
    of = server,
  ): Promise<void> => {
    const port = of === server ? ports.tls : ports.clear;
    const { test, site, admin: boss } = await makeRemote(name, requirement, of);
    const [login, admin] = [at(site.login, asked, port), at(boss, asked, port)];
    const before = await fingerprint(test, name);
    const parts = await dumpAll(test, login, name);
    await of.query(`UPDATE ${name}.t SET v = 'z'; DROP TABLE ${name}.u`);
    const present = await fingerprint(test, name);
    const scratch = await createScratch(admin, {
      name: `salvor_${name}_new`,
      user: `salvor_${name}_new`,
      password: 'only for this',
      charset: 'utf8mb4',
      collation: 'utf8mb4_general_ci',
    });
    const { definers } = await loadAll({ ...test, admin }, scratch, parts);
    const wish = {
      live: name,
      scratch: scratch.database,
      old: `salvor_${name}_old`,
      definer: { user: site.account.user, host: '%' },
      definers,
    };
    const plan = planSwap(await readSwapFacts(admin, wish), { ...wish, scope: WHOLE_DATABASE });
    await applySwap(admin, plan);
    assert.equal(await fingerprint(test, name), before);
    assert.equal((await probeDatabase(login, name)).views[0], 'w');
    await swapBack(admin, plan, { undone: `salvor_${name}_undone`, journal: async () => undefined });
    assert.equal(await fingerprint(test, name), present);
    await dropScratch(admin, { database: scratch.database, user: scratch.login.user });
  };

  test('is dumped, loaded and switched over TCP in the clear where nobody asks for more', async () => {
    await wholeWay('plain', 'NONE', undefined, clear);
  });

  test('is dumped, loaded and switched encrypted where its users must, with its certificate verified by address', async () => {
    await wholeWay('secured', 'SSL', tls());
  });

  test('is shown our certificate where it asks for one, also by the client that loads without rights', async () => {
    await wholeWay('shown', 'X509', tls({ cert: client.cert, key: client.key }));
    const { site } = await makeRemote('unshown', 'X509');
    await assert.rejects(openConnection(at(site.login, tls())), { code: 'database-login-refused' });
  });

  test('really encrypts, in the driver as in the stock client', async () => {
    const { test, site } = await makeRemote('cipher', 'NONE');
    const login = at(site.login, tls());
    await using connection = await openConnection(login);
    const [row] = await connection.query<{ Value: string }>("SHOW STATUS LIKE 'Ssl_cipher'");
    assert.match(row?.Value ?? '', /^TLS_/);
    using defaults = await openDefaultsFile(login, { directory: test.directory, user: { uid: 65_534, gid: 65_534 } });
    const said = await run('mariadb', {
      args: [defaults.argument, '--batch', '--skip-column-names', "--execute=SHOW STATUS LIKE 'Ssl_cipher'"],
      descriptors: defaults.descriptors,
      user: { uid: 65_534, gid: 65_534 },
    });
    assert.match(said.toString(), /\tTLS_/);
  });

  test('is refused with a code where another authority vouches for it, unless the settings say not to look', async () => {
    const { test, site, admin } = await makeRemote('forged', 'SSL');
    for (const asked of [tls({ ca: stranger.ca }), tls({ ca: null })]) {
      await assert.rejects(dumpAll(test, at(site.login, asked), 'forged'), (error: unknown) => {
        assert.equal((error as { code: string }).code, 'database-tls-failed');
        assert.match(String(error), /127\.0\.0\.1:\d+ was not secured: .*certificate/);
        return true;
      });
      using defaults = await openDefaultsFile(at(site.login, asked), { directory: test.directory });
      const stock = run('mariadb', {
        args: [defaults.argument, '--execute=SELECT 1'],
        descriptors: defaults.descriptors,
      });
      await assert.rejects(stock, /ERROR 2026/, 'the stock client looks too');
    }
    assert.ok((await dumpAll(test, at(site.login, tls({ ca: stranger.ca, verify: false })), 'forged')).length > 2);
    const scratch = await createScratch(at(admin, tls()), {
      name: 'salvor_forged',
      user: 'salvor_forged',
      password: 'x',
      charset: 'utf8mb4',
      collation: 'utf8mb4_general_ci',
    });
    const parts = await dumpAll(test, at(site.login, tls()), 'forged');
    const astray = { ...scratch, login: at(scratch.login, tls({ ca: stranger.ca })) };
    await assert.rejects(loadAll({ ...test, admin: at(admin, tls()) }, astray, parts), { code: 'database-tls-failed' });
  });

  test('is refused where its certificate is of another name', async () => {
    const { site } = await makeRemote('named', 'SSL');
    await using byName = await openConnection(at(site.login, tls(), ports.tls, 'localhost'));
    assert.ok(byName.id > 0);
    await assert.rejects(openConnection(at(site.login, tls(), ports.tls, '127.0.0.2')), {
      code: /^database-(?:tls-failed|unreachable)$/,
    });
  });

  test('that speaks no TLS is given no password where TLS is asked for', async () => {
    const { test, site } = await makeRemote('silent', 'NONE', clear);
    for (const verify of [null, false]) {
      const login = at(site.login, tls({ verify }), ports.clear);
      await assert.rejects(dumpAll(test, login, 'silent'), { code: 'database-tls-failed' });
    }
  });

  test('that demands TLS says so to those who do not ask for it', async () => {
    await server.query('SET GLOBAL require_secure_transport = ON');
    const { site } = await makeRemote('strict', 'NONE');
    await assert.rejects(openConnection(at(site.login, undefined)), (error: unknown) => {
      assert.equal((error as { code: string }).code, 'database-login-refused');
      assert.match((error as { hint: string }).hint, /demand TLS/);
      return true;
    });
    await server.query('SET GLOBAL require_secure_transport = OFF');
  });

  test('is verified by a directory of authorities, each read once', async () => {
    const authorities = join(directory, 'authorities');
    mkdirSync(authorities);
    symlinkSync(authority.ca, join(authorities, '12345678.0'));
    symlinkSync(authority.ca, join(authorities, 'ours.pem'));
    const material = readTlsMaterial(tls({ ca: null, caPath: authorities }), 'x');
    assert.equal(material.ca.match(/BEGIN CERTIFICATE/g)?.length, 1);
    const { site } = await makeRemote('hashed', 'SSL');
    await using connection = await openConnection(at(site.login, tls({ ca: null, caPath: authorities })));
    assert.ok(connection.id > 0);
  });

  test('a certificate on a tenant’s word is read only if the tenant could: no link out, no closed file of root, no other’s', async () => {
    const home = join(directory, 'home');
    mkdirSync(home);
    const reader = { homes: [home], gids: [4711] };
    const write = (path: string, mode: number, uid = 0, gid = 0): string => {
      writeFileSync(path, '-----BEGIN CERTIFICATE-----\n');
      chmodSync(path, mode);
      chownSync(path, uid, gid);
      return path;
    };
    const own = write(join(home, 'own.pem'), 0o600, 4711);
    const ofRoot = write(join(directory, 'open.pem'), 0o644);
    const ofGroup = write(join(directory, 'group.pem'), 0o640, 0, 4711);
    for (const ca of [own, ofRoot, ofGroup]) assert.ok(readTlsMaterial(tls({ ca, reader }), 'x').ca.length > 0, ca);
    const closed = write(join(directory, 'closed.pem'), 0o640);
    const others = write(join(directory, 'others.pem'), 0o644, 4712);
    const link = join(home, 'link.pem');
    symlinkSync(closed, link);
    const hard = join(home, 'hard.pem');
    linkSync(closed, hard);
    mkdirSync(join(directory, 'shut'), { mode: 0o700 });
    const shut = write(join(directory, 'shut/open.pem'), 0o644);
    const text = join(home, 'text.pem');
    writeFileSync(text, 'root:x:0:0');
    for (const ca of [closed, others, link, hard, shut, text, home, '/dev/zero', join(home, 'nowhere.pem')])
      assert.throws(
        () => readTlsMaterial(tls({ ca, reader }), 'x'),
        (error: unknown) => {
          assert.equal((error as { code: string }).code, 'database-tls-failed', ca);
          assert.ok(!String(error).includes('root:x'));
          return true;
        },
      );
  });
});
