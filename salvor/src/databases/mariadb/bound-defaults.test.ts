import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { partsOfForeignDump } from '../../archives/foreign-dump.ts';
import { moveSequences, sequencesIn } from './bound-defaults.ts';
import { openConnection, quoteName } from './connect.ts';
import { rewriteDefiners } from './rewrite-definers.ts';
import { inspectSwap, readSwapFacts } from './inspect-swap.ts';
import type { LoadPart } from './load.ts';
import { planSwap, type SwapPlan, type SwapScope, WHOLE_DATABASE } from './plan-swap.ts';
import type { DatabaseProblem } from './probe.ts';
import { applySwap, finishSwap, revertSwap, swapBack } from './swap.ts';
import {
  dumpAll,
  loadAll,
  makeScratch,
  makeSite,
  openTestServer,
  storePart,
  type StoredPart,
  type TestServer,
} from './test-database.ts';

/** All that this server writes with the name of its database, and what only looks like it. */
const CONTENT = String.raw`CREATE SEQUENCE ${"`s``'x`"} START WITH 50 NOCACHE; CREATE SEQUENCE plain NOCACHE;
CREATE TABLE a (id BIGINT DEFAULT NEXTVAL(${"`s``'x`"}) PRIMARY KEY, n INT DEFAULT (1 + NEXT VALUE FOR plain * 2) COMMENT 'nextval(LIVE.${'`plain`'})',
  l INT DEFAULT LASTVAL(plain), w INT DEFAULT SETVAL(plain, 7), t VARCHAR(99) DEFAULT (CONCAT('it''s nextval(LIVE.${'`plain`'})\\', NEXTVAL(plain))), i INT INVISIBLE DEFAULT NEXTVAL(plain));
INSERT INTO a (n) VALUES (NULL), (5); INSERT INTO a (id, n, l, t) VALUES (1, 2, 3, 'nextval(LIVE.${'`plain`'})');
CREATE TABLE sv (id INT DEFAULT NEXTVAL(plain), v INT) WITH SYSTEM VERSIONING; INSERT INTO sv (v) VALUES (1);
CREATE TABLE m (id INT DEFAULT NEXTVAL(plain), v INT) ENGINE=MyISAM; INSERT INTO m (v) VALUES (3);
CREATE TABLE p (id INT DEFAULT NEXTVAL(plain), v INT) PARTITION BY HASH (id) PARTITIONS 3; INSERT INTO p (v) VALUES (1), (2), (3);
CREATE TABLE child (id BIGINT DEFAULT NEXTVAL(plain) PRIMARY KEY, a BIGINT, FOREIGN KEY (a) REFERENCES a (id)); INSERT INTO child (a) VALUES (1);
CREATE TABLE c (a INT, b INT AS (LIVE.c.a + 1), d INT DEFAULT (LIVE.c.a + 1), CHECK (LIVE.c.a > 0)) PARTITION BY HASH (LIVE.c.a) PARTITIONS 2; INSERT INTO c (a) VALUES (1);
CREATE FUNCTION ${'`f``f`'}(x INT) RETURNS INT DETERMINISTIC NO SQL RETURN x + 1;
CREATE VIEW v AS SELECT NEXTVAL(plain) AS n, LASTVAL(LIVE.plain) AS l, LIVE.${'`f``f`'}(2) AS f, 'nextval(LIVE.${'`plain`'})' AS t;
CREATE VIEW w AS SELECT LIVE.a.id, LIVE.${'`f``f`'}(n) AS f FROM LIVE.a; CREATE VIEW aliased AS SELECT LIVE.id FROM a AS LIVE WHERE LIVE.id IN (1, 2);
CREATE TRIGGER LIVE.${'`typed tg`'} BEFORE INSERT ON LIVE.m FOR EACH ROW SET NEW.v = NEXTVAL(LIVE.plain) + LIVE.${'`f``f`'}(1);
CREATE PROCEDURE LIVE.pr() SELECT NEXTVAL(LIVE.plain), 'x' FROM LIVE.a; CREATE EVENT LIVE.ev ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' DO DELETE FROM LIVE.a;`;

const CHANGE =
  'DO NEXTVAL(plain); INSERT INTO a (n) VALUES (6); ALTER TABLE a ALTER COLUMN l SET DEFAULT 7; DROP VIEW w; INSERT INTO sv (v) VALUES (9);';

type Wish = { readonly live?: string; readonly scope?: SwapScope; readonly parts?: readonly LoadPart[] };

describe('a default from a sequence', () => {
  let server: TestServer;
  let count = 0;
  before(async () => {
    server = await openTestServer();
  });
  after(() => server[Symbol.asyncDispose]());

  type Made = { readonly name: string; readonly parts: readonly StoredPart[]; readonly dumped: readonly string[] };

  const makeDumped = async (content = CONTENT): Promise<Made & Awaited<ReturnType<typeof makeSite>>> => {
    count += 1;
    const name = `bo\`und ${count}`;
    const site = await makeSite(server, name, content.replaceAll('LIVE', quoteName(name)));
    const problems: DatabaseProblem[] = [];
    const parts = await dumpAll(server, server.admin, name, problems);
    assert.deepEqual(
      problems.filter(({ code }) => code !== 'table-not-consistent'),
      [],
    );
    return { ...site, parts, dumped: await picture(name) };
  };

  /** Every definition to the letter, and the values; of a database of another name what that makes of it. */
  const picture = async (name: string, shownAs = name): Promise<string[]> => {
    await using connection = await openConnection(server.admin, { database: name });
    const found: string[] = [];
    const tables = await connection.query<{ name: string; type: string }>(
      'SELECT TABLE_NAME AS name, TABLE_TYPE AS type FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? ORDER BY 1',
      [name],
    );
    for (const { name: table, type } of tables) {
      const [row] = await connection.query<Record<string, string>>(`SHOW CREATE TABLE ${quoteName(table)}`);
      found.push(row?.['Create Table'] ?? row?.['Create View'] ?? '');
      if (type === 'VIEW') continue;
      found.push(JSON.stringify(await connection.query(`SELECT * FROM ${quoteName(table)} ORDER BY 1`)));
    }
    const bodies = await connection.query<{ body: string }>(
      `SELECT ROUTINE_DEFINITION AS body FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ? UNION ALL
       SELECT ACTION_STATEMENT FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = ? UNION ALL
       SELECT EVENT_DEFINITION FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ? ORDER BY 1`,
      [name, name, name],
    );
    found.push(...bodies.map(({ body }) => body));
    return found.map((text) =>
      text
        .replace(/ DEFINER=\S+/, '')
        // The server writes a function as it was typed, the dump without the database that is its own.
        .replaceAll(`${quoteName(name)}.\`f\`\`f\`(`, '`f``f`(')
        .replaceAll(quoteName(name), quoteName(shownAs))
        .replaceAll(`${quoteName(shownAs)}.\`f\`\`f\`(`, '`f``f`('),
    );
  };

  const prepare = async (
    site: Made & Awaited<ReturnType<typeof makeSite>>,
    { live = site.name, scope = WHOLE_DATABASE, parts = site.parts }: Wish = {},
  ): Promise<SwapPlan> => {
    const scratch = await makeScratch(server);
    const { definers } = await loadAll(server, scratch, parts);
    const wish = { live, scratch: scratch.database, old: `${scratch.database}_old`, definer: site.account, definers };
    const plan = planSwap(await readSwapFacts(server.admin, wish), { ...wish, scope });
    return JSON.parse(JSON.stringify(plan)) as SwapPlan;
  };

  test('is restored to the letter with all else that names its database, goes on counting, and is undone', async () => {
    const site = await makeDumped();
    await server.server.query(`USE ${quoteName(site.name)}; ${CHANGE}`);
    const present = await picture(site.name);
    const plan = await prepare(site);
    assert.deepEqual((await applySwap(server.admin, plan)).problems, []);
    assert.deepEqual(await picture(site.name), site.dumped);
    const next = await server.server.query(
      `USE ${quoteName(site.name)}; INSERT INTO a (n) VALUES (8); SELECT MAX(id) FROM a; INSERT INTO m VALUES (1, 1); SELECT COUNT(*) FROM w;`,
    );
    assert.equal(next, '52\n4\n', 'the restored sequence gives the number after its last');
    const undone = `${plan.scratch}_undone`;
    assert.deepEqual((await swapBack(server.admin, plan, { undone, journal: async () => undefined })).problems, []);
    assert.deepEqual(await picture(site.name), present);
  });

  test('names the database that it was restored into, also one that has no such sequence yet', async () => {
    const site = await makeDumped();
    const other = `other ${count}`;
    const { account } = await makeSite(server, other, '');
    const plan = await prepare({ ...site, account }, { live: other });
    assert.deepEqual((await applySwap(server.admin, plan)).problems, []);
    const made = await picture(other, site.name);
    // What a person typed into a body stays as it was typed.
    assert.deepEqual(made, site.dumped);
    await server.server.query(
      `DROP DATABASE ${quoteName(site.name)}; USE ${quoteName(other)}; INSERT INTO a (n) VALUES (8);`,
    );
  });

  test('is set or taken back after a crash between any two steps of the switch', async () => {
    for (const isSequenceGone of [false, true]) {
      const site = await makeDumped();
      if (isSequenceGone) {
        await server.server.query(
          `USE ${quoteName(site.name)}; ALTER TABLE a ALTER COLUMN n SET DEFAULT 1; DROP TABLE child, sv, m, p; DROP VIEW v, w, aliased; DROP TABLE a; DROP SEQUENCE plain;`,
        );
      } else await server.server.query(`USE ${quoteName(site.name)}; ${CHANGE}`);
      const present = await picture(site.name);
      const plan = await prepare(site);
      // As a process leaves it that is killed right behind the rename.
      await using connection = await openConnection(server.admin);
      const triggers = plan.outgoing.filter(({ kind }) => kind === 'trigger');
      for (const { name, base } of [
        ...triggers.map(({ name: trigger }) => ({ name: trigger, base: plan.live })),
        ...plan.scratchTriggers.map(({ name: trigger }) => ({ name: trigger, base: plan.scratch })),
      ])
        await connection.execute(`DROP TRIGGER ${quoteName(base, name)}`);
      await connection.execute(`CREATE DATABASE IF NOT EXISTS ${quoteName(plan.old)}`);
      const renames = plan.moves.flatMap(({ table, leaves, comes }) => [
        ...(leaves ? [`${quoteName(plan.live, table)} TO ${quoteName(plan.old, table)}`] : []),
        ...(comes ? [`${quoteName(plan.scratch, table)} TO ${quoteName(plan.live, table)}`] : []),
      ]);
      await connection.execute(`RENAME TABLE ${renames.join(', ')}`);
      assert.equal((await inspectSwap(server.admin, plan)).state, 'after');
      assert.deepEqual((await finishSwap(server.admin, plan)).problems, []);
      assert.deepEqual(await picture(site.name), site.dumped);
      assert.deepEqual((await revertSwap(server.admin, plan)).problems, []);
      assert.deepEqual(await picture(site.name), present);
      // And once more, from what the way back has left.
      assert.deepEqual((await finishSwap(server.admin, plan)).problems, []);
      assert.deepEqual(await picture(site.name), site.dumped);
    }
  });

  test('comes with one chosen table and counts on the live sequence; without any that table is refused', async () => {
    const site = await makeDumped('CREATE SEQUENCE s; CREATE TABLE t (id INT DEFAULT NEXTVAL(s), n INT);');
    await server.server.query(`USE ${quoteName(site.name)}; DO NEXTVAL(s); DROP TABLE t;`);
    const plan = await prepare(site, { scope: { tables: ['t'] } });
    await applySwap(server.admin, plan);
    const next = await server.server.query(
      `USE ${quoteName(site.name)}; INSERT INTO t (n) VALUES (1); SELECT id FROM t;`,
    );
    assert.equal(next, '2\n');
    await server.server.query(`USE ${quoteName(site.name)}; DROP TABLE t; DROP SEQUENCE s;`);
    await assert.rejects(prepare(site, { scope: { tables: ['t'] } }), (error: unknown) => {
      assert.equal((error as { code: string }).code, 'swap-obstructed');
      assert.match(String(error), /the default of t\.id is taken from the sequence s, which is gone/);
      return true;
    });
  });

  test('is loaded by the stock client into its own database', async () => {
    const site = await makeDumped();
    const base = quoteName(site.name);
    await server.server.query(`DROP DATABASE ${base}; CREATE DATABASE ${base} CHARACTER SET utf8mb4`);
    await loadByClient(server, site.name, Buffer.concat(site.parts.map(({ bytes }) => bytes)));
    assert.deepEqual(await picture(site.name), site.dumped);
  });

  test('comes out of a dump in one piece that another program has made', async () => {
    const site = await makeDumped();
    const whole = Buffer.concat(site.parts.map(({ bytes }) => bytes));
    const content = storePart('x', 'table', null, whole).open();
    const plan = await prepare(site, { parts: partsOfForeignDump(content, 'whole.sql') });
    assert.deepEqual((await applySwap(server.admin, plan)).problems, []);
    assert.deepEqual(await picture(site.name), site.dumped);
  });

  test('comes out of a dump of the stock tool, which locks the table that takes numbers and not the sequence', async () => {
    const site = await makeDumped();
    const connection = ['--no-defaults', '--user=root', `--socket=${server.server.socket}`];
    const args = [...connection, '--single-transaction', '--routines', '--events', '--', site.name];
    const dump = execFileSync('mariadb-dump', args);
    assert.match(dump.toString(), /^LOCK TABLES `a` WRITE;$/m);
    const content = storePart('x', 'table', null, dump).open();
    const plan = await prepare(site, { parts: partsOfForeignDump(content, 'stock.sql') });
    assert.deepEqual((await applySwap(server.admin, plan)).problems, []);
    assert.deepEqual(await picture(site.name), site.dumped);
  });

  test('of another database is named by the dump, and refused by the load, whatever the head says', async () => {
    await makeSite(server, 'victim', 'CREATE SEQUENCE s;');
    const site = await makeSite(server, 'reaching', 'CREATE TABLE t (id INT DEFAULT NEXTVAL(victim.s), n INT);');
    const problems: DatabaseProblem[] = [];
    const parts = await dumpAll(server, server.admin, site.name, problems);
    assert.deepEqual(
      problems.map(({ code, name }) => `${code} ${name}`),
      ['table-bound-to-database t'],
    );
    await assert.rejects(loadAll(server, await makeScratch(server), parts), { code: 'dump-refused' });
    const lying = parts.map((part) =>
      part.kind === 'head'
        ? storePart(
            part.file,
            'head',
            null,
            Buffer.from(String(part.bytes).replace('Database: reaching', 'Database: victim')),
          )
        : part,
    );
    // Taken for its own, of which it has none.
    await assert.rejects(loadAll(server, await makeScratch(server), lying), { code: 'load-failed' });
    assert.equal(await server.server.query('SELECT NEXTVAL(victim.s)'), '1\n', 'nobody has counted it up');
  });
});

test('sequences are found and moved where the server names them, and nowhere in texts and other names', () => {
  const expression =
    "concat('it\\'s nextval(`a`.`s`)','''',nextval(`a`.`s```),lastval(`b`.`s`),`nextval(``a``.``s``)`,setval(`a`.`s`,1,1,0))";
  assert.deepEqual(sequencesIn(expression), [
    { database: 'a', name: 's`' },
    { database: 'b', name: 's' },
    { database: 'a', name: 's' },
  ]);
  assert.equal(
    moveSequences(expression, 'a', 'x`$&'),
    "concat('it\\'s nextval(`a`.`s`)','''',nextval(`x``$&`.`s```),lastval(`b`.`s`),`nextval(``a``.``s``)`,setval(`x``$&`.`s`,1,1,0))",
  );
});

test('the name of the dumped database is taken out wherever a piece of the stream ends', async () => {
  const tail = [
    "CREATE TABLE `t` (\n  `a` int DEFAULT nextval(`li``ve`.`s`) COMMENT 'nextval(`li``ve`.`s`)',\n  `nextval(``li``ve``.` int\n);\n",
    'INSERT INTO `t` VALUES\n(1);\nDELIMITER ;;\nCREATE DEFINER=`u`@`h` FUNCTION `f`() RETURNS int\nRETURN nextval(`li``ve`.`s`) ;;\nDELIMITER ;\n',
    '/*!50001 CREATE ALGORITHM=UNDEFINED */\n/*!50013 DEFINER=`u`@`h` SQL SECURITY DEFINER */\n/*!50001 VIEW `v` AS select `li``ve`.`f``(`(1),`li``ve`.`a`,lastval(`li``ve`.`s`) from `t` `li``ve` */;\n',
    'DELIMITER ;;\n/*!50003 CREATE*/ /*!50017 DEFINER=`u`@`h`*/ /*!50003 TRIGGER `li``ve` . tg  before insert on `li``ve`.t for each row set @a = nextval(`li``ve`.`s`) */;;\nDELIMITER ;\n',
  ].join('');
  const expected = tail
    .replace('DEFAULT nextval(`li``ve`.', 'DEFAULT nextval(')
    .replace('CREATE DEFINER=`u`@`h` FUNCTION', 'CREATE FUNCTION')
    .replace('DEFINER=`u`@`h` SQL', 'SQL')
    .replace('select `li``ve`.`f``(`', 'select `f``(`')
    .replace('lastval(`li``ve`.', 'lastval(')
    .replace('/*!50017 DEFINER=`u`@`h`*/ ', '')
    .replace('TRIGGER `li``ve` . tg  before insert on `li``ve`.t', 'TRIGGER tg  before insert on t');
  for (const size of [1, 7, 64, 100_000]) {
    // Longer than what is looked at in one go.
    const text = `-- ${'x'.repeat(9000)}\n${tail}-- ${'y'.repeat(9000)}\n`;
    const source = async function* (): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < text.length; at += size) yield Buffer.from(text.slice(at, at + size));
    };
    let read = '';
    for await (const bytes of rewriteDefiners(source(), [], 'li`ve')) read += Buffer.from(bytes).toString('utf8');
    assert.equal(
      read,
      text.replace(tail, () => expected),
      `in pieces of ${size}`,
    );
  }
});

async function loadByClient({ server }: TestServer, name: string, dump: Buffer): Promise<void> {
  await new Promise<void>((settle, fail) => {
    const args = [
      '--no-defaults',
      '--user=root',
      `--socket=${server.socket}`,
      '--default-character-set=utf8mb4',
      '--binary-mode',
      '--',
      name,
    ];
    const client = execFile('mariadb', args, (error) => (error === null ? settle() : fail(error)));
    client.stdin?.end(dump);
  });
}
