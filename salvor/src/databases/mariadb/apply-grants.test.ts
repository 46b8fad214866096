import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type MariaDbServer, openMariaDb } from '../../../../demo/mariadb-server.ts';
import { applyGrants, applyLater } from './apply-grants.ts';
import { readGrants } from './read-grants.ts';

describe('the users of a database server', () => {
  let server: MariaDbServer;
  before(async () => {
    server = await openMariaDb();
  });
  after(() => server[Symbol.asyncDispose]());

  it('are made again as they were: passwords, rights, roles; those of single tables when the tables are there', async () => {
    const odd = "`o'd``d`@`localhost`";
    await server.query(`CREATE DATABASE shop; CREATE TABLE shop.t (a INT);
CREATE ROLE readers; GRANT SELECT ON shop.* TO readers;
CREATE USER shop@localhost IDENTIFIED BY 'one'; GRANT ALL ON shop.* TO shop@localhost; GRANT readers TO shop@localhost;
CREATE USER ${odd} IDENTIFIED BY 'two'; GRANT SELECT (a) ON shop.t TO ${odd};`);
    const saved = await readGrants(server.rootLogin);
    await server.query(`DROP DATABASE shop; DROP USER shop@localhost, ${odd}; DROP ROLE readers;`);
    const applied = await applyGrants(server.rootLogin, saved, { isWanted: () => true });
    assert.deepEqual(applied.problems, []);
    assert.deepEqual(applied.made.toSorted(), ['`readers`', '`shop`@`localhost`', odd].toSorted());
    assert.equal(applied.later.length, 1);
    await server.query('CREATE DATABASE shop; CREATE TABLE shop.t (a INT)');
    assert.deepEqual(await applyLater(server.rootLogin, applied.later), []);
    assert.equal(await readGrants(server.rootLogin), saved);
    // Called again after it was killed: all of it is there, and nothing is a problem.
    assert.deepEqual(await applyGrants(server.rootLogin, saved, { isWanted: () => true }), {
      made: [],
      later: [],
      problems: [],
    });
  });

  it('that are there with another password stay as they are; those that nobody asked for are not made, nor what no dump of ours holds', async () => {
    const saved = await readGrants(server.rootLogin);
    await server.query("ALTER USER shop@localhost IDENTIFIED BY 'another'; DROP USER `o'd``d`@`localhost`;");
    const before = await readGrants(server.rootLogin);
    const hostile = `${saved}DROP DATABASE shop;\nSET GLOBAL read_only = 1;\nGRANT ALL ON *.* TO root@'%' IDENTIFIED BY 'x';\n`;
    const ofRoot = hostile.replaceAll('`shop`@`localhost`', '`root`@`elsewhere`');
    for (const text of [saved, ofRoot]) {
      const applied = await applyGrants(server.rootLogin, text, { isWanted: (user) => user === 'shop' });
      assert.deepEqual(applied.made, []);
      assert.deepEqual(
        applied.problems.map(({ code }) => code),
        text === saved ? ['database-user-differs'] : [],
      );
    }
    assert.equal(await readGrants(server.rootLogin), before);
  });
});
