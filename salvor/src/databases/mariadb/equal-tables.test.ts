import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openConnection } from './connect.ts';
import { findEqualTables, keepCopies } from './equal-tables.ts';
import { inspectSwap, readSwapFacts } from './inspect-swap.ts';
import { planSwap, type SwapPlan, WHOLE_DATABASE } from './plan-swap.ts';
import { applySwap, finishSwap, revertSwap, swapBack } from './swap.ts';
import { fingerprint, makeSite, openTestServer, type TestServer } from './test-database.ts';

/** As on a slow disk, whatever this one is, and from the first table on. */
const SLOW = { fromTables: 1, moveMs: 1000 };
const NUMBERS = Array.from({ length: 8 }, (_, number) => number);
const TABLES = NUMBERS.map(
  (number) => `CREATE TABLE t${number} (id INT PRIMARY KEY AUTO_INCREMENT, word VARCHAR(20), n DOUBLE, KEY (word));
    INSERT INTO t${number} VALUES (1, 'one', 1.5), (2, NULL, NULL), (9, 'nine', -9);`,
).join('\n');

describe('tables that are equal on both sides of a switch', () => {
  let server: TestServer;
  let count = 0;
  before(async () => {
    server = await openTestServer();
  });
  after(() => server[Symbol.asyncDispose]());

  /** A site and what is to come, both made by `content`; `change` is done to the live one, `come` to the other. */
  const prepare = async (
    content: string,
    change: string | ((live: string) => Promise<void>) = '',
    come = '',
  ): Promise<SwapPlan> => {
    const number = (count += 1);
    const live = `site_${number}`;
    const scratch = `salvor_${number}_new`;
    const { account } = await makeSite(server, live, content);
    await server.server.query(`CREATE DATABASE ${scratch} CHARACTER SET utf8mb4; USE ${scratch}; ${content} ${come}`);
    if (typeof change !== 'string') await change(live);
    else if (change !== '') await server.server.query(`USE ${live}; ${change}`);
    const wish = { live, scratch, old: `salvor_${number}_old`, definer: account, definers: [], scope: WHOLE_DATABASE };
    const plan = planSwap(await readSwapFacts(server.admin, wish), wish);
    const mayStay = await findEqualTables(server.admin, plan, SLOW);
    // A journal holds it as text.
    return JSON.parse(JSON.stringify({ ...plan, mayStay })) as SwapPlan;
  };
  const namesOf = ({ mayStay }: SwapPlan): string => (mayStay ?? []).map(({ table }) => table).join(' ');
  const picture = (database: string): Promise<string> => fingerprint(server, database);
  /** The server's own number of a table: another one means that it is another table. */
  const idsOf = async (database: string): Promise<ReadonlyMap<string, string>> => {
    const rows = await server.server.query(
      `SELECT NAME, TABLE_ID FROM information_schema.INNODB_SYS_TABLES WHERE NAME LIKE '${database}/%'`,
    );
    const lines = rows.split('\n').filter(Boolean);
    return new Map(lines.map((line) => line.slice(database.length + 1).split('\t') as [string, string]));
  };

  const movedOf = async ({ live }: SwapPlan, before: ReadonlyMap<string, string>): Promise<string[]> => {
    const now = await idsOf(live);
    return NUMBERS.map((number) => `t${number}`).filter((table) => now.get(table) !== before.get(table));
  };

  test('stay where they are, the others change places, and what is kept is whole; an undo does the same the other way', async () => {
    const plan = await prepare(
      TABLES,
      "UPDATE t3 SET word = 'late' WHERE id = 1; DROP TABLE t4; CREATE TABLE t5b (i INT);",
    );
    assert.equal(namesOf(plan), 't0 t1 t2 t5 t6 t7');
    const [present, coming, ids] = [await picture(plan.live), await picture(plan.scratch), await idsOf(plan.live)];
    await applySwap(server.admin, plan);
    assert.equal((await inspectSwap(server.admin, plan)).state, 'after');
    await keepCopies(server.admin, plan);
    assert.equal(await picture(plan.live), coming);
    assert.equal(await picture(plan.old), present, 'all of what was there is kept');
    assert.equal(await picture(plan.scratch), '');
    assert.deepEqual(await movedOf(plan, ids), ['t3', 't4']);
    // The site goes on, and all of that is taken back.
    await server.server.query(`INSERT INTO ${plan.live}.t1 VALUES (20, 'since', 0)`);
    await swapBack(server.admin, plan, { undone: `salvor_${count}_undone`, journal: async () => {} });
    assert.equal(await picture(plan.live), present);
  });

  test('are those of which every value is the same to the byte, and nothing else: a sum or a collation is not believed', async () => {
    const make = (name: string, columns: string, rows: string): string =>
      `CREATE TABLE ${name} (id INT PRIMARY KEY, ${columns}); INSERT INTO ${name} VALUES ${rows};`;
    const content = [
      make('shifted', 'a VARCHAR(9), b VARCHAR(9)', "(1, 'ab', 'c')"),
      make('cased', 'a VARCHAR(9)', "(1, 'Ä')"),
      make('spaced', 'a VARCHAR(9)', "(1, 'x')"),
      make('absent', 'a VARCHAR(9)', '(1, NULL)'),
      make('longer', 'a INT', '(1, 1), (2, 2)'),
      make('shorter', 'a INT', '(1, 1)'),
      make('altered', 'a INT', '(1, 1)'),
      make('counted', 'a INT', '(1, 1)').replace('INT PRIMARY KEY', 'INT PRIMARY KEY AUTO_INCREMENT'),
      'CREATE TABLE keyless (i INT); CREATE TABLE old_way (i INT PRIMARY KEY) ENGINE=MyISAM; CREATE SEQUENCE s;',
      'CREATE TABLE parent (i INT PRIMARY KEY); CREATE TABLE child (i INT PRIMARY KEY, FOREIGN KEY (i) REFERENCES parent (i));',
      'CREATE TABLE fired (i INT PRIMARY KEY); CREATE TRIGGER f BEFORE INSERT ON fired FOR EACH ROW SET @f = 1;',
      'CREATE TABLE split (i INT PRIMARY KEY) PARTITION BY HASH (i) PARTITIONS 2;',
      'CREATE TABLE history (i INT PRIMARY KEY) WITH SYSTEM VERSIONING;',
      make(
        'same',
        'a TEXT, b JSON, c FLOAT, d BLOB, e DATETIME(6), f BIT(3), g SET("x","y"), h POINT',
        "(1, 'é', '[1]', 1.1, x'00ff', '2026-01-01', 5, 'y', POINT(1, 2))",
      ),
      "CREATE TABLE `sa``me 2` (`i d` VARCHAR(9) PRIMARY KEY, `v'\"` INT AS (1) VIRTUAL); INSERT INTO `sa``me 2` (`i d`) VALUES ('A');",
    ].join('\n');
    const plan = await prepare(
      content,
      `UPDATE shifted SET a = 'a', b = 'bc'; UPDATE cased SET a = 'a'; UPDATE spaced SET a = 'x '; UPDATE absent SET a = '';
       DELETE FROM longer WHERE id = 2; INSERT INTO shorter VALUES (2, 2); ALTER TABLE altered ADD KEY (a); ALTER TABLE counted AUTO_INCREMENT = 50;`,
    );
    assert.equal(namesOf(plan), 'sa`me 2 same');
    const sums = await server.server.query(`CHECKSUM TABLE ${plan.live}.shifted, ${plan.scratch}.shifted`);
    const [one, other] = sums
      .trim()
      .split('\n')
      .map((line) => line.split('\t')[1]);
    assert.equal(one, other, 'else this test would not show that a sum is not enough');
  });

  test('that are written to or altered after they were compared move as all others do, and the rest stays', async () => {
    const plan = await prepare(TABLES);
    assert.equal(plan.mayStay?.length, NUMBERS.length - 1, 'one moves, by which the switch is known');
    const [coming, ids] = [await picture(plan.scratch), await idsOf(plan.live)];
    await server.server.query(
      `USE ${plan.live}; UPDATE t1 SET word = 'late' WHERE id = 1; ALTER TABLE t2 ADD KEY (n); INSERT INTO t3 VALUES (50, '', 0); DELETE FROM t3 WHERE id = 50;`,
    );
    const definition = await server.server.query(`SHOW CREATE TABLE ${plan.scratch}.t2`);
    await applySwap(server.admin, plan);
    await keepCopies(server.admin, plan);
    assert.equal(await picture(plan.live), coming);
    assert.equal(await server.server.query(`SHOW CREATE TABLE ${plan.live}.t2`), definition);
    assert.equal(await server.server.query(`SELECT word FROM ${plan.old}.t1 WHERE id = 1`), 'late\n');
    assert.deepEqual(await movedOf(plan, ids), ['t0', 't1', 't2', 't3']);
  });

  /** Longer ago than a second: only then no other transaction can have begun in the same one. */
  const letSecondsPass = async (): Promise<void> => {
    await using connection = await openConnection(server.admin);
    await connection.query('SELECT SLEEP(2.1)');
  };
  const withoutSum = ({ mayStay }: SwapPlan): string =>
    (mayStay ?? []).flatMap(({ table, checksum }) => (checksum === null ? [table] : [])).join(' ');

  test('are not summed again where the server would tell a write: one that was written to moves, as do all of which it forgot', async () => {
    const [plan, other] = await Promise.all([prepare(TABLES, letSecondsPass), prepare(TABLES, letSecondsPass)]);
    assert.equal(withoutSum(plan), 't1 t2 t3 t4 t5 t6 t7');
    const [coming, ids] = [await picture(plan.scratch), await idsOf(plan.live)];
    await server.server.query(
      `USE ${plan.live}; UPDATE t1 SET n = 8 WHERE id = 1; UPDATE t1 SET n = 1.5 WHERE id = 1; UPDATE t2 SET n = n;`,
    );
    await applySwap(server.admin, plan);
    await keepCopies(server.admin, plan);
    assert.equal(await picture(plan.live), coming);
    assert.deepEqual(await movedOf(plan, ids), ['t0', 't1'], 'a statement that changes nothing is no write');

    const [otherComing, otherIds] = [await picture(other.scratch), await idsOf(other.live)];
    assert.equal(withoutSum(other), 't1 t2 t3 t4 t5 t6 t7');
    await server.server.kill('SIGKILL');
    await server.server.start();
    await applySwap(server.admin, other);
    await keepCopies(server.admin, other);
    assert.equal(await picture(other.live), otherComing);
    assert.equal((await movedOf(other, otherIds)).length, NUMBERS.length);
  });

  test('are summed where a transaction is open of the second in which they were last written to: another write would have the same time', async () => {
    const open = await openConnection(server.admin);
    /** Two transactions of one second, of which one has written to t1 and is over. */
    const writeInOneSecond = async (live: string): Promise<void> => {
      await letSecondsPass();
      for (;;) {
        await open.execute('START TRANSACTION');
        await open.execute(`UPDATE ${live}.t1 SET word = 'late' WHERE id = 9`);
        const [began] = await open.query<{ at: string }>(
          'SELECT CONCAT(trx_started) AS at FROM information_schema.INNODB_TRX WHERE trx_mysql_thread_id = CONNECTION_ID()',
        );
        await server.server.query(
          `UPDATE ${live}.t1 SET n = 7 WHERE id = 1; UPDATE ${live}.t1 SET n = 1.5 WHERE id = 1`,
        );
        const written = await server.server.query(
          `SELECT UPDATE_TIME FROM information_schema.TABLES WHERE TABLE_SCHEMA = '${live}' AND TABLE_NAME = 't1'`,
        );
        if (written.trim() === began?.at) break;
        await open.execute('ROLLBACK');
      }
      await letSecondsPass();
    };
    const plan = await prepare(TABLES, writeInOneSecond);
    assert.equal(withoutSum(plan), 't2 t3 t4 t5 t6 t7');
    assert.equal(namesOf(plan), 't1 t2 t3 t4 t5 t6 t7');
    const [coming, ids] = [await picture(plan.scratch), await idsOf(plan.live)];
    await open.execute('COMMIT');
    await open.close();
    await applySwap(server.admin, plan);
    await keepCopies(server.admin, plan);
    assert.equal(await picture(plan.live), coming, 'what that transaction wrote is not in the restored site');
    assert.deepEqual(await movedOf(plan, ids), ['t0', 't1']);
  });

  test('that cannot be held move too: an administrator without the right to lock them', async () => {
    const plan = await prepare(TABLES, 'DELETE FROM t7;');
    const [coming, ids] = [await picture(plan.scratch), await idsOf(plan.live)];
    await server.server.query(
      "GRANT ALL ON *.* TO 'lockless'@'localhost' IDENTIFIED BY 'x' WITH GRANT OPTION; REVOKE LOCK TABLES ON *.* FROM 'lockless'@'localhost';",
    );
    await applySwap({ ...server.admin, user: 'lockless', password: 'x' }, plan);
    assert.equal(await picture(plan.live), coming);
    assert.equal((await movedOf(plan, ids)).length, NUMBERS.length);
  });

  test('a crash before their copies are kept: finish keeps them, revert brings all back', async () => {
    for (const act of [finishSwap, revertSwap]) {
      const plan = await prepare(TABLES, 'DELETE FROM t7; DROP TABLE t6;');
      const [present, coming] = [await picture(plan.live), await picture(plan.scratch)];
      await applySwap(server.admin, plan);
      await act(server.admin, plan);
      await keepCopies(server.admin, plan);
      assert.equal(await picture(plan.live), act === finishSwap ? coming : present);
      assert.equal(await picture(act === finishSwap ? plan.old : plan.scratch), act === finishSwap ? present : coming);
    }
  });

  test('visitors who write to tables that stay and to tables that move lose nothing', async () => {
    const plan = await prepare(TABLES, 'DELETE FROM t7; DELETE FROM t6;');
    const stop = new AbortController();
    const written: string[] = [];
    const visit = async (table: string, first: number): Promise<void> => {
      await using connection = await openConnection(server.admin, { database: plan.live });
      for (let id = first; !stop.signal.aborted; id += 1) {
        await connection.execute(`INSERT INTO ${table} VALUES (${id}, 'visit', 1)`);
        written.push(`${table}\t${id}`);
      }
    };
    const visits = [visit('t1', 1000), visit('t7', 1000), visit('t2', 1000)];
    await applySwap(server.admin, plan);
    stop.abort();
    await Promise.all(visits);
    await keepCopies(server.admin, plan);
    const rows = [plan.live, plan.old].flatMap((database) =>
      ['t1', 't2', 't7'].map((table) => `SELECT '${table}', id FROM ${database}.${table} WHERE id >= 1000`),
    );
    const found = new Set((await server.server.query(rows.join(' UNION ALL '))).split('\n'));
    assert.deepEqual(
      written.filter((one) => !found.has(one)),
      [],
    );
    assert.ok(written.length > 0);
  });

  test('none stays where tables are few or the disk is fast', async () => {
    const plan = await prepare(TABLES);
    assert.deepEqual(await findEqualTables(server.admin, plan), []);
    assert.deepEqual(await findEqualTables(server.admin, plan, { fromTables: 1, moveMs: 1 }), []);
    // Measured on this server: whatever it says, what it renamed for that is where it was.
    await findEqualTables(server.admin, plan, { fromTables: 1 });
    assert.equal((await inspectSwap(server.admin, plan)).state, 'before');
  });
});
