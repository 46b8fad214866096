/** Dumps in one piece that other programs write, loaded into a database of another name. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { partsOfForeignDump } from '../../archives/foreign-dump.ts';
import {
  fingerprint,
  loadAll,
  makeScratch,
  makeSite,
  openTestServer,
  storePart,
  type TestServer,
} from './test-database.ts';

describe('a dump in one piece', () => {
  let server: TestServer;
  before(async () => {
    server = await openTestServer();
  });
  after(() => server[Symbol.asyncDispose]());

  for (const flags of [
    [],
    ['--databases'],
    ['--databases', '--add-drop-database'],
    ['--skip-comments'],
    ['--compact'],
    ['--skip-opt'],
    ['--no-autocommit'],
    ['--replace'],
    ['--complete-insert', '--skip-extended-insert'],
  ])
    test(`a whole dump of the stock tool with ${flags.join(' ') || 'nothing special'} loads into a database of another name`, async () => {
      const name = `stock${flags.join('').replaceAll('-', '')}`;
      const content = `CREATE TABLE a (id INT AUTO_INCREMENT PRIMARY KEY, t TEXT, KEY t (t(9)));
        INSERT INTO a (t) VALUES ('USE \`x\`;\nUSE \`y\`;\n'), ('漢'); CREATE VIEW v AS SELECT id FROM a;
        CREATE TRIGGER r BEFORE INSERT ON a FOR EACH ROW SET NEW.t = 'new';`;
      const site = await makeSite(server, name, content);
      const login = ['--no-defaults', '--user=root', `--socket=${server.server.socket}`];
      const dump = execFileSync('mariadb-dump', [...login, ...flags, '--', site.name]);
      const scratch = await makeScratch(server);
      await loadAll(server, scratch, partsOfForeignDump(storePart('x', 'tail', null, dump).open(), 'whole.sql'));
      assert.equal(await fingerprint(server, scratch.database), await fingerprint(server, site.name));
      const look = `INSERT INTO a VALUES (9, 'old'); SELECT t FROM a WHERE id = 9; SELECT COUNT(*) FROM v`;
      assert.equal(await server.server.query(`USE ${scratch.database}; ${look}`), 'new\n3\n');
    });

  test('a whole dump in phpMyAdmin’s form, which makes its database and goes into it, loads into one of another name', async () => {
    const dump = `-- phpMyAdmin SQL Dump
SET SQL_MODE = "NO_AUTO_VALUE_ON_ZERO";
START TRANSACTION;
CREATE DATABASE IF NOT EXISTS \`shop\` DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;
USE \`shop\`;

CREATE TABLE \`a\` (\`id\` int(11) NOT NULL, \`t\` text) ENGINE=InnoDB;
INSERT INTO \`a\` (\`id\`, \`t\`) VALUES
(1, 'USE \`shop\`;');
ALTER TABLE \`a\` ADD PRIMARY KEY (\`id\`);
COMMIT;
`;
    const scratch = await makeScratch(server);
    const content = storePart('x', 'tail', null, Buffer.from(dump)).open();
    await loadAll(server, scratch, partsOfForeignDump(content, 'shop.sql'));
    assert.equal(await server.server.query(`SELECT t FROM ${scratch.database}.a`), 'USE `shop`;\n');
    assert.equal(await server.server.query("SHOW DATABASES LIKE 'shop'"), '');
  });

  test('a whole dump of two databases is refused, and nothing of the second is made', async () => {
    const names = ['first_of_two', 'second_of_two'];
    for (const name of names)
      await makeSite(server, name, 'CREATE TABLE a (id INT PRIMARY KEY); INSERT INTO a VALUES (1);');
    const login = ['--no-defaults', '--user=root', `--socket=${server.server.socket}`];
    const dump = execFileSync('mariadb-dump', [...login, '--databases', ...names]);
    await server.server.query('DROP DATABASE second_of_two');
    const parts = partsOfForeignDump(storePart('x', 'tail', null, dump).open(), 'whole.sql');
    await assert.rejects(loadAll(server, await makeScratch(server), parts), { code: 'dump-refused' });
    assert.equal(await server.server.query("SHOW DATABASES LIKE 'second_of_two'"), '');
  });
});
