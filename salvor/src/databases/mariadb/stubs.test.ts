import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, test } from 'node:test';
import { inspectSwap, readSwapFacts } from './inspect-swap.ts';
import { planSwap, type SwapPlan, type SwapScope, WHOLE_DATABASE } from './plan-swap.ts';
import { planSwapBack } from './plan-swap-back.ts';
import { applySwap, finishSwap, revertSwap, swapBack } from './swap.ts';
import { createStubs, dropStubs } from './stubs.ts';
import { openConnection } from './connect.ts';
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
CREATE TABLE parent (id INT PRIMARY KEY); INSERT INTO parent VALUES (1), (2);
CREATE TABLE child (id INT PRIMARY KEY, p INT, CONSTRAINT of_parent FOREIGN KEY (p) REFERENCES parent (id)); INSERT INTO child VALUES (1, 1);
CREATE TABLE \`p ä\` (a BIGINT UNSIGNED, B VARCHAR(40) CHARACTER SET latin1, c ENUM('x', 'it''s'), PRIMARY KEY (a, B), UNIQUE (c));
CREATE TABLE \`c ö\` (a BIGINT UNSIGNED, b VARCHAR(30) CHARACTER SET latin1, c ENUM('x', 'it''s'),
  FOREIGN KEY (a, b) REFERENCES \`p ä\` (a, B), FOREIGN KEY (c) REFERENCES \`p ä\` (c));
CREATE TABLE tree (id INT PRIMARY KEY, up INT, CONSTRAINT of_tree FOREIGN KEY (up) REFERENCES tree (id)); INSERT INTO tree VALUES (1, 1);
SET foreign_key_checks = 0;
CREATE TABLE hen (id INT PRIMARY KEY, e INT, CONSTRAINT of_egg FOREIGN KEY (e) REFERENCES egg (id));
CREATE TABLE egg (id INT PRIMARY KEY, h INT, CONSTRAINT of_hen FOREIGN KEY (h) REFERENCES hen (id));
INSERT INTO hen VALUES (1, 1); INSERT INTO egg VALUES (1, 1);
`;

describe('a switch where parents of foreign keys are missing', () => {
  let server: TestServer;
  let count = 0;
  before(async () => {
    server = await openTestServer();
  });
  after(() => server[Symbol.asyncDispose]());

  const query = (sql: string): Promise<string> => server.server.query(sql);

  /** Rows, every foreign key on either side of a database, and views. */
  const picture = async (name: string): Promise<string> => {
    const keys = await query(
      `SELECT ID, FOR_NAME, REF_NAME FROM information_schema.INNODB_SYS_FOREIGN
       WHERE FOR_NAME LIKE '${name}/%' OR REF_NAME LIKE '${name}/%' ORDER BY 1`,
    );
    const tables = await query(`SHOW FULL TABLES FROM ${name}`);
    return `${await fingerprint(server, name)}${keys}${tables}`;
  };

  type Prepared = { name: string; plan: SwapPlan; dumped: string; broken: string; undone: string };

  const prepare = async (change: string, options: { scope?: SwapScope; content?: string } = {}): Promise<Prepared> => {
    count += 1;
    const name = `orphans${count}`;
    const site = await makeSite(server, name, options.content ?? CONTENT);
    const dumped = await picture(name);
    const parts = await dumpAll(server, server.admin, name);
    await query(`USE ${name}; SET foreign_key_checks = 0; ${change.replaceAll('LIVE', name)}`);
    const broken = await picture(name);
    const scratch = await makeScratch(server);
    const { definers } = await loadAll(server, scratch, parts);
    const old = `salvor_o${count}_old`;
    const wish = { live: name, scratch: scratch.database, old, definer: site.account, definers };
    const plan = planSwap(await readSwapFacts(server.admin, wish), { ...wish, scope: options.scope ?? WHOLE_DATABASE });
    return {
      name,
      plan: JSON.parse(JSON.stringify(plan)) as SwapPlan,
      dumped,
      broken,
      undone: `salvor_o${count}_undone`,
    };
  };

  const listTables = (database: string): Promise<string> => query(`SHOW TABLES FROM ${database}`);

  for (const [what, change] of [
    ['the parent', 'DROP TABLE parent'],
    ['a parent of keys of several columns and types, with an odd name', 'DROP TABLE `p ä`'],
    ['the child', 'DROP TABLE child'],
    ['both', 'DROP TABLE child, parent'],
    ['one of a circle', 'DROP TABLE egg'],
    ['both of a circle', 'DROP TABLE egg, hen'],
    ['a table that refers to itself', 'DROP TABLE tree'],
    ['all parents, with a view in the place of one', 'DROP TABLE parent, hen; CREATE VIEW parent AS SELECT 1 AS one'],
  ] as const) {
    test(`dropped: ${what}; a switch brings it back, and undo and revert leave exactly the ruin`, async () => {
      const { name, plan, dumped, broken, undone } = await prepare(change);
      assert.deepEqual((await applySwap(server.admin, plan)).problems, []);
      assert.equal(await picture(name), dumped);
      const journal: SwapPlan[] = [];
      const write = async (back: SwapPlan): Promise<void> => void journal.push(back);
      assert.deepEqual((await swapBack(server.admin, plan, { undone, journal: write })).problems, []);
      assert.equal(await picture(name), broken);
      assert.equal(await listTables(plan.old), '', 'nothing is left where the ruin was kept');

      const back = journal[0] as SwapPlan;
      assert.equal((await inspectSwap(server.admin, back)).state, 'after');
      for (const [act, state] of [
        [finishSwap, broken],
        [revertSwap, dumped],
        [revertSwap, dumped],
        [finishSwap, broken],
      ] as const) {
        assert.deepEqual((await act(server.admin, back)).problems, []);
        assert.equal(await picture(name), state);
      }
    });

    test(`dropped: ${what}; finish and revert reach their end from either side, as often as one likes`, async () => {
      const { name, plan, dumped, broken } = await prepare(change);
      for (const [act, state] of [
        [revertSwap, broken],
        [finishSwap, dumped],
        [finishSwap, dumped],
        [revertSwap, broken],
        [revertSwap, broken],
        [applySwap, dumped],
      ] as const) {
        assert.deepEqual((await act(server.admin, plan)).problems, []);
        assert.equal(await picture(name), state);
      }
    });
  }

  test('the parent that came is held by no child that left: the site may delete from it and drop it', async () => {
    const { name, plan } = await prepare('DROP TABLE parent');
    await applySwap(server.admin, plan);
    await query(`USE ${name}; DELETE FROM child; DELETE FROM parent; DROP TABLE child; DROP TABLE parent;`);
  });

  test('a ruin that was dumped is put in place as it was, and the whole site comes back by undo', async () => {
    const whole = 'CREATE TABLE parent (id INT PRIMARY KEY); INSERT INTO parent VALUES (1);';
    const content = `${CONTENT} DROP TABLE parent;`;
    const { name, plan, dumped, broken, undone } = await prepare(whole, { content });
    await applySwap(server.admin, plan);
    assert.equal(await picture(name), dumped);
    await swapBack(server.admin, plan, { undone, journal: async () => {} });
    assert.equal(await picture(name), broken);
  });

  test('a ruin takes the place of the same ruin', async () => {
    const { name, plan, dumped, undone } = await prepare('', { content: `${CONTENT} DROP TABLE parent, hen;` });
    await applySwap(server.admin, plan);
    assert.equal(await picture(name), dumped);
    await swapBack(server.admin, plan, { undone, journal: async () => {} });
    assert.equal(await picture(name), dumped);
  });

  test('a parent that the site drops after the switch is missing again after undo of the undo', async () => {
    const { name, plan, broken, undone } = await prepare('DROP TABLE egg');
    await applySwap(server.admin, plan);
    await query(`USE ${name}; SET foreign_key_checks = 0; DROP TABLE parent;`);
    const since = await picture(name);
    const back = await planSwapBack(server.admin, plan, undone);
    await applySwap(server.admin, back);
    assert.equal(await picture(name), broken);
    await revertSwap(server.admin, back);
    assert.equal(await picture(name), since);
  });

  test('a switch that gave way leaves nothing behind once it is reverted', async () => {
    const { name, plan, broken } = await prepare('DROP TABLE parent');
    await using other = await openConnection(server.admin, { database: name });
    await other.execute('START TRANSACTION');
    await other.query('SELECT * FROM child');
    await assert.rejects(applySwap(server.admin, plan, { attempts: 1 }), { code: 'swap-locked' });
    await other.execute('COMMIT');
    await revertSwap(server.admin, plan);
    assert.equal(await picture(name), broken);
    assert.equal(await listTables(plan.old), '');
  });

  test('a crash between an undo’s rename and its last step: finish drops the stand-in, revert takes it away', async () => {
    for (const act of [finishSwap, revertSwap]) {
      const { name, plan, dumped, broken, undone } = await prepare('DROP TABLE parent');
      await applySwap(server.admin, plan);
      const back = await planSwapBack(server.admin, plan, undone);
      await applySwap(server.admin, back);
      // As the rename leaves it.
      await using connection = await openConnection(server.admin);
      await createStubs(connection, { place: name, of: name }, ['parent']);
      assert.equal((await inspectSwap(server.admin, back)).state, 'after');
      await act(server.admin, back);
      assert.equal(await picture(name), act === finishSwap ? broken : dumped);
    }
  });

  test('a rename that the server rolled back, or a crash in taking that back: finish and revert both reach their end', async () => {
    for (const act of [finishSwap, revertSwap]) {
      for (const isInLive of [false, true]) {
        const { name, plan, dumped, broken } = await prepare('DROP TABLE parent');
        await query(`CREATE DATABASE ${plan.old}`);
        await using connection = await openConnection(server.admin);
        await createStubs(connection, { place: plan.old, of: name }, ['parent']);
        // In, which ties the child to it, and out again: what a rollback undoes in the same way once more.
        await query(`RENAME TABLE ${plan.old}.parent TO ${name}.parent`);
        if (!isInLive) await query(`RENAME TABLE ${name}.parent TO ${plan.old}.parent`);
        assert.equal((await inspectSwap(server.admin, plan)).state, 'before');
        assert.deepEqual((await act(server.admin, plan)).problems, []);
        assert.equal(await picture(name), act === finishSwap ? dumped : broken);
        if (act === revertSwap) assert.equal(await listTables(plan.old), '');
      }
    }
  });

  test('SIGKILL of the server at any instant of a switch or an undo leaves what can be finished and reverted', async () => {
    const many = Array.from(
      { length: 40 },
      (_, n) =>
        `CREATE TABLE t${n} (i INT PRIMARY KEY, FOREIGN KEY (i) REFERENCES parent (id)); INSERT INTO t${n} VALUES (1);`,
    ).join('');
    for (const isUndo of [false, true]) {
      for (const delayMs of [4, 12, 20, 30]) {
        const { name, plan, dumped, broken, undone } = await prepare('DROP TABLE parent', { content: CONTENT + many });
        if (isUndo) await applySwap(server.admin, plan);
        const wanted = isUndo ? await planSwapBack(server.admin, plan, undone) : plan;
        const swapping = applySwap(server.admin, wanted).catch(() => undefined);
        await sleep(delayMs);
        await server.server.kill('SIGKILL');
        await swapping;
        await server.server.start();
        const { state, details } = await inspectSwap(server.admin, wanted);
        assert.notEqual(state, 'mixed', details.join('; '));
        const [first, second] = delayMs % 8 === 4 ? [finishSwap, revertSwap] : [revertSwap, finishSwap];
        const ends = isUndo ? { finish: broken, revert: dumped } : { finish: dumped, revert: broken };
        for (const act of [first, second]) {
          assert.deepEqual((await act(server.admin, wanted)).problems, []);
          assert.equal(await picture(name), act === finishSwap ? ends.finish : ends.revert, `${state} ${delayMs}`);
        }
      }
    }
  });

  test('is refused where a child in another database waits for the parent that would come', async () => {
    const outside = `CREATE DATABASE waiting; CREATE TABLE waiting.ch (i INT, FOREIGN KEY (i) REFERENCES LIVE.parent (id)); DROP TABLE parent;`;
    await assert.rejects(prepare(outside), (error: unknown) => {
      assert.equal((error as { code: string }).code, 'swap-foreign-key');
      assert.match(String(error), /waiting\.ch refers to orphans\d+\.parent/);
      return true;
    });
    await query('SET foreign_key_checks = 0; DROP DATABASE waiting');
  });

  test('only what bears our mark is dropped as a stand-in', async () => {
    await query('CREATE DATABASE salvor_marks; CREATE TABLE salvor_marks.real_one (i INT)');
    await using connection = await openConnection(server.admin);
    await createStubs(connection, { place: 'salvor_marks', of: 'salvor_marks' }, ['real_one', 'stub']);
    assert.deepEqual(await dropStubs(connection, 'salvor_marks', ['real_one', 'stub', 'nowhere']), []);
    assert.equal(await listTables('salvor_marks'), 'real_one\n');
  });
});
