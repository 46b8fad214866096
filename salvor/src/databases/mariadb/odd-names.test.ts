/** Names of every kind of trouble that the server takes, through dump, load, switch and back. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { quoteName, quoteText } from './connect.ts';
import { describeDatabase } from './describe-database.ts';
import { readSwapFacts } from './inspect-swap.ts';
import { planSwap, WHOLE_DATABASE } from './plan-swap.ts';
import { probeDatabase } from './probe.ts';
import { applySwap, swapBack } from './swap.ts';
import { dumpAll, loadAll, makeScratch, makeSite, openTestServer, type TestServer } from './test-database.ts';

const NAMES = [
  `it's "so" back\`tick`,
  'back\\slash\nline',
  'sl/ash',
  '..',
  'tab\there # and % _ ; -- more',
  'select',
  'x'.repeat(64),
];

describe('names that a site may have', () => {
  let server: TestServer;
  before(async () => {
    server = await openTestServer();
  });
  after(() => server[Symbol.asyncDispose]());

  for (const [index, name] of NAMES.entries())
    test(`a database, tables and all else called ${JSON.stringify(name)} come back and go again, dumped as the site's user`, async () => {
      const q = quoteName;
      const own = (kind: string): string =>
        q(name.length > 60 || name === '.' ? `${name.slice(0, 60)}${kind}` : `${name}${kind}`);
      const site = await makeSite(
        server,
        name,
        `CREATE TABLE ${own('t')} (${own('c')} INT PRIMARY KEY, v VARCHAR(9)); INSERT INTO ${own('t')} VALUES (1, 'a'), (2, 'b');
         CREATE TABLE ${own('u')} (i INT, CONSTRAINT ${own('k')} FOREIGN KEY (i) REFERENCES ${own('t')} (${own('c')})); INSERT INTO ${own('u')} VALUES (1);
         CREATE VIEW ${own('v')} AS SELECT ${own('c')} FROM ${own('t')}; CREATE VIEW ${own('w')} AS SELECT * FROM ${own('v')}; CREATE SEQUENCE ${own('s')};`,
      );
      const definer = `DEFINER=${q(site.account.user)}@localhost`;
      await server.server
        .query(`USE ${q(name)}; CREATE ${definer} TRIGGER ${own('r')} BEFORE INSERT ON ${own('t')} FOR EACH ROW SET NEW.v = IFNULL(NEW.v, 'z');
        CREATE ${definer} PROCEDURE ${own('p')}() COMMENT 'it''s' SELECT ';; $$ "q" \\\\n'; CREATE ${definer} FUNCTION ${own('f')}(x INT) RETURNS INT DETERMINISTIC RETURN x;
        CREATE ${definer} EVENT ${own('e')} ON SCHEDULE EVERY 1 DAY DO SELECT 'it''s $$';`);
      const look = (database: string): ReturnType<typeof describeDatabase> =>
        describeDatabase(server.admin, database, { definers: false });
      const dumped = await look(name);
      const parts = await dumpAll(server, site.login, name);
      await server.server.query(
        `USE ${q(name)}; DELETE FROM ${own('u')}; UPDATE ${own('t')} SET v = 'x'; DROP VIEW ${own('w')}; DROP PROCEDURE ${own('p')}; DROP EVENT ${own('e')};`,
      );
      const present = await look(name);
      const scratch = await makeScratch(server);
      const { definers } = await loadAll(server, scratch, parts);
      const wish = {
        live: name,
        scratch: scratch.database,
        old: `salvor_odd${index}_old`,
        definer: site.account,
        definers,
      };
      const plan = planSwap(await readSwapFacts(server.admin, wish), { ...wish, scope: WHOLE_DATABASE });
      assert.deepEqual(
        plan.problems.filter(({ code }) => code !== 'definer-rewritten'),
        [],
      );
      assert.deepEqual((await applySwap(server.admin, plan)).problems, []);
      assert.deepEqual(await look(name), dumped);
      assert.equal(
        await server.server.query(`USE ${q(name)}; SELECT ${own('f')}(4); CALL ${own('p')}();`),
        `4\n;; $$ "q" \\\\n\n`,
      );
      await swapBack(server.admin, plan, { undone: `salvor_odd${index}_undone`, journal: async () => undefined });
      assert.deepEqual(await look(name), present);
    });

  test('two that differ only by case are two databases with rights of their own', async () => {
    const upper = await makeSite(
      server,
      'Twin',
      'CREATE TABLE t (i INT); CREATE TABLE T (i INT); CREATE VIEW v AS SELECT i FROM T;',
    );
    const lower = await makeSite(server, 'twin', 'CREATE TABLE u (i INT);');
    assert.deepEqual(
      [await probeDatabase(upper.login, 'Twin'), await probeDatabase(lower.login, 'twin')].map(
        ({ tables, views, problems }) => [tables.map((table) => table.name), views, problems],
      ),
      [
        [['T', 't'], ['v'], []],
        [['u'], [], []],
      ],
    );
    await assert.rejects(probeDatabase(lower.login, 'Twin'), { code: /^database-(?:failed|missing)$/ });
    assert.deepEqual(
      (await dumpAll(server, upper.login, 'Twin')).map(({ table }) => table),
      [null, 'T', 't', null],
    );
  });

  test('users with quotes, backslashes, an @ or a newline in name and password log in with driver and stock client', async () => {
    await server.server.query('CREATE DATABASE plain; CREATE TABLE plain.t (i INT)');
    for (const [index, user] of [`o'b"r\`i\\en`, 'a@b', 'sp ace #1', 'new\nline', 'ü%_'].entries()) {
      const password = `${user}'"\\ #;%\n\t$(id)${index} `;
      await server.server.query(
        `CREATE USER ${quoteText(user)}@localhost IDENTIFIED BY ${quoteText(password)}; GRANT ALL ON plain.* TO ${quoteText(user)}@localhost;`,
      );
      const login = { ...server.admin, user, password };
      assert.equal((await dumpAll(server, login, 'plain')).length, 3, user);
      assert.deepEqual((await probeDatabase(login, 'plain')).problems, [], `${user} is seen to have its rights`);
    }
  });

  test('with letters beyond the basic plane are refused by the server itself', async () => {
    await assert.rejects(server.server.query('CREATE DATABASE `emoji😀`'), /ERROR 1300/);
  });
});
