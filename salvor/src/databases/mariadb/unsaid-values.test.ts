/** Which values of lists a dump names that it can't hold. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { DatabaseProblem } from './probe.ts';
import { dumpAll, makeSite, openTestServer, type TestServer } from './test-database.ts';

describe('values of a list that the server does not say', () => {
  let server: TestServer;
  before(async () => {
    server = await openTestServer();
  });
  after(() => server[Symbol.asyncDispose]());

  test('are named where a row has one, and a question mark is none', async () => {
    const content = `CREATE TABLE t (id INT PRIMARY KEY, a ENUM('what?','漢😀') CHARACTER SET utf8mb4, b SET('why?','é') CHARACTER SET utf8mb4);`;
    const site = await makeSite(server, 'unsaid', `${content} INSERT INTO t VALUES (1, 'what?', 'why?,é');`);
    const named = async (): Promise<readonly (readonly string[])[]> => {
      const problems: DatabaseProblem[] = [];
      await dumpAll(server, site.login, site.name, problems);
      return problems
        .filter(({ code }) => code === 'values-not-held')
        .map(({ name, message }) => [name, message.split(' ')[0] ?? '']);
    };
    assert.deepEqual(await named(), []);
    await server.server.query(`USE unsaid; INSERT INTO t VALUES (2, '漢😀', '');`);
    assert.deepEqual(await named(), [['t', 't.a']]);
  });
});
