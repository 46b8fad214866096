import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { run } from '../../lib/run.ts';
import { compareTables } from './compare.ts';
import { openConnection, quoteName } from './connect.ts';
import { dumpDatabase } from './dump.ts';
import { checksumTables, type DatabaseProblem, probeDatabase } from './probe.ts';
import { dropScratch } from './scratch.ts';
import {
  dumpAll,
  fingerprint,
  loadAll,
  makeScratch,
  makeSite,
  openTestServer,
  storePart,
  type TestServer,
} from './test-database.ts';

const FORGED = '\n--\n-- Table structure for table `zz`\n--\n';

const TROUBLE = `
SET NAMES utf8mb4; SET SESSION sql_mode = '';
CREATE TABLE plain (id INT PRIMARY KEY AUTO_INCREMENT, t TEXT, b VARBINARY(300), x DOUBLE, bi BIT(9), d DATETIME NULL, ts TIMESTAMP NULL) COMMENT '${FORGED}';
INSERT INTO plain (t, b, x, bi, d, ts) VALUES ('a\\nb\\r\\n;\\\\\\'"\\0\\Z', x'000a0d275c3b00ff', 1.5, b'101', '0000-00-00', '2026-01-02 03:04:05'),
  (NULL, NULL, NULL, NULL, NULL, NULL), ('),\\n(2,''x'');', x'', -0.1, 1, '2026-11-01 00:00:00', NULL), ('😀 naïve 漢', x'f09f9880', 1e300, 0, NULL, NULL);
CREATE TABLE \`quote"back\`\`tick'\` (id INT PRIMARY KEY, v VARCHAR(20)); INSERT INTO \`quote"back\`\`tick'\` VALUES (2, 'x'), (1, 'y');
CREATE TABLE \`new
line\` (\`c${FORGED.replaceAll('`', '``')}x\` INT PRIMARY KEY, g INT AS (\`c${FORGED.replaceAll('`', '``')}x\` + 1) STORED);
INSERT INTO \`new
line\` (\`c${FORGED.replaceAll('`', '``')}x\`) VALUES (1), (2);
CREATE TABLE \`Table structure for table\` (i INT); INSERT INTO \`Table structure for table\` VALUES (7);
CREATE TABLE \`-dash%_.é\` (i INT); INSERT INTO \`-dash%_.é\` VALUES (1);
CREATE TABLE \`${'n'.repeat(64)}\` (i INT);
CREATE TABLE \`select\` (\`from\` INT); CREATE TABLE Twin (i INT); CREATE TABLE twin (i INT); INSERT INTO twin VALUES (1);
CREATE TABLE gen (id INT PRIMARY KEY, s VARCHAR(100) DEFAULT '${FORGED}', vg VARCHAR(200) AS (CONCAT(s, '-- Dump completed\\n')) VIRTUAL, CHECK (s <> '${FORGED}.'));
INSERT INTO gen (id) VALUES (1), (5), (3);
CREATE TABLE part (i INT, v VARCHAR(60)) PARTITION BY LIST COLUMNS (v) (PARTITION p1 VALUES IN ('${FORGED}'), PARTITION p2 VALUES IN ('b'));
INSERT INTO part VALUES (1, 'b'), (2, '${FORGED}');
CREATE TABLE inv (a INT, b INT INVISIBLE DEFAULT 3); INSERT INTO inv (a, b) VALUES (1, 2), (3, 4), (5, 6);
CREATE TABLE ft (id INT PRIMARY KEY, t TEXT, FULLTEXT (t)); INSERT INTO ft VALUES (1, 'hello world');
CREATE TABLE my (i INT) ENGINE=MyISAM; INSERT INTO my VALUES (3), (1), (2);
CREATE TABLE mem (i INT) ENGINE=MEMORY; INSERT INTO mem VALUES (9);
CREATE TABLE ar (i INT) ENGINE=Aria; INSERT INTO ar VALUES (9);
CREATE TABLE lat (id INT PRIMARY KEY, t VARCHAR(50)) CHARACTER SET latin1; INSERT INTO lat VALUES (1, 'naïve café €'), (2, 'Ã©');
CREATE TABLE bin (k BINARY(4) PRIMARY KEY, v BLOB); INSERT INTO bin VALUES (x'00000001', x'ff00'), (x'0a0a0a0a', NULL);
CREATE TABLE f1 (id INT PRIMARY KEY, o INT); CREATE TABLE f2 (id INT PRIMARY KEY, o INT, FOREIGN KEY (o) REFERENCES f1 (id));
INSERT INTO f1 VALUES (1, 1); INSERT INTO f2 VALUES (1, 1); ALTER TABLE f1 ADD FOREIGN KEY (o) REFERENCES f2 (id);
CREATE TABLE zz (id INT PRIMARY KEY, n INT DEFAULT 0);
CREATE SEQUENCE seq START WITH 10 INCREMENT BY 5; DO NEXTVAL(seq);
CREATE VIEW v1 AS SELECT id FROM zz; CREATE VIEW v0 AS SELECT id FROM v1;
CREATE VIEW literal AS SELECT 'CREATE DEFINER=\`x\`@\`y\` PROCEDURE' AS c;
INSERT INTO zz (id) VALUES (1);
DELIMITER //
CREATE DEFINER=\`gone\`@\`%\` TRIGGER tr BEFORE INSERT ON zz FOR EACH ROW BEGIN SET @x = '${FORGED}'; SET NEW.n = 1; END//
CREATE TRIGGER tr2 BEFORE INSERT ON zz FOR EACH ROW SET NEW.n = NEW.n * 2//
CREATE FUNCTION fu() RETURNS INT DETERMINISTIC RETURN 1//
CREATE PROCEDURE pr(IN a INT) BEGIN SELECT 'CREATE DEFINER=\`x\`@\`y\` ;; '; SELECT a; END//
CREATE EVENT ev ON SCHEDULE EVERY 1 SECOND DO DELETE FROM zz//
CREATE EVENT ev_off ON SCHEDULE EVERY 1 DAY DISABLE DO SELECT 'ON COMPLETION NOT PRESERVE ENABLE'//
DELIMITER ;
CREATE VIEW uses_function AS SELECT fu() AS one;
`;

describe('dump and load', () => {
  let server: TestServer;
  let admin: Awaited<ReturnType<typeof makeSite>>;
  before(async () => {
    server = await openTestServer();
    await server.server.query('SET GLOBAL event_scheduler = ON');
    admin = await makeSite(server, 'trouble d.b`é', '');
    await server.server.query(`USE ${quoteName('trouble d.b`é')}; ${TROUBLE}`);
  });
  after(() => server[Symbol.asyncDispose]());
  const asRoot = (): Parameters<typeof dumpAll>[1] => server.admin;

  test('parts in the order of names, concatenated, load with the plain client into the same tables', async () => {
    const parts = await dumpAll(server, asRoot(), admin.name);
    assert.deepEqual(
      parts.map((part) => part.file),
      parts.map((part) => part.file).toSorted(),
    );
    await server.server.query('CREATE DATABASE plain_copy');
    await server.server.query(`USE plain_copy;\n${Buffer.concat(parts.map((part) => part.bytes)).toString('utf8')}`);
    assert.equal(await fingerprint(server, 'plain_copy'), await fingerprint(server, admin.name));
    const copy = await probeDatabase(server.admin, 'plain_copy');
    const live = await probeDatabase(server.admin, admin.name);
    for (const kind of ['views', 'triggers', 'routines', 'events'] as const) assert.deepEqual(copy[kind], live[kind]);
  });

  test('rows counted from the stream are the rows of each table, names of every kind of trouble included', async () => {
    const parts = await dumpAll(server, asRoot(), admin.name);
    const expected = parts
      .filter((part) => part.kind === 'table')
      .map((part) => ({ table: part.table ?? '', rows: part.rows }));
    assert.ok(expected.length > 20);
    assert.ok(expected.some((entry) => entry.table === 'new\nline' && entry.rows === 2));
    await server.server.query('SET GLOBAL event_scheduler = OFF');
    assert.deepEqual(await compareTables(server.admin, admin.name, expected), []);
    await server.server.query('SET GLOBAL event_scheduler = ON');
  });

  test('each table part holds its own table and nothing of another', async () => {
    for (const part of await dumpAll(server, asRoot(), admin.name)) {
      if (part.kind !== 'table' || part.table === 'seq') continue;
      assert.ok(part.bytes.toString('utf8').includes(`\nCREATE TABLE ${quoteName(part.table ?? '')} (`), part.file);
      assert.equal(part.bytes.toString('latin1').split('\nDROP TABLE IF EXISTS').length, 2, part.file);
    }
  });

  test('the same content is the same bytes, whatever order rows were written in', async () => {
    const [first, second] = [await dumpAll(server, asRoot(), admin.name), await dumpAll(server, asRoot(), admin.name)];
    for (const [index, part] of first.entries()) {
      if (part.kind === 'table') assert.ok(part.bytes.equals(second[index]?.bytes ?? Buffer.alloc(0)), part.file);
    }
    const ordered = first.find((part) => part.table === 'quote"back`tick\'');
    assert.match(ordered?.bytes.toString('utf8') ?? '', /\(1,'y'\),\n\(2,'x'\);\n/);
  });

  test('one row that changes costs one piece of its table, of one without a key at most three, whatever the server’s mode says of backslashes', async () => {
    const site = await makeSite(
      server,
      'pieces',
      `CREATE TABLE t (v TEXT, k VARCHAR(40), i INT, PRIMARY KEY (k, i));
      INSERT INTO t SELECT REPEAT(CONCAT(MD5(seq), '\\n\\\\'), 8), MD5(seq % 99), seq FROM seq_1_to_5000;
      CREATE TABLE heap (i INT, v TEXT); INSERT INTO heap SELECT seq, REPEAT(MD5(seq), 9) FROM seq_1_to_5000;
      CREATE TABLE uniq (v TEXT, u CHAR(32) UNIQUE, w INT NOT NULL, UNIQUE KEY (w)); INSERT INTO uniq SELECT REPEAT(MD5(seq), 9), MD5(seq), seq FROM seq_1_to_5000;`,
    );
    const piecesOf = async (): Promise<Map<string, number>> => {
      const pieces = new Map<string, number>();
      for await (const part of dumpDatabase(site.login, site.name, { defaultsDirectory: server.directory }))
        for await (const bytes of part.bytes)
          if (part.kind === 'table') pieces.set(Buffer.from(bytes).toString('latin1'), bytes.length);
      return pieces;
    };
    const before = await piecesOf();
    assert.ok(before.size > 1000, `${before.size}`);
    await server.server.query(
      "SET GLOBAL sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES'; UPDATE pieces.t SET v = CONCAT(v, 'x') WHERE i = 2500",
    );
    const after = await piecesOf();
    await server.server.query('SET GLOBAL sql_mode = DEFAULT');
    assert.equal([...after.keys()].filter((piece) => !before.has(piece)).length, 1);
    // Without a primary key a row is known by all that is in it: where it was a place to cut at, the next one is another.
    for (const change of [
      'UPDATE heap SET v = REVERSE(v) WHERE i = 2500',
      "UPDATE uniq SET v = CONCAT(v, 'longer') WHERE w = 2500",
      'DELETE FROM heap WHERE i = 1000',
      "INSERT INTO heap VALUES (0, 'at the end')",
    ]) {
      const known = await piecesOf();
      await server.server.query(`USE pieces; ${change}`);
      const changed = await piecesOf();
      const cost = [...changed.keys()].filter((piece) => !known.has(piece)).length;
      assert.ok(cost >= 1 && cost <= 3, `${change}: ${cost}`);
    }
  });

  test('every newline before a row in a table part is the end of a row', async () => {
    const plain = (await dumpAll(server, asRoot(), admin.name)).find((part) => part.table === 'plain');
    const rows = plain?.bytes.toString('utf8').match(/^\(.*\)[,;]$/gm) ?? [];
    assert.equal(rows.length, plain?.rows);
  });

  test('dump, load without rights, checksum: equal for every table; definers are kept aside and the original text is untouched', async () => {
    await server.server.query('SET GLOBAL event_scheduler = OFF');
    const parts = await dumpAll(server, asRoot(), admin.name);
    const scratch = await makeScratch(server);
    const progress: number[] = [];
    const { definers } = await loadAll(server, scratch, parts, {
      parallel: 3,
      onProgress: (p) => progress.push(p.parts),
    });
    assert.equal(await fingerprint(server, scratch.database), await fingerprint(server, admin.name));
    assert.equal(progress.at(-1), parts.length - 1);
    assert.deepEqual(
      await compareTables(
        server.admin,
        scratch.database,
        parts.filter((p) => p.kind === 'table').map((p) => ({ table: p.table ?? '', rows: p.rows })),
      ),
      [],
    );
    assert.deepEqual(definers.map((d) => `${d.kind} ${d.name}`).toSorted(), [
      'event ev',
      'event ev_off',
      'routine fu',
      'routine pr',
      'trigger tr',
      'trigger tr2',
      'view literal',
      'view uses_function',
      'view v0',
      'view v1',
    ]);
    assert.deepEqual(definers.find((d) => d.name === 'tr')?.definer, { user: 'gone', host: '%' });
    assert.deepEqual(
      definers.filter((d) => d.kind === 'event').map((d) => d.isEnabled),
      [true, false],
    );
    const bodies = await server.server.query(
      `USE ${scratch.database}; CALL pr(5); SELECT c FROM literal; SELECT * FROM uses_function;`,
    );
    assert.equal(bodies, 'CREATE DEFINER=`x`@`y` ;; \n5\nCREATE DEFINER=`x`@`y` PROCEDURE\n1\n');
    const enabled = await server.server.query(
      `SELECT COUNT(*) FROM information_schema.EVENTS WHERE EVENT_SCHEMA = '${scratch.database}' AND STATUS = 'ENABLED'`,
    );
    assert.equal(enabled.trim(), '0', 'no event runs in a scratch database');
    await dropScratch(server.admin, { database: scratch.database, user: scratch.login.user });
    await server.server.query('SET GLOBAL event_scheduler = ON');
  });

  test('the site’s own user dumps its own routines, and a body that it may not see fails the dump', async () => {
    const site = await makeSite(server, 'owned', 'CREATE TABLE t (i INT); CREATE PROCEDURE secret() SELECT 1;');
    await assert.rejects(dumpAll(server, site.login, site.name), { code: 'dump-failed' });
    await server.server.query(
      `USE owned; DROP PROCEDURE secret; CREATE DEFINER='${site.account.user}'@'localhost' PROCEDURE own() SELECT 1;`,
    );
    const parts = await dumpAll(server, site.login, site.name);
    assert.match(parts.at(-1)?.bytes.toString('utf8') ?? '', /PROCEDURE `own`/);
  });

  test('a user without rights on triggers, events or routines is named as a problem', async () => {
    const site = await makeSite(server, 'blind', 'CREATE TABLE t (i INT);');
    await server.server.query(
      `REVOKE ALL ON blind.* FROM '${site.account.user}'@'localhost'; GRANT SELECT ON blind.* TO '${site.account.user}'@'localhost';`,
    );
    const problems: DatabaseProblem[] = [];
    await dumpAll(server, site.login, site.name, problems);
    assert.deepEqual(problems.map((p) => p.name).toSorted(), ['EVENT', 'EXECUTE', 'SHOW VIEW', 'TRIGGER']);
    const whole: DatabaseProblem[] = [];
    await dumpAll(server, asRoot(), admin.name, whole);
    assert.deepEqual(
      whole.map((p) => p.code).filter((code) => code === 'database-right-missing'),
      [],
    );
  });

  test('tables without transactions are named as not consistent', async () => {
    const facts = await probeDatabase(server.admin, admin.name);
    const named = facts.problems.filter((p) => p.code === 'table-not-consistent').map((p) => p.name);
    assert.deepEqual(named.toSorted(), ['ar', 'mem', 'my']);
    const keyed = facts.tables.find((table) => table.name === 'plain');
    assert.deepEqual([keyed?.engine, keyed?.hasPrimaryKey, keyed?.isTransactional], ['InnoDB', true, true]);
    assert.equal(facts.tables.find((table) => table.name === 'my')?.hasPrimaryKey, false);
  });

  test('a view whose table is gone is left out and named, the rest is dumped', async () => {
    const site = await makeSite(
      server,
      'broken',
      'CREATE TABLE t (i INT); CREATE TABLE u (i INT); CREATE VIEW bad AS SELECT * FROM u; CREATE VIEW good AS SELECT * FROM t; DROP TABLE u;',
    );
    const problems: DatabaseProblem[] = [];
    const parts = await dumpAll(server, server.admin, site.name, problems);
    assert.deepEqual(
      problems.map((p) => [p.code, p.name]),
      [['view-invalid', 'bad']],
    );
    assert.match(parts.at(-1)?.bytes.toString('utf8') ?? '', /VIEW `good` AS/);
    assert.doesNotMatch(parts.at(-1)?.bytes.toString('utf8') ?? '', /VIEW `bad`/);
  });

  test('a database without tables is an empty dump and fails', async () => {
    const site = await makeSite(server, 'nothing', '');
    await assert.rejects(dumpAll(server, site.login, site.name), { code: 'dump-empty' });
  });

  test('a table that is made while the dump runs fails it', async () => {
    const site = await makeSite(server, 'moving', 'CREATE TABLE a (i INT);');
    const dump = (async () => {
      for await (const part of dumpDatabase(site.login, site.name, { defaultsDirectory: server.directory })) {
        if (part.kind === 'table') await server.server.query('USE moving; CREATE TABLE b (i INT);');
        for await (const bytes of part.bytes) void bytes;
      }
    })();
    await assert.rejects(dump, { code: 'dump-tables-differ' });
  });

  test('one snapshot: rows written after the dump began are in no part', async () => {
    const site = await makeSite(
      server,
      'snap',
      'CREATE TABLE a (i INT PRIMARY KEY); CREATE TABLE b (i INT PRIMARY KEY); INSERT INTO a SELECT seq FROM seq_1_to_5;',
    );
    const rows = new Map<string | null, number>();
    for await (const part of dumpDatabase(site.login, site.name, { defaultsDirectory: server.directory })) {
      if (part.table === 'a') await server.server.query('INSERT INTO snap.b VALUES (1)');
      for await (const bytes of part.bytes) void bytes;
      rows.set(part.table, part.rows());
    }
    assert.deepEqual([rows.get('a'), rows.get('b')], [5, 0]);
  });

  test('a 60 MB table and a 64 MB value stream with bounded memory and come back equal', async () => {
    const site = await makeSite(
      server,
      'big',
      `CREATE TABLE b (id INT PRIMARY KEY, t VARCHAR(400), v LONGBLOB);
      INSERT INTO b (id, t) SELECT seq, REPEAT(MD5(seq), 8) FROM seq_1_to_150000;
      CREATE TABLE one (id INT PRIMARY KEY, v LONGBLOB); INSERT INTO one VALUES (1, REPEAT(x'00ff27', 22369620));`,
    );
    const { arrayBuffers } = process.memoryUsage();
    let most = 0;
    let bytes = 0;
    let pieces = 0;
    for await (const part of dumpDatabase(site.login, site.name, { defaultsDirectory: server.directory })) {
      if (part.table === 'one') break;
      for await (const piece of part.bytes) {
        bytes += piece.byteLength;
        pieces += 1;
        if (pieces % 100 !== 0) continue;
        collectGarbage();
        most = Math.max(most, process.memoryUsage().arrayBuffers - arrayBuffers);
      }
    }
    assert.ok(bytes > 38_000_000);
    assert.ok(most < 8_000_000, `held ${most} bytes`);
    const parts = await dumpAll(server, site.login, site.name);
    await server.server.query('SET GLOBAL max_allowed_packet = 16777216');
    const scratch = await makeScratch(server);
    await loadAll(server, scratch, parts);
    assert.equal(await fingerprint(server, scratch.database), await fingerprint(server, 'big'));
    const packet = await server.server.query('SELECT @@GLOBAL.max_allowed_packet');
    assert.equal(packet.trim(), '16777216', 'the server is as it was');
    await server.server.query('SET GLOBAL max_allowed_packet = 67108864');
  });

  test('a missing database, a wrong password and a dead socket each have their code', async () => {
    await assert.rejects(dumpAll(server, server.admin, 'no such'), { code: 'database-missing' });
    await assert.rejects(dumpAll(server, { ...admin.login, password: 'wrong' }, admin.name), {
      code: 'database-login-refused',
    });
    const nowhere = { address: { socket: '/nowhere/s' }, user: 'a', password: 'b' };
    await assert.rejects(dumpAll(server, nowhere, 'a'), { code: 'database-unreachable' });
  });

  test('no password is in an argument list, an environment or a file while the client runs', async () => {
    const site = await makeSite(server, 'quiet', 'CREATE TABLE t (i INT);');
    for await (const part of dumpDatabase(site.login, site.name, { defaultsDirectory: server.directory })) {
      for await (const bytes of part.bytes) void bytes;
      if (part.kind === 'tail') continue;
      assert.deepEqual(await readdir(server.directory), []);
      for (const command of await childCommands()) assert.ok(!command.includes(site.login.password));
    }
  });

  test('a dump that was cut off anywhere is not loaded as whole', async () => {
    const parts = await dumpAll(server, server.admin, 'snap');
    const cut = (kind: string, table: string | null, bytes: (whole: Buffer) => Buffer) =>
      parts.map((p) => (p.kind === kind && p.table === table ? storePart(p.file, p.kind, p.table, bytes(p.bytes)) : p));
    const scratch = await makeScratch(server);
    await assert.rejects(
      loadAll(
        server,
        scratch,
        cut('tail', null, (whole) => whole.subarray(0, -5)),
      ),
      { code: 'dump-incomplete' },
    );
    await assert.rejects(
      loadAll(
        server,
        scratch,
        cut('tail', null, () => Buffer.alloc(0)),
      ),
      { code: 'dump-incomplete' },
    );
    await assert.rejects(
      loadAll(
        server,
        scratch,
        parts.filter((p) => p.kind !== 'head'),
      ),
      { code: 'dump-incomplete' },
    );
    await assert.rejects(
      loadAll(
        server,
        scratch,
        cut('table', 'a', (whole) => whole.subarray(0, whole.indexOf('VALUES\n(') + 10)),
      ),
      {
        code: /^(dump-incomplete|load-failed)$/,
      },
    );
    await loadAll(
      server,
      scratch,
      cut('table', 'a', () => Buffer.from('DROP TABLE IF EXISTS a; CREATE TABLE a (i INT);')),
    );
    const problems = await compareTables(server.admin, scratch.database, [
      { table: 'a', rows: 5 },
      { table: 'gone', rows: 0 },
    ]);
    assert.deepEqual(
      problems.map((p) => [p.code, p.name]),
      [
        ['rows-differ', 'a'],
        ['table-missing', 'gone'],
        ['table-unexpected', 'b'],
      ],
    );
  });

  test('a row that stands twice under one unique key fails the load, though the dump’s head turns such checks off', async () => {
    const site = await makeSite(
      server,
      'twice',
      'CREATE TABLE t (id INT PRIMARY KEY, u INT UNIQUE); INSERT INTO t VALUES (1, 7), (2, 8);',
    );
    const parts = await dumpAll(server, site.login, site.name);
    assert.match(parts[0]?.bytes.toString('utf8') ?? '', /UNIQUE_CHECKS=0/);
    const lying = parts.map((part) =>
      part.kind === 'table'
        ? storePart(part.file, 'table', 't', Buffer.from(part.bytes.toString('utf8').replace('(2,8)', '(2,7)')))
        : part,
    );
    await assert.rejects(loadAll(server, await makeScratch(server), lying), { code: 'load-failed' });
  });

  test('checksums tell two tables apart and a missing one from an empty one', async () => {
    await using connection = await openConnection(server.admin);
    const [a, b, gone] = await checksumTables(connection, 'snap', ['a', 'b', 'gone']);
    assert.notEqual(a?.checksum, b?.checksum);
    assert.deepEqual([typeof a?.checksum, gone?.checksum], ['string', null]);
  });
});

async function childCommands(): Promise<string[]> {
  const listing = await run('ps', { args: ['--ppid', String(process.pid), '-wwo', 'args'] });
  return listing
    .toString('utf8')
    .split('\n')
    .slice(1)
    .filter((line) => !line.startsWith('ps '));
}

/** Only what is still held may count. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}
