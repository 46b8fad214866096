/** Clones of sites that are not as most are: cloaked settings, a shared database, several databases, what lies elsewhere. */
import assert from 'node:assert/strict';
import {
  chownSync,
  lchownSync,
  lstatSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { DemoSite } from '../../../demo/host.ts';
import { observeSite } from '../../../demo/observe-site.ts';
import { toPhp } from '../../../demo/php-value.ts';
import { parseConfig } from '../../src/config.ts';
import { type FaultHost, hasCode, openFaultHost } from '../fault/fault-host.ts';
import { assertSameSite } from './open-test-host.ts';

const WISH = { platform: null, mask: false, dryRun: false } as const;

describe('a clone of a site that is not as most are', () => {
  let test: FaultHost;
  let harbour: DemoSite;
  let market: DemoSite;
  before(async () => {
    test = await openFaultHost();
    [harbour, market] = [test.host.site('harbour.example.org'), test.host.site('market.example.org')];
  });
  after(() => test[Symbol.asyncDispose]());

  const query = (sql: string): Promise<string> => test.host.mariadb.query(sql);
  const vhost = (uri: string): string => join(test.host.home, 'config/server_master/nginx/vhost.d', uri);
  const own = (path: string): void => lchownSync(path, test.host.account.uid, test.host.account.gid);

  it('that takes its log-in from the web server gets a virtual host with its own, where the web server is known', async () => {
    const before = [await observeSite(test.host, harbour), readFileSync(vhost(harbour.uri), 'utf8')] as const;
    const { policies } = parseConfig(
      JSON.stringify({
        policy: { archives: { format: 'none' }, webServer: { kind: 'nginx', test: ['true'], reload: ['true'] } },
      }),
      '/nowhere/salvor.yaml',
    );
    const lines: string[] = [];
    await using agent = await test.open((line) => lines.push(line), { policies });
    const done = await agent.clone(harbour.uri, { ...WISH, newUri: 'quay.example.org' });
    assert.deepEqual([done.state, done.problems], ['succeeded', []]);
    // Read from its origin where that still holds what the point does, and not unpacked.
    assert.ok(
      lines.some((line) => /^of \d{5,} bytes \d{5,} were there already/.test(line)),
      lines.join('\n'),
    );
    const [made] = done.plan.databases;
    const text = readFileSync(vhost('quay.example.org'), 'utf8');
    assert.match(text, new RegExp(`db_name\\s+"?${made?.newName}"?;`));
    assert.ok(text.includes('quay.example.org') && !text.includes(harbour.uri) && !text.includes(harbour.database));
    assert.equal(lstatSync(vhost('quay.example.org')).mode & 0o777, 0o600);
    const drushrc = readFileSync(join(done.plan.newPath, 'drushrc.php'), 'utf8');
    assert.ok(!drushrc.includes(harbour.database) && !drushrc.includes(harbour.uri));
    assertSameSite(before[0], await observeSite(test.host, harbour));
    assert.equal(readFileSync(vhost(harbour.uri), 'utf8'), before[1]);

    // Rights that somebody has got on it since: what goes with it would be his too.
    await query(`GRANT SELECT ON \`${made?.newName}\`.* TO '${market.user}'@localhost`);
    await assert.rejects(agent.undo(done.task ?? ''), hasCode('delete-obstructed'));
    await query(`REVOKE SELECT ON \`${made?.newName}\`.* FROM '${market.user}'@localhost`);
    await agent.undo(done.task ?? '');
    assert.equal(lstatSync(vhost('quay.example.org'), { throwIfNoEntry: false }), undefined);
    assertSameSite(before[0], await observeSite(test.host, harbour));
  });

  it('that shares a database gets its own part of it, and one of its own for each that it has', async () => {
    await query(
      `CREATE DATABASE both_of_them; CREATE DATABASE further; CREATE USER shared@localhost IDENTIFIED BY 'x';
       GRANT ALL ON \`both\\_of\\_them\`.* TO shared@localhost; GRANT ALL ON further.* TO shared@localhost;
       USE both_of_them; CREATE TABLE m_node (t TEXT); INSERT INTO m_node VALUES ('sites/market.example.org/files'), ('sites/harbour.example.org/files');
       CREATE TABLE h_node (t TEXT); INSERT INTO h_node VALUES ('sites/market.example.org/files');
       USE further; CREATE TABLE log (i INT); INSERT INTO log VALUES (7);`,
    );
    const connection = (database: string, prefix: string): string =>
      toPhp({
        driver: 'mysql',
        database,
        username: 'shared',
        password: 'x',
        host: 'localhost',
        prefix,
        unix_socket: test.host.mariadb.socket,
      });
    const kept: (() => void)[] = [];
    for (const [site, php] of [
      [
        market,
        `$databases['default']['default'] = ${connection('both_of_them', 'm_')};\n$databases['further']['default'] = ${connection('further', '')};`,
      ],
      [harbour, `$databases['default']['default'] = ${connection('both_of_them', 'h_')};`],
    ] as const) {
      const settings = join(site.path, 'settings.php');
      renameSync(settings, `${settings}.kept`);
      writeFileSync(settings, `<?php\n${php}\n`);
      chownSync(settings, test.host.account.uid, test.host.account.gid);
      kept.push(() => renameSync(`${settings}.kept`, settings));
    }
    await using agent = await test.open();
    const done = await agent.clone(market.uri, { ...WISH, newUri: 'stall.example.org' });
    assert.deepEqual([done.state, done.problems], ['succeeded', []]);
    assert.deepEqual(
      done.plan.databases.map(({ name, newName, tables }) => [name, newName, tables]),
      [
        ['both_of_them', 'stallexampleorg', 1],
        ['further', 'stallexampleorg_0', 1],
      ],
    );
    const tables = await query(
      "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA LIKE 'stall%' ORDER BY 1",
    );
    assert.equal(tables, 'stallexampleorg\tm_node\nstallexampleorg_0\tlog\n');
    assert.equal(
      await query('SELECT t FROM stallexampleorg.m_node'),
      'sites/stall.example.org/files\nsites/harbour.example.org/files\n',
    );
    assert.equal(await query('SELECT t FROM both_of_them.h_node'), 'sites/market.example.org/files\n');
    const found = (await agent.sites()).sites.find(({ uri }) => uri === 'stall.example.org');
    assert.deepEqual(
      found?.databases.map(({ prefix, sharedWith }) => [prefix, sharedWith]),
      [
        ['m_', []],
        ['', []],
      ],
    );
    await agent.undo(done.task ?? '');
    for (const put of kept) put();
  });

  it('is refused where it would share a directory with its origin, and one would write what the other reads', async () => {
    const elsewhere = join(test.host.directory, 'elsewhere');
    renameSync(join(market.path, 'files'), elsewhere);
    symlinkSync(elsewhere, join(market.path, 'files'));
    own(join(market.path, 'files'));
    await using agent = await test.open();
    const { plan } = await agent.clone(market.uri, { ...WISH, newUri: 'stall.example.org', dryRun: true });
    assert.deepEqual(
      plan.obstacles.map(({ code }) => code),
      ['directory-moved-out'],
    );
    rmSync(join(market.path, 'files'));
    renameSync(elsewhere, join(market.path, 'files'));
    assert.ok(dirname(plan.newPath) === dirname(market.path));
  });
});
