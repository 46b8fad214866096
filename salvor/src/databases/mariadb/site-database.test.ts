import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { hasCode } from '../../../test/fault/fault-host.ts';
import { openConnection } from './connect.ts';
import { createSiteDatabase, dropSiteDatabase, whyNameTaken } from './site-database.ts';
import { type TestServer, openTestServer } from './test-database.ts';

const WISH = {
  password: 'secret',
  hosts: ['localhost', '127.0.0.1'],
  requires: null,
  charset: 'utf8mb4',
  collation: 'utf8mb4_general_ci',
  task: 'abcdefghijkl',
} as const;

describe('the database of a new site', () => {
  let test: TestServer;
  before(async () => {
    test = await openTestServer();
  });
  after(() => test[Symbol.asyncDispose]());

  const sql = async (statement: string): Promise<readonly Record<string, unknown>[]> => {
    await using connection = await openConnection(test.admin);
    return await connection.query(statement);
  };
  const isThere = async (name: string): Promise<boolean> => {
    const rows = await sql(`SELECT 1 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '${name}'`);
    const users = await sql(`SELECT 1 FROM mysql.user WHERE User = '${name}'`);
    assert.equal(rows.length > 0, users.length > 0, 'database and user come and go together');
    return rows.length > 0;
  };

  it('has a user who has that one and no other, and goes again while it is empty and marked', async () => {
    await using connection = await openConnection(test.admin);
    await createSiteDatabase(connection, { ...WISH, name: 'a_b' });
    const grants = await sql(
      "SELECT GRANTEE AS g, TABLE_SCHEMA AS d FROM information_schema.SCHEMA_PRIVILEGES WHERE GRANTEE LIKE '_a\\_b_@%' GROUP BY 1, 2 ORDER BY 1",
    );
    assert.deepEqual(
      grants.map(({ g, d }) => [g, d]),
      [
        ["'a_b'@'127.0.0.1'", String.raw`a\_b`],
        ["'a_b'@'localhost'", String.raw`a\_b`],
      ],
    );
    await assert.rejects(createSiteDatabase(connection, { ...WISH, name: 'a_b' }), hasCode('database-exists'));
    await dropSiteDatabase(test.admin, { name: 'a_b', task: 'another' });
    assert.ok(await isThere('a_b'), 'what another task has made stays');
    await connection.execute('CREATE TABLE a_b.t (id INT)');
    await assert.rejects(dropSiteDatabase(test.admin, { name: 'a_b', task: WISH.task }), /something in a_b/);
    await connection.execute('DROP TABLE a_b.t');
    await connection.execute('CREATE USER other@localhost; ');
    await connection.execute('GRANT SELECT ON `a\\_b`.* TO other@localhost');
    await assert.rejects(dropSiteDatabase(test.admin, { name: 'a_b', task: WISH.task }), /rights that nobody gave/);
    await connection.execute('DROP USER other@localhost');
    await dropSiteDatabase(test.admin, { name: 'a_b', task: WISH.task });
    assert.ok(!(await isThere('a_b')));
    await dropSiteDatabase(test.admin, { name: 'a_b', task: WISH.task });
  });

  it('gets no name of a database or user, nor one that somebody has rights on before it is there', async () => {
    await using connection = await openConnection(test.admin);
    await connection.execute('CREATE DATABASE Taken');
    await connection.execute('CREATE USER idle@localhost');
    await connection.execute('CREATE USER waits@localhost');
    await connection.execute('GRANT SELECT ON `com\\_%`.* TO waits@localhost');
    assert.match((await whyNameTaken(connection, 'taken')) ?? '', /database Taken/);
    assert.match((await whyNameTaken(connection, 'idle')) ?? '', /user idle/);
    assert.match((await whyNameTaken(connection, 'com_1')) ?? '', /'waits'@'localhost' would have rights/);
    assert.equal(await whyNameTaken(connection, 'com1'), null);
  });
});
