import assert from 'node:assert/strict';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, test } from 'node:test';
import { openConnection } from './connect.ts';
import { inspectSwap, readSwapFacts } from './inspect-swap.ts';
import { planSwap, type SwapPlan, type SwapScope, WHOLE_DATABASE } from './plan-swap.ts';
import { probeDatabase } from './probe.ts';
import type { Scratch } from './scratch.ts';
import { planSwapBack } from './plan-swap-back.ts';
import { applySwap, finishSwap, revertSwap, swapBack } from './swap.ts';
import {
  dumpAll,
  fingerprint,
  loadAll,
  makeScratch,
  makeSite,
  openTestServer,
  type TestServer,
} from './test-database.ts';

const CONTENT = `
CREATE TABLE a (id INT PRIMARY KEY, n INT DEFAULT 0); INSERT INTO a (id) VALUES (1), (2);
CREATE TABLE b (id INT PRIMARY KEY, a_id INT, FOREIGN KEY (a_id) REFERENCES a (id)); INSERT INTO b VALUES (1, 1);
CREATE TABLE m (i INT) ENGINE=MyISAM; INSERT INTO m VALUES (5); CREATE TABLE mem (i INT) ENGINE=MEMORY; INSERT INTO mem VALUES (6);
CREATE TABLE ft (id INT PRIMARY KEY, t TEXT, FULLTEXT (t));
CREATE TABLE g (i INT, d INT AS (i * 2) STORED); INSERT INTO g (i) VALUES (4); CREATE SEQUENCE s;
CREATE TABLE gone (i INT);
CREATE VIEW v1 AS SELECT id, n FROM a; CREATE VIEW v0 AS SELECT id FROM v1;
CREATE TRIGGER t1 BEFORE INSERT ON a FOR EACH ROW SET NEW.n = 1;
CREATE TRIGGER t0 BEFORE INSERT ON a FOR EACH ROW SET NEW.n = NEW.n * 10 + 2;
CREATE FUNCTION f() RETURNS INT DETERMINISTIC RETURN 7;
CREATE PROCEDURE pr(IN x INT) SELECT x + 1;
CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM gone;
CREATE EVENT e_off ON SCHEDULE EVERY 1 DAY DISABLE DO DELETE FROM gone;
`;
const PARTITIONED = 'CREATE TABLE p (i INT) PARTITION BY HASH (i) PARTITIONS 3; INSERT INTO p VALUES (1), (2);';
const CHANGE = `
INSERT INTO a (id) VALUES (9); DROP TABLE gone; CREATE TABLE fresh (i INT); DROP VIEW v0; DROP PROCEDURE pr;
CREATE VIEW newer AS SELECT 1 AS one; DROP TRIGGER t0; CREATE TRIGGER only_new AFTER DELETE ON m FOR EACH ROW SET @x = 1;
DROP EVENT e; CREATE FUNCTION f2() RETURNS INT DETERMINISTIC RETURN 8;
`;

describe('a switch of tables', () => {
  let server: TestServer;
  let count = 0;
  before(async () => {
    server = await openTestServer();
  });
  after(() => server[Symbol.asyncDispose]());

  type Prepared = { name: string; scratch: Scratch; plan: SwapPlan; dumped: string; present: string };

  /** A site that was dumped, has changed since, and has its dump loaded beside it. */
  const prepare = async (options: { scope?: SwapScope; content?: string; change?: string } = {}): Promise<Prepared> => {
    count += 1;
    const name = `site_${count}`;
    const site = await makeSite(server, name, options.content ?? CONTENT + PARTITIONED);
    const dumped = await picture(name);
    const parts = await dumpAll(server, server.admin, name);
    await server.server.query(`USE ${name}; ${(options.change ?? CHANGE).replaceAll('LIVE', name)}`);
    const present = await picture(name);
    const scratch = await makeScratch(server);
    const { definers } = await loadAll(server, scratch, parts);
    const wish = { live: name, scratch: scratch.database, old: `salvor_${count}_old`, definer: site.account, definers };
    const plan = planSwap(await readSwapFacts(server.admin, wish), { ...wish, scope: options.scope ?? WHOLE_DATABASE });
    // A journal holds it as text.
    return { name, scratch, plan: JSON.parse(JSON.stringify(plan)) as SwapPlan, dumped, present };
  };

  /** All that a site can notice of its database, definers aside. */
  const picture = async (name: string): Promise<string> => {
    const facts = await probeDatabase(server.admin, name);
    const objects = await server.server.query(`
      SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE, ACTION_ORDER, ACTION_STATEMENT FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = '${name}' ORDER BY 1;
      SELECT EVENT_NAME, STATUS, EVENT_DEFINITION FROM information_schema.EVENTS WHERE EVENT_SCHEMA = '${name}' ORDER BY 1;
      SELECT TABLE_NAME, REPLACE(VIEW_DEFINITION, '${name}', '') FROM information_schema.VIEWS WHERE TABLE_SCHEMA = '${name}' ORDER BY 1;
      SELECT ROUTINE_NAME, ROUTINE_DEFINITION FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = '${name}' ORDER BY 1;`);
    return `${await fingerprint(server, name)}${objects}${facts.tables.map((table) => table.name).join(' ')}`;
  };

  test('puts the dumped state in place, whole: tables of every engine, views on views, triggers in order, routines, events', async () => {
    const { name, plan, dumped } = await prepare();
    assert.deepEqual((await applySwap(server.admin, plan)).problems, []);
    assert.equal(await picture(name), dumped);
    assert.equal((await inspectSwap(server.admin, plan)).state, 'after');
    const fired = await server.server.query(
      `USE ${name}; INSERT INTO a (id) VALUES (50); SELECT n FROM a WHERE id = 50; SELECT f(); CALL pr(1);`,
    );
    assert.equal(fired, '12\n7\n2\n', 'both triggers fire, in the order in which they were made');
  });

  test('defines what it makes as the site’s own user, and names what was defined by somebody else', async () => {
    const { name, plan } = await prepare();
    await applySwap(server.admin, plan);
    const definers = await server.server
      .query(`SELECT DISTINCT DEFINER FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = '${name}'
      UNION SELECT DEFINER FROM information_schema.VIEWS WHERE TABLE_SCHEMA = '${name}' UNION SELECT DEFINER FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = '${name}'
      UNION SELECT DEFINER FROM information_schema.EVENTS WHERE EVENT_SCHEMA = '${name}'`);
    assert.match(definers, /^u[0-9a-f]{8}@localhost\n$/);
    assert.deepEqual(
      plan.problems.map((problem) => problem.code).filter((code) => code !== 'table-not-crash-safe'),
      Array.from({ length: 8 }, () => 'definer-rewritten'),
    );
  });

  test('keeps foreign keys within what moved, and refers to no other database', async () => {
    const { name, plan } = await prepare();
    await applySwap(server.admin, plan);
    const keys = await server.server.query(
      `SELECT FOR_NAME, REF_NAME FROM information_schema.INNODB_SYS_FOREIGN WHERE FOR_NAME LIKE '${name}/%' OR FOR_NAME LIKE '${plan.old.replaceAll('_', '\\_')}/%'`,
    );
    assert.deepEqual(
      keys.trim().split('\n').toSorted(),
      [`${name}/b\t${name}/a`, `${plan.old}/b\t${plan.old}/a`].toSorted(),
    );
  });

  test('and back again leaves exactly what was there before it', async () => {
    const { name, plan, present } = await prepare();
    await applySwap(server.admin, plan);
    const journal: SwapPlan[] = [];
    const undone = `salvor_${count}_undone`;
    await swapBack(server.admin, plan, { undone, journal: async (back) => void journal.push(back) });
    assert.equal(await picture(name), present);
    assert.equal(journal.length, 1);
  });

  test('is undone with the tables that the site has made since moved out as well', async () => {
    const { name, plan, present } = await prepare();
    await applySwap(server.admin, plan);
    await server.server.query(`USE ${name}; CREATE TABLE since (i INT); DROP TABLE ft;`);
    await applySwap(server.admin, await planSwapBack(server.admin, plan, `salvor_${count}_undone`));
    assert.equal(await picture(name), present);
  });

  test('is not undone when kept tables are gone: refused before anything moves', async () => {
    const { plan } = await prepare();
    await applySwap(server.admin, plan);
    await server.server.query(`DROP DATABASE ${plan.old}`);
    await assert.rejects(planSwapBack(server.admin, plan, `salvor_${count}_undone`), {
      code: /database-missing|swap-obstructed|database-failed/,
    });
  });

  test('finish and revert are idempotent and reach their end from either side', async () => {
    const { name, plan, dumped, present } = await prepare();
    for (const [act, state] of [
      [revertSwap, present],
      [finishSwap, dumped],
      [finishSwap, dumped],
      [revertSwap, present],
      [revertSwap, present],
      [finishSwap, dumped],
    ] as const) {
      assert.deepEqual((await act(server.admin, plan)).problems, []);
      assert.equal(await picture(name), state);
    }
  });

  test('a crash after the triggers were dropped: revert makes them again, finish goes on', async () => {
    for (const act of [revertSwap, finishSwap]) {
      const { name, plan, dumped, present } = await prepare();
      await server.server.query(`CREATE DATABASE ${plan.old}; USE ${name}; DROP TRIGGER t1; DROP TRIGGER only_new;`);
      await act(server.admin, plan);
      assert.equal(await picture(name), act === revertSwap ? present : dumped);
    }
  });

  test('a crash right after the rename: finish makes views, triggers, routines and events; revert goes back', async () => {
    for (const act of [finishSwap, revertSwap]) {
      const { name, plan, dumped, present } = await prepare();
      const bare = { ...plan, incoming: [] };
      await applySwap(server.admin, bare);
      await act(server.admin, plan);
      assert.equal(await picture(name), act === finishSwap ? dumped : present);
    }
  });

  test('SIGKILL of the server at any instant of a switch leaves all tables before or all after it', async () => {
    const many = Array.from(
      { length: 60 },
      (_, n) => `CREATE TABLE t${n} (i INT PRIMARY KEY); INSERT INTO t${n} VALUES (1);`,
    ).join('');
    // Without the partitioned table: what the server does with that one is the next test's claim.
    for (const delayMs of [5, 25]) {
      const { name, plan, dumped, present } = await prepare({
        content: CONTENT + many,
        change: `${CHANGE} DELETE FROM t1;`,
      });
      const swapping = applySwap(server.admin, plan).catch(() => undefined);
      await sleep(delayMs);
      await server.server.kill('SIGKILL');
      await swapping;
      await server.server.start();
      const { state, details } = await inspectSwap(server.admin, plan);
      assert.notEqual(state, 'mixed', details.join('; '));
      await (delayMs === 25 ? revertSwap : finishSwap)(server.admin, plan);
      // A MEMORY table is empty after any start of the server.
      const forget = (text: string): string => text.replace(/^mem\t.*$/m, '');
      assert.equal(forget(await picture(name)), forget(delayMs === 25 ? present : dumped));
    }
  });

  test('a partitioned table is named in the plan, and one that a killed server tore is neither before nor after', async () => {
    const { name, plan } = await prepare();
    assert.deepEqual(
      plan.problems.filter((problem) => problem.code === 'table-not-crash-safe').map((problem) => problem.name),
      ['p'],
    );
    assert.equal((await inspectSwap(server.admin, plan)).state, 'before');
    await server.server.query(`CREATE DATABASE ${plan.old}`);
    // Stopped in order: else the server makes the file again from its log.
    await server.server.kill('SIGTERM');
    // As a killed server leaves it (seen twice in nine kills during a RENAME): one partition is not where the others are.
    const data = join(server.server.directory, 'data');
    await rename(join(data, name, 'p#P#p0.ibd'), join(server.server.directory, 'tmp', 'p0.ibd'));
    await server.server.start();
    const { state, details } = await inspectSwap(server.admin, plan);
    assert.equal(state, 'mixed');
    assert.match(details.join(), new RegExp(`p in ${name} is torn`));
    for (const act of [finishSwap, revertSwap]) await assert.rejects(act(server.admin, plan), { code: 'swap-mixed' });
  });

  test('gives way to an open transaction, names it, leaves all as it was, triggers included; then succeeds', async () => {
    const { name, plan, dumped, present } = await prepare();
    await using other = await openConnection(server.admin, { database: name });
    await other.execute('START TRANSACTION');
    await other.query('SELECT * FROM b');
    const waits: string[] = [];
    const begun = process.hrtime.bigint();
    await assert.rejects(
      applySwap(server.admin, plan, { attempts: 2, onWait: (list) => waits.push(...list) }),
      (error: unknown) => {
        const { code, context } = error as { code: string; context: Record<string, unknown> };
        assert.equal(code, 'swap-locked');
        assert.match(
          String(context['transactions']),
          new RegExp(`connection ${other.id} of root in ${name}, open for \\d s`),
        );
        return true;
      },
    );
    assert.ok(process.hrtime.bigint() - begun < 6_000_000_000n);
    assert.equal(waits.length, 2);
    await other.execute('COMMIT');
    assert.equal(await picture(name), present);
    await applySwap(server.admin, plan);
    assert.equal(await picture(name), dumped);
  });

  test('retries until the transaction ends', async () => {
    const { name, plan, dumped } = await prepare();
    await using other = await openConnection(server.admin, { database: name });
    await other.execute('START TRANSACTION');
    await other.query('SELECT * FROM b');
    await applySwap(server.admin, plan, { onWait: () => void other.execute('COMMIT') });
    assert.equal(await picture(name), dumped);
  });

  test('with a prefix moves the tables, views and routines of one site and leaves its neighbour’s', async () => {
    const content = `CREATE TABLE one_a (i INT); CREATE TABLE two_a (i INT); CREATE VIEW one_v AS SELECT i FROM one_a; CREATE VIEW two_v AS SELECT i FROM two_a;
      CREATE TRIGGER one_t BEFORE INSERT ON one_a FOR EACH ROW SET @a = 1; CREATE TRIGGER two_t BEFORE INSERT ON two_a FOR EACH ROW SET @a = 1;`;
    const { name, plan } = await prepare({
      content,
      change: 'INSERT INTO one_a VALUES (1); INSERT INTO two_a VALUES (2); DROP VIEW two_v;',
      scope: { prefix: 'one_' },
    });
    await applySwap(server.admin, plan);
    assert.equal(
      await server.server.query(
        `USE ${name}; SELECT COUNT(*) FROM one_v; SELECT COUNT(*) FROM two_a; SHOW FULL TABLES WHERE TABLE_TYPE = 'VIEW'; SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = '${name}' ORDER BY 1;`,
      ),
      '0\n1\none_v\tVIEW\none_t\ntwo_t\n',
    );
  });

  test('with chosen tables moves these with their triggers and nothing else', async () => {
    const { name, plan } = await prepare({
      scope: { tables: ['m', 'gone'] },
      change: 'INSERT INTO m VALUES (8); INSERT INTO p VALUES (77); DROP TABLE gone; DROP VIEW v0;',
    });
    await applySwap(server.admin, plan);
    const seen = await server.server.query(
      `USE ${name}; SELECT COUNT(*) FROM m; SELECT COUNT(*) FROM p; SELECT COUNT(*) FROM gone; SELECT COUNT(*) FROM v1;`,
    );
    assert.equal(seen, '1\n3\n0\n2\n');
    assert.deepEqual((await probeDatabase(server.admin, name)).views, ['v1']);
  });

  test('is refused where a chosen table is not in the dump', async () => {
    await assert.rejects(prepare({ scope: { tables: ['nowhere'] } }), { code: 'swap-obstructed' });
  });

  test('is refused where a foreign key would tie what parts: a chosen parent, and a child in another database', async () => {
    await assert.rejects(prepare({ scope: { tables: ['a'] } }), { code: 'swap-foreign-key' });
    const outside =
      'CREATE DATABASE `out-side é`; CREATE TABLE `out-side é`.`ch ild` (i INT, FOREIGN KEY (i) REFERENCES LIVE.a (id));';
    await assert.rejects(prepare({ change: outside }), (error: unknown) => {
      assert.equal((error as { code: string }).code, 'swap-foreign-key');
      assert.match(String(error), /out-side é\.ch ild refers to site_\d+\.a/);
      return true;
    });
    await server.server.query('DROP DATABASE `out-side é`');
  });

  test('is refused where tables were changed by hand since the plan: nothing moves, each is named', async () => {
    const { plan } = await prepare();
    await server.server.query(`DROP TABLE ${plan.scratch}.ft`);
    for (const act of [applySwap, finishSwap, revertSwap]) {
      await assert.rejects(act(server.admin, plan), (error: unknown) => {
        assert.equal((error as { code: string }).code, 'swap-mixed');
        assert.match(String(error), /ft is in site_\d+/);
        return true;
      });
    }
  });

  test('a table takes the place of a view of the same name, and the other way round', async () => {
    const content = 'CREATE TABLE x (i INT); CREATE TABLE base (i INT); CREATE VIEW y AS SELECT i FROM base;';
    const { name, plan, dumped, present } = await prepare({
      content,
      change: 'DROP TABLE x; DROP VIEW y; CREATE TABLE y (i INT); CREATE VIEW x AS SELECT i FROM y;',
    });
    await applySwap(server.admin, plan);
    assert.equal(await picture(name), dumped);
    await revertSwap(server.admin, plan);
    assert.equal(await picture(name), present);
  });

  test('the site’s user has no right on kept tables, the load’s user none on live ones', async () => {
    const { name, scratch, plan } = await prepare();
    await applySwap(server.admin, plan);
    const user = plan.incoming[0]?.definer.split('`')[1] ?? '';
    const grants = await server.server.query(
      `SHOW GRANTS FOR '${user}'@'localhost'; SHOW GRANTS FOR '${scratch.login.user}'@'localhost'`,
    );
    assert.doesNotMatch(grants, /_old/);
    await using loader = await openConnection(scratch.login);
    await assert.rejects(loader.query(`SELECT * FROM ${name}.a`), { code: 'database-failed' });
    await assert.rejects(loader.query(`SELECT * FROM ${plan.old}.a`), { code: 'database-failed' });
  });
});
