/** Sites of other systems, archives of other suffixes, masked, and for an account that is named. */
import assert from 'node:assert/strict';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { BackupDocument, IdentityDocument, VerifyDocument } from '@salvor/contract';
import type { DemoSite } from '../../../demo/host.ts';
import { salvorPlaces } from '../../../demo/salvor-command.ts';
import { type TestHost, openTestHost } from './open-test-host.ts';

describe('import of other kinds', { concurrency: 1, timeout: 200_000 }, () => {
  let test: TestHost;
  let configured: string;
  before(async () => {
    test = await openTestHost({ archives: true, nodes: 5, files: 5 });
    configured = readFileSync(salvorPlaces(test.host).config, 'utf8');
  });
  after(() => test[Symbol.asyncDispose]());

  const archiveOf = async (site: DemoSite, format: string): Promise<string> => {
    const { config } = salvorPlaces(test.host);
    writeFileSync(config, configured);
    appendFileSync(config, `policy: { archives: { format: ${format} } }\n`);
    const { archive } = await test.run(['backup', site.uri], BackupDocument);
    const path = archive?.path ?? '';
    assert.ok(path.endsWith(`.${format}`), path);
    return path;
  };
  const query = (database: string, sql: string): Promise<string> =>
    test.host.mariadb.query(`USE \`${database}\`; ${sql}`);
  const importing = (file: string, uri: string, platform: string, ...more: string[]): Promise<IdentityDocument> =>
    test.run(
      ['import', file, '--uri', uri, '--platform', platform, '--account', test.host.account.name, ...more],
      IdentityDocument,
    );

  it('a masked site comes of a .tar.zst for the account that is named', async () => {
    const site = test.host.site('market.example.org');
    const done = await importing(
      await archiveOf(site, 'tar.zst'),
      'masked.example.org',
      dirname(dirname(site.path)),
      '--mask',
    );
    assert.deepEqual([done.state, done.plan.masked, done.plan.account], ['succeeded', true, test.host.account.name]);
    const database = done.plan.databases[0]?.newName ?? '';
    const mails = (await query(database, 'SELECT mail FROM users_field_data WHERE uid > 0')).trim().split('\n');
    const origins = (await query(site.database, 'SELECT mail FROM users_field_data WHERE uid > 0')).trim().split('\n');
    assert.equal(mails.length, origins.length);
    assert.deepEqual(
      mails.filter((mail) => origins.includes(mail)),
      [],
    );
    await test.undo(done.task);
  });

  it('a WordPress comes of a .tar.bz2, with an address of its own', async () => {
    const site = test.host.site('journal.example.org');
    const done = await importing(await archiveOf(site, 'tar.bz2'), 'gazette.example.org', dirname(dirname(site.path)));
    assert.equal(done.state, 'succeeded');
    const { newPath, databases } = done.plan;
    assert.ok(readFileSync(join(newPath, 'wp-config.php'), 'utf8').includes(databases[0]?.newName ?? '?'));
    const { proof } = await test.run(['verify', 'gazette.example.org'], VerifyDocument);
    assert.deepEqual(
      proof.checks.filter(({ outcome }) => outcome === 'failed'),
      [],
    );
    await test.undo(done.task);
  });
});
