import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import { openMariaDb } from '../../../../demo/mariadb-server.ts';
import { judgeServer } from './judge-server.ts';
import { planSwap, WHOLE_DATABASE } from './plan-swap.ts';
import type { DatabaseProblem } from './probe.ts';
import { applySwap } from './swap.ts';
import { dumpAll, makeSite, makeScratch } from './test-database.ts';

test('a server is written to only where it is MariaDB from 10.6 on, whatever else stands in what it says of itself, and 10.11 alone counts as tried', () => {
  for (const [version, comment, product, isWritable] of [
    ['10.11.19-MariaDB-0+deb12u1', 'Debian 12', 'mariadb', true],
    ['10.6.21-MariaDB-ubu2004-log', 'mariadb.org binary distribution', 'mariadb', true],
    ['5.5.5-10.11.6-MariaDB-1:10.11.6+maria~deb12', 'mariadb.org binary distribution', 'mariadb', true],
    ['11.4.5-MariaDB', 'MariaDB Server', 'mariadb', true],
    ['10.6.14', 'managed by https://aws.amazon.com/rds/ (MariaDB)', 'mariadb', true],
    ['10.5.29-MariaDB', 'mariadb.org binary distribution', 'mariadb', false],
    ['10.3.39-MariaDB-0+deb10u2', 'Debian 10', 'mariadb', false],
    ['5.5.68-MariaDB', 'MariaDB Server', 'mariadb', false],
    ['8.0.36', 'MySQL Community Server - GPL', 'mysql', false],
    ['8.4.3-0ubuntu0.24.04.1', '(Ubuntu)', 'mysql', false],
    ['5.7.44-log', 'Source distribution', 'mysql', false],
    ['8.0.36-28', 'Percona Server (GPL), Release 28', 'percona', false],
    ['8.0.36-Percona', 'Debian 12', 'percona', false],
    ['5.7.44-48-57-log', 'Percona XtraDB Cluster (GPL)', 'percona', false],
    ['8.0.11-TiDB-v7.5.0', 'TiDB Server (Apache License 2.0) Community Edition, MySQL 8.0 compatible', 'mysql', false],
    ['12.0-X', 'somebody’s own', 'unknown', false],
    ['', '', 'unknown', false],
  ] as const) {
    const judged = judgeServer({ version, comment });
    assert.deepEqual([judged.product, judged.isWritable], [product, isWritable], version);
    assert.equal(judged.isTried, version.includes('10.11.'), version);
  }
});

test('of a server that says it is another product a dump is made and named as untested; nothing is made or switched there', async () => {
  await using server = await openMariaDb({ serverOptions: ['--version=8.0.36-28-Percona'] });
  const test = {
    server,
    admin: server.rootLogin,
    directory: join(server.directory, 'clients'),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
  const site = await makeSite(
    test,
    'shop',
    'CREATE TABLE t (i INT PRIMARY KEY); INSERT INTO t VALUES (2), (1); CREATE VIEW v AS SELECT i FROM t; CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET @x = 1;',
  );
  const problems: DatabaseProblem[] = [];
  const parts = await dumpAll(test, site.login, 'shop', problems);
  assert.deepEqual(
    problems.map(({ code, message }) => [code, /Percona Server 8\.0\.36/.test(message)]),
    [['server-untested', true]],
  );
  assert.deepEqual(
    parts.map(({ table, rows }) => [table, rows]),
    [
      [null, 0],
      ['t', 2],
      [null, 0],
    ],
  );
  assert.match(parts.at(-1)?.bytes.toString() ?? '', /TRIGGER tr[^]*VIEW `v`/);
  const before = await server.query('SHOW DATABASES; SELECT User FROM mysql.user; SHOW TABLES FROM shop');
  await assert.rejects(makeScratch(test), (error: unknown) => {
    assert.equal((error as { code: string }).code, 'database-server-untested');
    assert.match(String(error), /Percona Server 8\.0\.36/);
    return true;
  });
  const id = randomBytes(6).toString('hex');
  const nothing = {
    partitioned: [],
    liveObjects: [],
    scratchObjects: [],
    scratchDefaults: [],
    foreignKeys: [],
    danglingKeys: [],
  };
  const plan = planSwap(
    { liveTables: ['t'], scratchTables: [], ...nothing },
    {
      live: 'shop',
      scratch: `salvor_${id}`,
      old: `salvor_${id}_old`,
      scope: WHOLE_DATABASE,
      definer: site.account,
      definers: [],
    },
  );
  await assert.rejects(applySwap(server.rootLogin, plan), { code: 'database-server-untested' });
  assert.equal(await server.query('SHOW DATABASES; SELECT User FROM mysql.user; SHOW TABLES FROM shop'), before);
});
