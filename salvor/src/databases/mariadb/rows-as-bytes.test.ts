/** Which tables' rows are loaded as bytes, and that they are the same rows afterwards. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openConnection, quoteName } from './connect.ts';
import { BYTES_BEGIN, takesBytes } from './rows-as-bytes.ts';
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

/** Every width of UTF-8, what a client could take for the end of a value, and what is a character in other sets only. */
const TEXT = `'ß漢😀é\\'\\\\"\`;\\n\\r\\t\\Z\\0%_'`;
const ALL_BYTES = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)).toString('hex');
const AS_BYTES: Readonly<Record<string, string>> = {
  texts: `CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(90), b LONGTEXT COLLATE utf8mb4_bin, c CHAR(20) CHARACTER SET utf8mb3, d TINYTEXT CHARACTER SET ascii)
    DEFAULT CHARSET=utf8mb4; INSERT INTO t VALUES (1, ${TEXT}, CONCAT(REPEAT('漢', 5000), ${TEXT}), 'äß漢  ', 'plain'), (2, NULL, '', ' ', NULL);`,
  'members of lists': `CREATE TABLE t (id INT PRIMARY KEY, a ENUM('ä','漢',''), b SET('ü','漢','x'), c JSON) CHARSET=utf8mb4;
    INSERT INTO t VALUES (1, '漢', 'ü,x', '{"a":"漢\\\\u00e4"}'), (2, '', '', NULL);`,
  'bytes of every kind': `CREATE TABLE t (a BINARY(4) PRIMARY KEY, b VARBINARY(300), c BLOB, d BIT(9), e TEXT) CHARSET=utf8mb4;
    INSERT INTO t VALUES (0x00FF80C3, 0x${ALL_BYTES}, 0x${ALL_BYTES}, b'100000001', 'é');`,
  'numbers and times': `CREATE TABLE t (id BIGINT UNSIGNED PRIMARY KEY, a DECIMAL(30,10), b DOUBLE, c DATE, d DATETIME(6), e TIMESTAMP NULL, f TIME(2), g YEAR, h FLOAT)
    CHARSET=utf8mb3; SET sql_mode='ALLOW_INVALID_DATES'; INSERT INTO t VALUES (18446744073709551615, -1.5, 1e300, '0000-00-00', '2024-02-31 01:02:03.000004', '1971-01-01 00:00:00', '-800:00:00.25', 2155, -0.0);`,
  'names in other letters': `CREATE TABLE t (\`größe 漢\` INT PRIMARY KEY, \`it's\` VARCHAR(9) COMMENT 'CHARACTER SET ascii', KEY \`schlüssel\` (\`it's\`) COMMENT 'für') CHARSET=utf8mb4;
    INSERT INTO t VALUES (1, 'ü');`,
  partitions: `CREATE TABLE t (a VARCHAR(9) NOT NULL PRIMARY KEY) CHARSET=utf8mb4 PARTITION BY LIST COLUMNS (a) (PARTITION p VALUES IN ('ä'), PARTITION q VALUES IN ('漢'));
    INSERT INTO t VALUES ('ä'), ('漢');`,
};

/** Tables whose rows are read as text, and why. */
const AS_TEXT: Readonly<Record<string, string>> = {
  'a table in Latin 1': `CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(9)) CHARSET=latin1; INSERT INTO t VALUES (1, 'äß');`,
  'a column in Latin 2': `CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(9) CHARACTER SET latin2) CHARSET=utf8mb4; INSERT INTO t VALUES (1, 'őł');`,
  'a list in UTF-16': `CREATE TABLE t (id INT PRIMARY KEY, a ENUM('ä','漢') CHARACTER SET utf16) CHARSET=utf8mb4; INSERT INTO t VALUES (1, '漢');`,
  'an address': `CREATE TABLE t (id INT PRIMARY KEY, a INET6) CHARSET=utf8mb4; INSERT INTO t VALUES (1, '2001:db8::ff00');`,
  'a UUID': `CREATE TABLE t (id UUID PRIMARY KEY) CHARSET=utf8mb4; INSERT INTO t VALUES ('123e4567-e89b-12d3-a456-426655440000');`,
  'a place': `CREATE TABLE t (id INT PRIMARY KEY, a POINT) CHARSET=utf8mb4; INSERT INTO t VALUES (1, ST_GeomFromText('POINT(1 2)'));`,
  'a column that is packed': `CREATE TABLE t (id INT PRIMARY KEY, a TEXT COMPRESSED) CHARSET=utf8mb4; INSERT INTO t VALUES (1, REPEAT('漢', 500));`,
};

describe('rows as bytes', () => {
  let server: TestServer;
  before(async () => {
    server = await openTestServer();
  });
  after(() => server[Symbol.asyncDispose]());

  const isAsBytes = (text: string): boolean => {
    const structure = readStructure(text);
    return structure !== null && takesBytes(structure);
  };

  for (const [index, [what, content, expected]] of [
    ...Object.entries(AS_BYTES).map(([name, text]) => [name, text, true] as const),
    ...Object.entries(AS_TEXT).map(([name, text]) => [name, text, false] as const),
  ].entries())
    test(`are ${expected ? '' : 'not '}asked for of ${what}, and the rows are the same`, async () => {
      const site = await makeSite(server, `bytes_${index}`, content);
      const parts = await dumpAll(server, site.login, site.name);
      const part = parts.find(({ table }) => table === 't') ?? assert.fail('no table t');
      assert.equal(isAsBytes(part.bytes.toString('latin1')), expected);
      for (const prepareFromBytes of [0, Infinity]) {
        const scratch = await makeScratch(server);
        // One session: what is said for these rows ends before the next ones.
        await loadAll(server, scratch, [...parts, ...parts.filter(({ kind }) => kind === 'table')], {
          parallel: 1,
          prepareFromBytes,
        });
        assert.equal(await fingerprint(server, scratch.database), await fingerprint(server, site.name));
        await using connection = await openConnection(server.admin);
        const differing = await connection.query(
          `(SELECT * FROM ${quoteName(scratch.database, 't')} EXCEPT SELECT * FROM ${quoteName(site.name, 't')}) UNION ALL (SELECT * FROM ${quoteName(site.name, 't')} EXCEPT SELECT * FROM ${quoteName(scratch.database, 't')})`,
        );
        assert.deepEqual(differing, []);
      }
    });

  test('are not asked for of what another tool wrote', async () => {
    const site = await makeSite(server, 'other_tool', AS_BYTES['texts'] ?? '');
    const parts = await dumpAll(server, site.login, site.name);
    const text = parts.find(({ table }) => table === 't')?.bytes.toString('latin1') ?? '';
    assert.equal(isAsBytes(text), true);
    assert.equal(isAsBytes(text.replace('/*!40101 SET character_set_client = @saved_cs_client */;', '')), false);
  });

  test('are not asked for where the head of the dump says that its text is no UTF-8', async () => {
    const content = `CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(9)) CHARSET=utf8mb4; INSERT INTO t VALUES (1, 'ü');`;
    const site = await makeSite(server, 'old_head', content);
    const parts = await dumpAll(server, site.login, site.name);
    const old = parts.map((part) => ({
      ...part,
      open: async function* () {
        const text = part.bytes.toString().replaceAll('NAMES utf8mb4', 'NAMES latin1');
        yield Buffer.from(text, 'latin1');
      },
    }));
    const scratch = await makeScratch(server);
    await loadAll(server, scratch, old);
    assert.equal(await fingerprint(server, scratch.database), await fingerprint(server, site.name));
  });

  test('are told to the server, which says so itself', async () => {
    const told = async (names: string): Promise<string> =>
      (
        await server.server.query(
          `SET NAMES ${names}; ${BYTES_BEGIN} SELECT CONCAT_WS(' ', @@character_set_client, @@character_set_connection, CHARSET('x'))`,
        )
      ).trim();
    assert.equal(await told('utf8mb4'), 'binary binary binary');
    assert.equal(await told('utf8mb3'), 'binary binary binary');
    assert.equal(await told('latin1'), 'latin1 latin1 latin1');
  });
});
