import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { run } from '../../lib/run.ts';
import { openConnection, quoteName, quoteText, readAccount } from './connect.ts';
import { openDefaultsFile } from './defaults-file.ts';
import { makeDirectoryName, makePartName } from './part-name.ts';
import { makeSite, openTestServer, type TestServer } from './test-database.ts';

describe('a log-in', () => {
  let server: TestServer;
  before(async () => {
    server = await openTestServer();
  });
  after(() => server[Symbol.asyncDispose]());

  test('of root over the socket needs no password where the server asks the kernel', async () => {
    await server.server.query('ALTER USER root@localhost IDENTIFIED VIA unix_socket');
    await using connection = await openConnection({ ...server.admin, password: '' });
    assert.deepEqual(await readAccount(connection), { user: 'root', host: 'localhost' });
    await connection.execute("ALTER USER root@localhost IDENTIFIED BY ''");
  });

  test('with any character in its password reaches the stock client through the nameless file, also as nobody', async () => {
    const site = await makeSite(server, 'pass', '');
    for (const user of [undefined, { uid: 65_534, gid: 65_534 }]) {
      using defaults = await openDefaultsFile(site.login, { directory: server.directory, user });
      const said = await run('mariadb', {
        args: [defaults.argument, '--batch', '--skip-column-names', '--execute=SELECT CURRENT_USER()'],
        descriptors: defaults.descriptors,
        ...(user === undefined ? {} : { user }),
      });
      assert.equal(said.toString('utf8'), `${site.account.user}@localhost\n`);
    }
  });

  test('that is refused, goes nowhere or names no database says which, and never its password', async () => {
    const site = await makeSite(server, 'codes', '');
    const secret = 'very-secret-word';
    const wrong = { ...site.login, password: secret };
    await assert.rejects(openConnection(wrong), (error: unknown) => {
      assert.equal((error as { code: string }).code, 'database-login-refused');
      assert.ok(!JSON.stringify(error).includes(secret) && !String((error as Error).stack).includes(secret));
      return true;
    });
    await assert.rejects(openConnection({ ...wrong, address: { host: '127.0.0.1', port: 1 } }), {
      code: 'database-unreachable',
    });
    await assert.rejects(openConnection(server.admin, { database: 'nowhere' }), { code: 'database-missing' });
    await using connection = await openConnection(server.admin);
    await assert.rejects(connection.execute(`CREATE USER x IDENTIFIED BY '${secret}' BOGUS`), (error: unknown) => {
      assert.equal((error as { code: string }).code, 'database-failed');
      assert.ok(!JSON.stringify(error, Object.getOwnPropertyNames(error)).includes(secret));
      return true;
    });
  });

  test('that the server drops gives a coded error at the next statement, and an abort gives its reason', async () => {
    await using victim = await openConnection(server.admin);
    await server.server.query(`KILL ${victim.id}`);
    await assert.rejects(victim.query('SELECT 1'), { code: 'database-unreachable' });
    const stop = new AbortController();
    await using sleeper = await openConnection(server.admin, { signal: stop.signal });
    const sleeping = sleeper.query('SELECT SLEEP(30)');
    stop.abort(new Error('stopped by us'));
    await assert.rejects(sleeping, /stopped by us/);
  });

  test('quotes names and texts so that they come back as they were', async () => {
    await using connection = await openConnection(server.admin);
    for (const text of ['a`b', "it's", '\\', "\\'; DROP DATABASE x; --", 'é漢', 'new\nline', '😀', '"']) {
      const [row] = await connection.query<Record<string, string>>(`SELECT ${quoteText(text)} AS ${quoteName('c`x')}`);
      assert.deepEqual({ ...row }, { 'c`x': text });
    }
  });
});

test('a part’s name is plain, in order, and never longer than its bound or cut inside an escape', () => {
  assert.equal(makePartName(12, 'naïve t/a'), '000012-na%C3%AFve%20t%2Fa.sql');
  assert.equal(makePartName(1, '../..'), '000001-..%2F...sql');
  const long = makePartName(3, '漢'.repeat(64));
  assert.match(long, /^000003-(%[0-9A-F]{2})+\.sql$/);
  assert.ok(long.length <= '000003-.sql'.length + 200);
});

test('a database’s directory is a plain name of its own: no way up, and apart from others that are alike once cut', () => {
  const names = ['shop', 'a/b', '.', '..', '../up', "it's `x`", '漢'.repeat(63), `${'漢'.repeat(62)}字`, 'Shop'].map(
    makeDirectoryName,
  );
  assert.deepEqual(names.slice(0, 6), ['shop', 'a%2Fb', '%2E', '%2E%2E', '..%2Fup', 'it%27s%20%60x%60']);
  assert.equal(new Set(names).size, names.length);
  for (const name of names) assert.match(name, /^[A-Za-z0-9_.%~-]{1,210}$/);
});
