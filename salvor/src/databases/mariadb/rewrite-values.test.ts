import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { rewriteValue } from '../../tasks/rewrite-value.ts';
import { openConnection } from './connect.ts';
import { type RewriteResult, rewriteValues } from './rewrite-values.ts';
import { type TestServer, fingerprint, makeSite, openTestServer } from './test-database.ts';

const renaming = { oldUri: 'old.com', newUri: 'new-name.org', aliases: [] };
let test: TestServer;
before(async () => {
  test = await openTestServer();
});
after(() => test[Symbol.asyncDispose]());

const php = (path: string): string => `a:1:{s:4:"logo";s:${Buffer.byteLength(path)}:"${path}";}`;
const OLD = php('sites/old.com/files/ü.png');
const NEW = php('sites/new-name.org/files/ü.png');

async function rewrite(name: string, tables: readonly string[], apply: boolean): Promise<RewriteResult> {
  await using connection = await openConnection(test.admin, { database: name });
  const options = { needles: [['old.com']], tables, apply, rewrite: (value: Buffer) => rewriteValue(value, renaming) };
  return await rewriteValues(connection, name, options);
}

describe('rewriting the values of a database', () => {
  it('finds them in every kind of column, changes them in place, and nothing beside them', async () => {
    const site = await makeSite(
      test,
      'kinds',
      `CREATE TABLE texts (id INT PRIMARY KEY, a VARCHAR(200), b TEXT CHARACTER SET latin1, c LONGBLOB, d LONGTEXT,
         e VARCHAR(100) GENERATED ALWAYS AS (LEFT(a, 20)) VIRTUAL);
       INSERT INTO texts (id, a, b, c, d) VALUES
         (1, 'sites/old.com/files', '${OLD}', '${OLD}', 'see https://old.com/x 🦉'),
         (2, 'sites/old.com.au/x', 'https://cdn.example/sites/old.com/x', x'00ff736974657300', NULL),
         (3, 'nothing', 'här', '', '');
       CREATE TABLE paths (path VARCHAR(100) PRIMARY KEY, n INT);
       INSERT INTO paths VALUES ('sites/old.com/a', 1), ('sites/old.com/b', 2), ('sites/new-name.org/b', 3);
       CREATE TABLE keyless (v TEXT, n INT);
       INSERT INTO keyless VALUES ('sites/old.com/k', 1), ('sites/old.com/k', 2), ('other', 3);
       CREATE TABLE narrow (id INT PRIMARY KEY, v VARCHAR(20));
       INSERT INTO narrow VALUES (1, 'sites/old.com/123456');`,
    );
    const tables = ['texts', 'paths', 'keyless', 'narrow'];
    const untouched = await fingerprint(test, site.name);
    const preview = await rewrite(site.name, tables, false);
    assert.equal(await fingerprint(test, site.name), untouched, 'a preview changes nothing');
    const done = await rewrite(site.name, tables, true);
    assert.deepEqual(done.columns, preview.columns, 'what was shown is what was done');
    assert.deepEqual(
      done.columns.map(({ table, column, values, foreign }) => [table, column, values, foreign]),
      [
        ['texts', 'a', 1, 0],
        ['texts', 'b', 1, 1],
        ['texts', 'c', 1, 0],
        ['texts', 'd', 1, 0],
        ['paths', 'path', 2, 0],
        ['keyless', 'v', 1, 0],
        ['narrow', 'v', 1, 0],
      ],
    );
    assert.deepEqual(
      done.problems.map(({ code, name }) => [code, name]),
      [
        ['value-not-rewritten', 'paths.sites/old.com/b'],
        ['value-not-rewritten', 'narrow.1'],
      ],
    );
    await using connection = await openConnection(test.admin, { database: site.name });
    const [row] = await connection.query('SELECT a, b, c, d, e FROM texts WHERE id = 1');
    const after1 = { a: 'sites/new-name.org/files', b: NEW, c: Buffer.from(NEW), d: 'see https://new-name.org/x 🦉' };
    assert.deepEqual({ ...row }, { ...after1, e: 'sites/new-name.org/f' });
    const [other] = await connection.query<{ c: Buffer }>('SELECT c FROM texts WHERE id = 2');
    assert.equal(other?.c.toString('hex'), '00ff736974657300');
    const keyless = await connection.query('SELECT v, n FROM keyless ORDER BY n');
    assert.deepEqual(
      keyless.map((each) => Object.values(each)),
      [
        ['sites/new-name.org/k', 1],
        ['sites/new-name.org/k', 2],
        ['other', 3],
      ],
    );
  });

  it('names a serialised value that is damaged and leaves it', async () => {
    const site = await makeSite(
      test,
      'damaged',
      `CREATE TABLE t (id INT PRIMARY KEY, v TEXT); INSERT INTO t VALUES (7, 's:99:"sites/old.com";');`,
    );
    const { problems, columns } = await rewrite(site.name, ['t'], true);
    assert.deepEqual([problems.map(({ code }) => code), columns], [['value-damaged'], []]);
  });

  it('goes through more rows than it asks for at a time', async () => {
    const site = await makeSite(
      test,
      'many',
      `CREATE TABLE t (a INT, b VARCHAR(20), v TEXT, PRIMARY KEY (b, a));
       INSERT INTO t SELECT seq, CONCAT('k', seq % 7), CONCAT('sites/old.com/', seq) FROM seq_1_to_1700;`,
    );
    const { columns } = await rewrite(site.name, ['t'], true);
    assert.equal(columns[0]?.values, 1700);
    await using connection = await openConnection(test.admin, { database: site.name });
    const [left] = await connection.query<{ n: string }>("SELECT COUNT(*) AS n FROM t WHERE v LIKE '%old.com%'");
    assert.equal(Number(left?.n), 0);
  });
});
