/** Which tables get their secondary keys behind their rows, and that they are the same tables afterwards. */
import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openSmallDisks } from '../../../test/fault/small-disks.ts';
import { openConnection, quoteName } from './connect.ts';
import { takeKeys as takeKeysOf } from './keys-behind-rows.ts';
import { prepareTable } from './prepare-table.ts';
import { readStructure } from './table-structure.ts';
import {
  dumpAll,
  fingerprint,
  loadAll,
  makeScratch,
  makeSite,
  openTestServer,
  type TestServer,
} from './test-database.ts';

/** Tables whose keys are made later, each with a row. */
const LATER: Readonly<Record<string, string>> = {
  node: `CREATE TABLE node (nid INT UNSIGNED NOT NULL AUTO_INCREMENT, vid INT UNSIGNED, type VARCHAR(32) CHARACTER SET ascii NOT NULL,
    PRIMARY KEY (nid), KEY type (type(4)), UNIQUE KEY vid (vid), KEY both_of (type, vid DESC)) ENGINE=InnoDB AUTO_INCREMENT=77;
    INSERT INTO node VALUES (1, 2, 'a'), (3, NULL, 'b'), (4, NULL, 'b');`,
  traps: `CREATE TABLE traps (\`a\`\`b\nKEY x\` INT NOT NULL DEFAULT 7 COMMENT 'it''s \\\\,\n  KEY \`x\` (\`y\`),', c VARCHAR(20) DEFAULT '),\n  KEY (',
    d ENUM('x,\n', '(', '\`'), PRIMARY KEY (\`a\`\`b\nKEY x\`, c), KEY \`k\`\`1,\n  y\` (d, c) COMMENT 'of it'';', KEY ignored_one (d) IGNORED, KEY last (c)) COMMENT='a table,\n) of traps'; INSERT INTO traps VALUES (1, 'x', '(');`,
  wide: `CREATE TABLE wide (id BIGINT PRIMARY KEY, t LONGTEXT, b BLOB, KEY t (t(100)), KEY b (b(10), id)) ROW_FORMAT=DYNAMIC; INSERT INTO wide VALUES (1, REPEAT('漢', 900), 0x00FF), (2, NULL, NULL);`,
};

/** Tables that are loaded with all of their keys, and why. */
const AT_ONCE: Readonly<Record<string, string>> = {
  'no key but the first': 'CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1);',
  'no first key, and rows lie in the order of another':
    'CREATE TABLE t (id INT NOT NULL, UNIQUE KEY u (id)); INSERT INTO t VALUES (1);',
  'counts up by a secondary key':
    'CREATE TABLE t (a INT, b INT AUTO_INCREMENT, PRIMARY KEY (a), KEY b (b)); INSERT INTO t VALUES (1, 1);',
  'a foreign key':
    'CREATE TABLE p (id INT PRIMARY KEY); CREATE TABLE t (id INT PRIMARY KEY, p INT, KEY p (p), CONSTRAINT f FOREIGN KEY (p) REFERENCES p (id)); INSERT INTO t VALUES (1, NULL);',
  'a generated column':
    'CREATE TABLE t (id INT PRIMARY KEY, a INT, g INT AS (a + 1) VIRTUAL, KEY a (a), KEY g (g)); INSERT INTO t (id, a) VALUES (1, 1);',
  'a key for words':
    'CREATE TABLE t (id INT PRIMARY KEY, a TEXT, KEY a (a(9)), FULLTEXT KEY w (a)); INSERT INTO t VALUES (1, "a b");',
  'a key of hashes':
    'CREATE TABLE t (id INT PRIMARY KEY, a TEXT, KEY a (a(9)), UNIQUE KEY h (a) USING HASH); INSERT INTO t VALUES (1, "a");',
  partitions:
    'CREATE TABLE t (id INT PRIMARY KEY, a INT, KEY a (a)) PARTITION BY HASH (id) PARTITIONS 2; INSERT INTO t VALUES (1, 1);',
  'old rows':
    'CREATE TABLE t (id INT PRIMARY KEY, a INT, KEY a (a)) WITH SYSTEM VERSIONING; INSERT INTO t VALUES (1, 1);',
  'another engine': 'CREATE TABLE t (id INT PRIMARY KEY, a INT, KEY a (a)) ENGINE=MyISAM; INSERT INTO t VALUES (1, 1);',
  'a check':
    'CREATE TABLE t (id INT PRIMARY KEY, a INT, KEY a (a), CONSTRAINT c CHECK (a > 0)); INSERT INTO t VALUES (1, 1);',
};

function takeKeys(text: string): ReturnType<typeof takeKeysOf> {
  const structure = readStructure(text);
  return structure === null ? null : takeKeysOf(structure);
}

describe('secondary keys behind the rows', () => {
  let server: TestServer;
  before(async () => {
    server = await openTestServer();
  });
  after(() => server[Symbol.asyncDispose]());

  const definitions = async (database: string, tables: readonly string[], at = server): Promise<string[]> => {
    await using connection = await openConnection(at.admin);
    const found: string[] = [];
    for (const table of tables) {
      const [row] = await connection.query<{ 'Create Table': string }>(
        `SHOW CREATE TABLE ${quoteName(database, table)}`,
      );
      found.push(row?.['Create Table'] ?? '');
    }
    return found;
  };
  const partOf = async (content: string, name: string): Promise<string> => {
    const site = await makeSite(server, name, content);
    const parts = await dumpAll(server, site.login, site.name);
    return parts.find(({ table }) => table === 't')?.bytes.toString('latin1') ?? assert.fail('no table t');
  };

  test('make the same tables: names, orders, prefixes, comments and traps of every kind', async () => {
    const names = Object.keys(LATER);
    const site = await makeSite(server, 'later', Object.values(LATER).join('\n'));
    const parts = await dumpAll(server, site.login, site.name);
    for (const part of parts.filter(({ table }) => table !== null)) {
      const { later } = takeKeys(part.bytes.toString('latin1')) ?? assert.fail(part.file);
      assert.match(later, /^ALTER TABLE `\w+` ADD (UNIQUE )?KEY /);
    }
    const scratch = await makeScratch(server);
    await loadAll(server, scratch, parts);
    assert.deepEqual(await definitions(scratch.database, names), await definitions(site.name, names));
    assert.equal(await fingerprint(server, scratch.database), await fingerprint(server, site.name));
  });

  for (const [index, [why, content]] of Object.entries(AT_ONCE).entries())
    test(`are not asked for where a table has ${why}`, async () => {
      assert.equal(takeKeys(await partOf(content, `at_once_${index}`)), null);
    });

  test('of rows that are put in in any other way are not moved, nor of a text that ends too early', async () => {
    const whole = await partOf(
      'CREATE TABLE t (id INT PRIMARY KEY, a INT, KEY a (a)); INSERT INTO t VALUES (1, 1);',
      'ways',
    );
    assert.notEqual(takeKeys(whole), null);
    const other = whole.replace('\nINSERT INTO ', '\nREPLACE INTO ');
    for (const text of [other, whole.slice(0, whole.indexOf('ENGINE')), '']) {
      const passed: Uint8Array[] = [];
      for await (const bytes of prepareTable([Buffer.from(text, 'latin1')] as never, { keysBehind: true }))
        passed.push(bytes);
      assert.equal(Buffer.concat(passed).toString('latin1'), text);
    }
  });

  test('say of a row that stands twice the table’s part, and lines keep their numbers', async () => {
    const content =
      'CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT, KEY b (b), UNIQUE KEY a (a)); INSERT INTO t VALUES (1, 1, 1), (2, 2, 2);';
    const site = await makeSite(server, 'twice_there', content);
    const parts = await dumpAll(server, site.login, site.name);
    const changed = (from: string, to: string) =>
      parts.map((part) => ({
        ...part,
        open: async function* () {
          yield Buffer.from(part.bytes.toString('latin1').replace(from, to), 'latin1');
        },
      }));
    const { file, bytes } = parts.find(({ table }) => table === 't') ?? assert.fail('no table t');
    await assert.rejects(loadAll(server, await makeScratch(server), changed('(2,2,2)', '(2,1,2)')), (error) => {
      assert.equal((error as { code?: string }).code, 'load-failed');
      assert.deepEqual((error as { context: Record<string, unknown> }).context['file'], file);
      return true;
    });
    const line =
      bytes
        .toString('latin1')
        .split('\n')
        .findIndex((text) => text.startsWith('INSERT INTO ')) + 1;
    await assert.rejects(loadAll(server, await makeScratch(server), changed('(2,2,2)', '(2,2,x)')), (error) => {
      assert.equal((error as { context: Record<string, unknown> }).context['line'], line);
      return true;
    });
  });

  test('are made with the rows where the server has no room to sort them', async () => {
    using disks = openSmallDisks({ temporary: 2 });
    const temporary = join(disks.directory, 'temporary');
    chmodSync(temporary, 0o1777);
    await using cramped = await openTestServer([`--tmpdir=${temporary}`]);
    const content = `CREATE SEQUENCE s; CREATE TABLE small (id INT DEFAULT NEXTVAL(s) PRIMARY KEY, a INT, KEY a (a)); INSERT INTO small (a) VALUES (1), (2);
      CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(200), KEY a (a), UNIQUE KEY b (a, id)); INSERT INTO t SELECT seq, REPEAT(MD5(seq), 5) FROM seq_1_to_20000;`;
    const site = await makeSite(cramped, 'cramped', content);
    const parts = await dumpAll(cramped, site.login, site.name);
    await assert.rejects(
      cramped.server.query(
        'CREATE TABLE cramped.c LIKE cramped.t; ALTER TABLE cramped.c DROP KEY a, DROP KEY b; INSERT INTO cramped.c SELECT * FROM cramped.t; ALTER TABLE cramped.c ADD KEY a (a)',
      ),
      /ERROR 1878/,
    );
    const scratch = await makeScratch(cramped);
    await loadAll(cramped, scratch, parts);
    await cramped.server.query('DROP TABLE cramped.c');
    assert.equal(await fingerprint(cramped, scratch.database), await fingerprint(cramped, site.name));
    assert.match((await definitions(scratch.database, ['t'], cramped)).join(), /KEY `a` \(`a`\)/);
  });

  test('are made beside children that are loaded at the same time, whose foreign keys hold then', async () => {
    const content = `CREATE TABLE p (id INT PRIMARY KEY, code INT, UNIQUE KEY code (code)); INSERT INTO p SELECT seq, seq FROM seq_1_to_20000;
      CREATE TABLE c (id INT PRIMARY KEY, code INT, KEY code (code), CONSTRAINT f FOREIGN KEY (code) REFERENCES p (code)); INSERT INTO c SELECT seq, seq FROM seq_1_to_20000;`;
    const site = await makeSite(server, 'family', content);
    const parts = await dumpAll(server, site.login, site.name);
    const scratch = await makeScratch(server);
    await loadAll(server, scratch, parts, { parallel: 2 });
    assert.equal(await fingerprint(server, scratch.database), await fingerprint(server, site.name));
    const { database } = scratch;
    await assert.rejects(
      server.server.query(`USE ${database}; INSERT INTO c VALUES (0, 0)`),
      /foreign key constraint fails/,
    );
    await assert.rejects(
      server.server.query(`USE ${database}; DELETE FROM p WHERE id = 5`),
      /foreign key constraint fails/,
    );
  });
});
