/** Drupal-shaped sites: every shape of settings, and content with the names, types and programs that copies get wrong. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { SitesDocument, StatusDocument } from '@salvor/contract';
import type { DemoSite } from '../../../demo/host.ts';
import { observePage, observeSite, observeTree } from '../../../demo/observe-site.ts';
import { runRestic } from '../../../demo/salvor-command.ts';
import { quoteName } from '../../../demo/sql.ts';
import { assertSame, assertSameSite, assertSameTree, lookAt, openTestHost, type TestHost } from './open-test-host.ts';

const ODD_TABLE = 'import 2019/Ärger & co.';

describe('Drupal-shaped sites', () => {
  let test: TestHost;

  before(async () => {
    test = await openTestHost({ withDrupal7: true, withoutWordPress: true, nodes: 60, files: 40 });
  });
  after(() => test[Symbol.asyncDispose]());

  const query = (site: DemoSite, sql: string): Promise<string> =>
    test.host.mariadb.query(`USE ${quoteName(site.database)}; ${sql}`);

  it('are found with version and database whether their settings are cloaked or not', async () => {
    const sites = await test.run(['sites'], SitesDocument);
    const found = sites.map(({ uri, cms, version, databases, problems }) => [
      uri,
      cms,
      version,
      databases.map(({ engine, name }) => ({ engine, name })),
      problems,
    ]);
    const expected = [
      ['archive.example.org', '7.101'],
      ['harbour.example.org', '10.3.6'],
      ['market.example.org', '10.3.6'],
    ].map(([uri, version]) => {
      const { database } = test.host.site(uri as string);
      return [uri, 'drupal', version, [{ engine: 'mariadb', name: database }], []];
    });
    assert.deepEqual(found, expected);
  });

  for (const uri of ['harbour.example.org', 'market.example.org', 'archive.example.org']) {
    it(`${uri} comes back whole, with view, trigger, routines and event, and undo brings the ruin back`, async () => {
      const site = test.host.site(uri);
      const original = await lookAt(test.host, site);
      assert.equal(original.page.status, 200);
      const { point, problems } = await test.backUp(site);
      assert.deepEqual(problems, []);
      await assertSame(test.host, site, original);

      rmSync(join(site.path, 'files'), { recursive: true });
      renameSync(join(site.path, 'private/files/contracts'), join(site.path, 'private/files/moved'));
      mkdirSync(join(site.path, 'files'));
      symlinkSync('/etc/passwd', join(site.path, 'files/.htaccess'));
      writeFileSync(join(site.path, 'modules/custom/harbour/harbour.module'), '<?php // gone\n');
      chmodSync(join(site.path, 'private'), 0o755);
      await query(
        site,
        `SET foreign_key_checks = 0;
         DROP TABLE berth, harbour_log, ${quoteName(ODD_TABLE)}, file_managed; DROP VIEW recent_content, berth_overview;
         DROP FUNCTION harbour_label; DROP EVENT nightly_forget; DELETE FROM watchdog; CREATE VIEW stray AS SELECT 1;`,
      );
      const ruin = await lookAt(test.host, site);
      assert.equal(ruin.page.status, 500);

      const since = new Date();
      const restored = await test.restore(site, point);
      await assertSame(test.host, site, original, { refreshed: restored.refreshed, since });

      const undone = await test.undo(restored.task);
      assert.equal(undone.state, 'succeeded');
      await assertSame(test.host, site, ruin, { refreshed: restored.refreshed, since });

      const again = await test.restore(site, point);
      await assertSame(test.host, site, original, { refreshed: again.refreshed, since });
    });
  }

  it('one table of a name that no shell and no file system likes is brought back alone', async () => {
    const site = test.host.site('market.example.org');
    const original = await observeSite(test.host, site);
    const { point } = await test.backUp(site);
    await query(site, `DELETE FROM ${quoteName(ODD_TABLE)}; DELETE FROM sessions;`);
    const broken = await observeSite(test.host, site);

    await test.restore(site, point, '--table', `${site.database}.${ODD_TABLE}`);
    const key = `checksum ${site.database}.${ODD_TABLE}`;
    const expected = new Map(broken.database).set(key, original.database.get(key) as string);
    assertSameSite({ files: broken.files, database: expected }, await observeSite(test.host, site));
    await test.restore(site, point, '--table', 'sessions');
    assertSameSite(original, await observeSite(test.host, site));
  });

  it('one file of an odd name, a link and a directory are brought back together, and nothing else', async () => {
    const site = test.host.site('market.example.org');
    const original = observeTree(site.path);
    const { point } = await test.backUp(site);
    const paths = ['files/odd/it\'s a "quote".txt', 'files/odd/line\nbreak.txt', 'files/latest.png', 'files/pictures'];
    for (const path of [...paths, 'files/odd/-rf']) rmSync(join(site.path, path), { recursive: true });

    await test.restore(site, point, ...paths.flatMap((path) => ['--path', path]));
    const expected = new Map(original);
    expected.delete('files/odd/-rf');
    // Directories in which an entry was put have the time of that.
    const now = new Map(observeTree(site.path));
    for (const name of ['files', 'files/odd']) {
      expected.delete(name);
      now.delete(name);
    }
    assertSameTree(expected, now);
    await test.restore(site, point);
    assertSameTree(original, observeTree(site.path));
  });

  it('the cloaked site, restored by stock restic, is the identical tree with every odd name in it', async () => {
    const site = test.host.site('harbour.example.org');
    const { point } = await test.backUp(site);
    const listed = await runRestic(test.host, ['snapshots', '--json', '--tag', `point:${point}`]);
    const [snapshot] = JSON.parse(listed.output) as readonly { id: string }[];
    const target = join(test.host.directory, 'by-restic');
    const restored = await runRestic(test.host, ['restore', snapshot?.id ?? '', '--target', target]);
    assert.equal(restored.exit, 0, restored.complaint);
    assertSameTree(observeTree(site.path), observeTree(join(target, 'site')));
    assert.deepEqual(readdirSync(target).toSorted(), ['databases', 'manifest.json', 'site']);
    rmSync(target, { recursive: true });
    const checked = await runRestic(test.host, ['check', '--read-data']);
    assert.equal(checked.exit, 0, checked.output + checked.complaint);
  });

  it('every page answers and the status knows of no trouble at the end', async () => {
    for (const site of test.host.sites) assert.equal((await observePage(site.url)).status, 200, site.uri);
    const status = await test.run(['status'], StatusDocument);
    assert.ok(status.sites.every((site) => site.lastPoint?.complete === true && site.problems.length === 0));
  });
});
