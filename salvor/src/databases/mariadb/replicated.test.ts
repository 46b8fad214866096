/** Servers that write a binary log, and what other users are granted: neither may notice a restore. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openMariaDb } from '../../../../demo/mariadb-server.ts';
import { run } from '../../lib/run.ts';
import { readSwapFacts } from './inspect-swap.ts';
import { planSwap, type SwapPlan, WHOLE_DATABASE } from './plan-swap.ts';
import { dropScratch } from './scratch.ts';
import { applySwap, swapBack } from './swap.ts';
import { dumpAll, fingerprint, loadAll, makeScratch, makeSite, type TestServer } from './test-database.ts';

/** The function is one that a server with such a log takes from nobody, unless it is told to. */
const CONTENT = `
SET GLOBAL log_bin_trust_function_creators = 1;
CREATE TABLE a (id INT PRIMARY KEY AUTO_INCREMENT, n INT, secret VARCHAR(9)); INSERT INTO a (n, secret) VALUES (1, 'x'), (2, 'y');
CREATE TABLE b (id INT PRIMARY KEY, a_id INT, FOREIGN KEY (a_id) REFERENCES a (id)); INSERT INTO b VALUES (1, 1);
CREATE TABLE gone (i INT); CREATE SEQUENCE s; CREATE VIEW v AS SELECT id FROM a;
CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET NEW.n = IFNULL(NEW.n, 7);
CREATE FUNCTION f() RETURNS INT RETURN RAND() * 10;
CREATE PROCEDURE p(IN x INT) UPDATE a SET n = x; CREATE PROCEDURE stays() SELECT 1;
CREATE EVENT e ON SCHEDULE EVERY 1 DAY DISABLE DO DELETE FROM gone; SET GLOBAL log_bin_trust_function_creators = 0;`;
const CHANGE = `INSERT INTO a (n) VALUES (3); DROP TABLE gone; CREATE TABLE fresh (i INT); DROP PROCEDURE p;
CREATE PROCEDURE newer() SELECT 2; CREATE VIEW w AS SELECT 1 AS one;`;

describe('a server with a binary log in strict order', () => {
  let own: TestServer;
  before(async () => {
    const server = await openMariaDb({
      serverOptions: ['--log-bin=binlog', '--server-id=7', '--gtid-strict-mode=ON', '--log-slave-updates'],
    });
    own = {
      server,
      admin: server.rootLogin,
      directory: join(server.directory, 'clients'),
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  });
  after(() => own[Symbol.asyncDispose]());

  const query = (sql: string): Promise<string> => own.server.query(sql);

  const prepare = async (name: string): Promise<{ plan: SwapPlan; dumped: string }> => {
    const site = await makeSite(own, name, CONTENT);
    const dumped = await fingerprint(own, name);
    const parts = await dumpAll(own, own.admin, name);
    for (const { bytes, file } of parts)
      assert.doesNotMatch(bytes.toString(), /gtid|CHANGE MASTER|sql_log_bin/i, `${file} says nothing of positions`);
    await query(`USE ${name}; ${CHANGE}`);
    const scratch = await makeScratch(own);
    const { definers } = await loadAll(own, scratch, parts);
    const wish = { live: name, scratch: scratch.database, old: `salvor_${name}_old`, definer: site.account, definers };
    const plan = planSwap(await readSwapFacts(own.admin, wish), { ...wish, scope: WHOLE_DATABASE });
    await dropUser(scratch.login.user);
    return { plan, dumped };
  };
  /** As at the end of a restore: only the user of the load is asked after below. */
  const dropUser = (user: string): Promise<string> => query(`DROP USER '${user}'@localhost`);

  test('takes functions and triggers that are loaded without rights, and is as strict as before when they are in', async () => {
    const { plan, dumped } = await prepare('logged');
    assert.equal(await query('SELECT @@log_bin, @@gtid_strict_mode, @@log_bin_trust_function_creators'), '1\t1\t0\n');
    await applySwap(own.admin, plan);
    assert.equal(await fingerprint(own, 'logged'), dumped);
    assert.equal(await query('USE logged; INSERT INTO a (id) VALUES (50); SELECT n FROM a WHERE id = 50;'), '7\n');
  });

  test('writes a log that another server follows to the same tables, through restore and undo', async () => {
    const { plan } = await prepare('followed');
    await applySwap(own.admin, plan);
    await swapBack(own.admin, plan, { undone: 'salvor_followed_undone', journal: async () => undefined });
    await query('FLUSH BINARY LOGS');
    const data = join(own.server.directory, 'data');
    const logs = readdirSync(data).filter((name) => /^binlog\.\d+$/.test(name));
    const text = await run('mariadb-binlog', {
      args: logs.toSorted().map((name) => join(data, name)),
      maxBytes: 1 << 26,
    });
    await using replica = await openMariaDb();
    await replica.query(text.toString('utf8'));
    for (const name of ['followed', 'salvor_followed_undone', 'logged'])
      assert.equal(
        await fingerprint({ ...own, server: replica }, name),
        await fingerprint(own, name),
        `the replica's ${name}`,
      );
  });

  test('keeps every grant of every user, on tables, columns and routines, through restore and undo', async () => {
    await query(
      `CREATE USER reader@localhost IDENTIFIED BY 'x'; CREATE USER 'odd''user'@'10.%' IDENTIFIED BY 'x'; CREATE ROLE auditors;`,
    );
    const { plan } = await (async () => {
      const site = await makeSite(own, 'granted', CONTENT);
      await query(
        `GRANT SELECT ON granted.a TO reader@localhost WITH GRANT OPTION; GRANT INSERT (n), UPDATE (secret) ON granted.a TO reader@localhost;
        GRANT DELETE ON granted.gone TO 'odd''user'@'10.%'; GRANT SELECT ON granted.v TO auditors; GRANT SELECT ON granted.fresh TO auditors; GRANT auditors TO reader@localhost;
        GRANT EXECUTE ON PROCEDURE granted.stays TO reader@localhost; GRANT EXECUTE ON FUNCTION granted.f TO auditors; GRANT SELECT ON granted.s TO auditors;`.replace(
          'GRANT SELECT ON granted.fresh TO auditors;',
          '',
        ),
      );
      const parts = await dumpAll(own, own.admin, 'granted');
      await query(
        `USE granted; ${CHANGE} GRANT SELECT (i) ON granted.fresh TO 'odd''user'@'10.%'; GRANT EXECUTE, ALTER ROUTINE ON PROCEDURE granted.newer TO reader@localhost WITH GRANT OPTION;`,
      );
      const scratch = await makeScratch(own);
      const { definers } = await loadAll(own, scratch, parts);
      const wish = {
        live: 'granted',
        scratch: scratch.database,
        old: 'salvor_granted_old',
        definer: site.account,
        definers,
      };
      const made = planSwap(await readSwapFacts(own.admin, wish), { ...wish, scope: WHOLE_DATABASE });
      await dropUser(scratch.login.user);
      return { plan: JSON.parse(JSON.stringify(made)) as SwapPlan };
    })();
    const before = await allGrants();
    assert.match(before, /GRANT SELECT, INSERT \(`n`\), UPDATE \(`secret`\) ON `granted`.`a` TO `reader`/);
    await applySwap(own.admin, plan);
    const during = await allGrants();
    const withoutNewer = (text: string): string => text.replaceAll(/^.*PROCEDURE `granted`.`newer`.*\n/gm, '');
    assert.equal(withoutNewer(during), withoutNewer(before), 'after the restore');
    await swapBack(own.admin, plan, { undone: 'salvor_granted_undone', journal: async () => undefined });
    assert.equal(await allGrants(), before, 'after the undo, also those on a routine that the restore had taken away');
    await dropScratch(own.admin, { database: 'salvor_granted_undone', user: 'salvor_granted_undone' });
    assert.equal(await allGrants(), before, 'when what was replaced is gone');
  });

  const allGrants = async (): Promise<string> => {
    const users = await query(
      "SELECT CONCAT(QUOTE(User), IF(is_role = 'Y', '', CONCAT('@', QUOTE(Host)))) FROM mysql.user ORDER BY 1",
    );
    const listed = users
      .split('\n')
      .filter((user) => user !== '' && !/^'(?:mariadb\.sys|mysql|root'@'(?!localhost))/.test(user));
    return await query(listed.map((user) => `SHOW GRANTS FOR ${user.replaceAll('\\\\', '\\')};`).join('\n'));
  };
});
