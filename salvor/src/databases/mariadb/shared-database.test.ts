/** Several sites in one database: each dump, load and switch is of one of them, and the others' tables stay to the byte. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openConnection } from './connect.ts';
import { describeDatabase } from './describe-database.ts';
import { dumpDatabase } from './dump.ts';
import { readSwapFacts } from './inspect-swap.ts';
import { isOwnName, isUnclaimedName, type NamePrefixes } from './own-names.ts';
import { planSwap, type SwapPlan } from './plan-swap.ts';
import { type DatabaseProblem, probeDatabase } from './probe.ts';
import { findReachingViews } from './reaching-views.ts';
import { applySwap, finishSwap, revertSwap, swapBack } from './swap.ts';
import {
  loadAll,
  makeScratch,
  makeSite,
  openTestServer,
  type StoredPart,
  storePart,
  type TestServer,
} from './test-database.ts';

test('a name is the site’s whose prefix fits longest; of prefixes that are alike it is everybody’s', () => {
  const a: NamePrefixes = { own: ['a_'], others: ['a_b_', 'c_'] };
  const b: NamePrefixes = { own: ['a_b_'], others: ['a_', 'c_'] };
  const none: NamePrefixes = { own: [''], others: ['a_', 'a_b_'] };
  for (const [name, isOfA, isOfB, isOfNone] of [
    ['a_x', true, false, false],
    ['a_', true, false, false],
    ['a_b', true, false, false],
    ['a_b_', false, true, false],
    ['a_b_x', false, true, false],
    ['A_x', false, false, true],
    ['c_x', false, false, true],
    ['x', false, false, true],
  ] as const)
    assert.deepEqual([isOwnName(name, a), isOwnName(name, b), isOwnName(name, none)], [isOfA, isOfB, isOfNone], name);
  assert.ok(isOwnName('s_users', { own: ['a_', 's_'], others: ['b_', 's_'] }));
  assert.deepEqual(
    [isUnclaimedName('x', a), isUnclaimedName('c_x', a), isUnclaimedName('x', none)],
    [true, false, false],
  );
});

const content = (p: string): string => `
CREATE TABLE ${p}a (id INT PRIMARY KEY, n INT); INSERT INTO ${p}a VALUES (1, 1), (2, 2);
CREATE TABLE ${p}b (id INT PRIMARY KEY, a_id INT, FOREIGN KEY (a_id) REFERENCES ${p}a (id)); INSERT INTO ${p}b VALUES (1, 1);
CREATE TABLE ${p}gone (i INT) ENGINE=MyISAM; INSERT INTO ${p}gone VALUES (5); CREATE SEQUENCE ${p}s;
CREATE VIEW ${p}v AS SELECT id FROM ${p}a; CREATE VIEW ${p}w AS SELECT id FROM ${p}v;
CREATE TRIGGER ${p}t BEFORE INSERT ON ${p}a FOR EACH ROW SET NEW.n = IFNULL(NEW.n, 7);
CREATE FUNCTION ${p}f() RETURNS INT DETERMINISTIC RETURN 1; CREATE PROCEDURE ${p}p() SELECT 1;
CREATE EVENT ${p}e ON SCHEDULE EVERY 1 DAY DISABLE DO DELETE FROM ${p}gone;`;
const change = (p: string): string => `
INSERT INTO ${p}a VALUES (9, 9); DROP TABLE ${p}gone; CREATE TABLE ${p}fresh (i INT); DROP VIEW ${p}w; DROP TRIGGER ${p}t;
CREATE VIEW ${p}z AS SELECT 1 AS one; DROP PROCEDURE ${p}p; CREATE FUNCTION ${p}g() RETURNS INT DETERMINISTIC RETURN 2; DROP EVENT ${p}e;`;

describe('a database that several sites share', () => {
  let server: TestServer;
  let count = 0;
  before(async () => {
    server = await openTestServer();
  });
  after(() => server[Symbol.asyncDispose]());

  const PREFIXES = ['wp_', 'wp_2_', 'a_', 'a_b_'] as const;
  const namesOf = (prefix: string): NamePrefixes => ({
    own: [prefix],
    others: PREFIXES.filter((other) => other !== prefix),
  });

  type Shared = { readonly name: string; readonly site: Awaited<ReturnType<typeof makeSite>> };
  const makeShared = async (more = ''): Promise<Shared> => {
    count += 1;
    const name = `pool_${count}`;
    const site = await makeSite(server, name, PREFIXES.map(content).join('') + more);
    return { name, site };
  };

  const dump = async (name: string, prefix: string, problems: DatabaseProblem[] = []): Promise<StoredPart[]> => {
    const parts: StoredPart[] = [];
    const options = {
      defaultsDirectory: server.directory,
      names: namesOf(prefix),
      onProblem: (problem: DatabaseProblem) => void problems.push(problem),
    };
    for await (const part of dumpDatabase(server.admin, name, options)) {
      const pieces: Uint8Array[] = [];
      for await (const bytes of part.bytes) pieces.push(bytes);
      parts.push(storePart(part.file, part.kind, part.table, Buffer.concat(pieces), part.rows()));
    }
    return parts;
  };

  const planFor = async ({ name, site }: Shared, prefix: string, parts: readonly StoredPart[]): Promise<SwapPlan> => {
    const scratch = await makeScratch(server);
    const { definers } = await loadAll(server, scratch, parts);
    const wish = { live: name, scratch: scratch.database, old: `salvor_${name}_old`, definer: site.account, definers };
    await using connection = await openConnection(server.admin);
    const stays = [...(await findReachingViews(connection, name, namesOf(prefix)))];
    const plan = planSwap(await readSwapFacts(server.admin, wish), {
      ...wish,
      scope: { names: namesOf(prefix), stays },
    });
    return JSON.parse(JSON.stringify(plan)) as SwapPlan;
  };

  /** What there is to see of the site of a prefix, or of all others. */
  const see = async (name: string, isSeen: (named: string) => boolean): Promise<Record<string, string>> => {
    const all = await describeDatabase(server.admin, name, { definers: false });
    return Object.fromEntries(Object.entries(all).filter(([key]) => isSeen(key.slice(key.lastIndexOf(' ') + 1))));
  };
  const ofSite = (prefix: string) => (named: string) => isOwnName(named, namesOf(prefix));

  for (const prefix of ['a_', 'a_b_'] as const)
    test(`is dumped, switched and switched back for ${prefix} alone, everything of every other site as it was`, async () => {
      const shared = await makeShared('CREATE TABLE nobodys (i INT);');
      const { name } = shared;
      const others = (): Promise<Record<string, string>> => see(name, (named) => !ofSite(prefix)(named));
      const own = (): Promise<Record<string, string>> => see(name, ofSite(prefix));
      const dumped = await own();
      const problems: DatabaseProblem[] = [];
      const parts = await dump(name, prefix, problems);
      assert.deepEqual(
        parts.flatMap(({ table }) => table ?? []).toSorted(),
        ['a', 'b', 'gone', 's'].map((table) => `${prefix}${table}`),
      );
      assert.deepEqual(
        problems.map(({ code, name: named }) => `${code} ${named}`),
        [`table-not-consistent ${prefix}gone`, 'tables-unclaimed nobodys'],
      );
      await server.server.query(`USE ${name}; ${PREFIXES.map(change).join('')}`);
      const [present, untouched] = [await own(), await others()];
      assert.notDeepEqual(present, dumped);

      const plan = await planFor(shared, prefix, parts);
      assert.deepEqual((await applySwap(server.admin, plan)).problems, []);
      assert.deepEqual(await own(), dumped);
      assert.deepEqual(await others(), untouched);
      await revertSwap(server.admin, plan);
      assert.deepEqual(await own(), present);
      await finishSwap(server.admin, plan);
      await server.server.query(`CREATE TABLE ${name}.${prefix}since (i INT)`);
      await swapBack(server.admin, plan, { undone: `salvor_${name}_undone`, journal: async () => undefined });
      assert.deepEqual(await own(), present);
      assert.deepEqual(await others(), untouched);
    });

  test('is probed for one site: its tables, views, triggers, routines and events, and the names of the rest', async () => {
    const { name, site } = await makeShared();
    const facts = await probeDatabase(site.login, name, { names: namesOf('a_b_') });
    assert.deepEqual(
      facts.tables.map((table) => table.name),
      ['a_b_a', 'a_b_b', 'a_b_gone', 'a_b_s'],
    );
    assert.deepEqual(
      [facts.views, facts.triggers, facts.routines, facts.events],
      [['a_b_v', 'a_b_w'], ['a_b_t'], ['FUNCTION a_b_f', 'PROCEDURE a_b_p'], ['a_b_e']],
    );
    assert.equal(facts.others.length, 3 * 6);
  });

  test('where a view reads another site’s tables it is left out of the dump, named, and stays through a switch', async () => {
    const shared = await makeShared(
      'CREATE VIEW a_mixed AS SELECT x.id FROM a_a x JOIN wp_a y ON x.id = y.id; CREATE VIEW a_on_mixed AS SELECT id FROM a_mixed; CREATE VIEW wp_reads AS SELECT n FROM a_a;',
    );
    const problems: DatabaseProblem[] = [];
    const parts = await dump(shared.name, 'a_', problems);
    assert.deepEqual(
      problems.filter(({ code }) => code === 'view-of-others').map(({ name }) => name),
      ['a_mixed', 'a_on_mixed'],
    );
    const plan = await planFor(shared, 'a_', parts);
    assert.deepEqual((await applySwap(server.admin, plan)).problems, []);
    const seen = await server.server.query(
      `USE ${shared.name}; SELECT COUNT(*) FROM a_on_mixed; SELECT COUNT(*) FROM wp_reads; SELECT COUNT(*) FROM a_w;`,
    );
    assert.equal(seen, '2\n2\n2\n');
  });

  test('where another site’s table refers to one of ours the switch is refused, and names the key', async () => {
    const shared = await makeShared(
      'CREATE TABLE wp_child (id INT, CONSTRAINT reaches_over FOREIGN KEY (id) REFERENCES a_a (id));',
    );
    const parts = await dump(shared.name, 'a_');
    await assert.rejects(planFor(shared, 'a_', parts), (error: unknown) => {
      assert.equal((error as { code: string }).code, 'swap-foreign-key');
      assert.match(String(error), /wp_child refers to pool_\d+\.a_a \(reaches_over\)/);
      return true;
    });
  });

  test('a table that another site makes while the dump runs is in no part of it, one of ours fails it', async () => {
    const { name } = await makeShared();
    const dumpMaking = async (table: string): Promise<void> => {
      const options = { defaultsDirectory: server.directory, names: namesOf('a_') };
      for await (const part of dumpDatabase(server.admin, name, options)) {
        if (part.kind === 'head') await server.server.query(`CREATE TABLE ${name}.${table} (i INT)`);
        for await (const bytes of part.bytes) void bytes;
        assert.notEqual(part.table, 'wp_new');
      }
    };
    // The tool lists tables by itself, and gives up at one that is younger than its snapshot.
    await dumpMaking('wp_new').catch((error: unknown) =>
      assert.match(String(error), /1412: Table definition has changed/),
    );
    await assert.rejects(dumpMaking('a_new'), { code: /^dump-(?:failed|tables-differ)$/ });
  });
});
