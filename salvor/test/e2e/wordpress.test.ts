/** The main job on a real WordPress: what was broken is brought back exactly, and nothing else is touched. */
import assert from 'node:assert/strict';
import { appendFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { IdentityDocument, LsDocument, PointsDocument, RestoreDocument } from '@salvor/contract';
import type { DemoSite } from '../../../demo/host.ts';
import { differences, observeDatabase, observePage, observeSite, observeTree } from '../../../demo/observe-site.ts';
import { runRestic } from '../../../demo/salvor-command.ts';
import { quoteName } from '../../../demo/sql.ts';
import { closeSite, openSite, planMaintenance } from '../../src/tasks/maintenance.ts';
import { parseTaskId } from '../../src/tasks/task-id.ts';
import {
  assertSame,
  assertSameSite,
  assertSameTree,
  lookAt,
  openTestHost,
  type Look,
  type TestHost,
} from './open-test-host.ts';

describe('a real WordPress', () => {
  let test: TestHost;
  let site: DemoSite;
  /** What the point holds. Each test leaves the site like this, but for the times of PHP files whose content a switch changed. */
  let original: Look;
  let point: string;

  before(async () => {
    test = await openTestHost({ posts: 8, nodes: 20, files: 10 });
    site = test.host.sites[0] as DemoSite;
    original = await lookAt(test.host, site);
    const backup = await test.backUp(site);
    assert.deepEqual(backup.problems, []);
    point = backup.point;
  });
  after(() => test[Symbol.asyncDispose]());

  const query = (sql: string): Promise<string> => test.host.mariadb.query(`USE ${quoteName(site.database)}; ${sql}`);
  const content = (...path: string[]): string => join(site.path, 'wp-content', ...path);

  /** Brings everything back. */
  const reset = async (): Promise<void> => {
    const since = new Date();
    const { refreshed } = await test.restore(site, point);
    await assertSame(test.host, site, original, { refreshed, since });
  };

  it('a backup leaves the site as it was, down to the times', async () => {
    await assertSame(test.host, site, original);
  });

  it('a restore brings back every file, table and the page after files and tables went', async () => {
    rmSync(content('uploads'), { recursive: true });
    rmSync(content('themes'), { recursive: true });
    rmSync(join(site.path, 'wp-config.php'));
    writeFileSync(join(site.path, 'shell.php'), '<?php // not ours\n');
    appendFileSync(content('plugins/harbour-notes/harbour-notes.php'), '\n// changed\n');
    await query('DROP TABLE wp_posts, wp_options; DELETE FROM wp_comments; CREATE TABLE intruder (i INT);');
    assert.notEqual((await observePage(site.url)).status, 200);

    const since = new Date();
    const restored = await test.restore(site);
    assert.equal(restored.state, 'succeeded');
    assert.equal(restored.plan.point, point);
    assert.equal(restored.plan.files?.deleted, 1);
    assert.equal(restored.plan.tables?.deleted, 1);
    assert.ok(restored.safetyPoint !== null && restored.task !== null && restored.undoUntil !== null);
    assert.ok(restored.refreshed.includes('wp-content/plugins/harbour-notes/harbour-notes.php'));
    assert.ok(!restored.refreshed.some((name) => !name.endsWith('.php')));
    await assertSame(test.host, site, original, { refreshed: restored.refreshed, since });
  });

  it('without a point the newest that is not a safety point is taken', async () => {
    const points = await test.run(['points', site.uri], PointsDocument);
    assert.equal(points[0]?.safety, true);
    const plan = await test.run(['restore', site.uri, '--dry-run'], RestoreDocument);
    assert.equal(plan.plan.point, point);
  });

  it('--dry-run tells what would be done and changes nothing', async () => {
    rmSync(content('uploads'), { recursive: true });
    await query("DROP TABLE wp_links; UPDATE wp_options SET option_value = 'Other' WHERE option_name = 'blogname';");
    const site0 = await observeSite(test.host, site);
    const home0 = observeTree(test.host.home);
    const databases0 = await test.host.mariadb.query('SHOW DATABASES; SELECT User, Host FROM mysql.user;');

    const { plan, task, safetyPoint } = await test.run(['restore', site.uri, point, '--dry-run'], RestoreDocument);
    assert.deepEqual([task, safetyPoint, plan.obstacles], [null, null, []]);
    assert.ok((plan.files?.new ?? 0) > 0);
    assert.equal(plan.files?.deleted, 0);

    assertSameSite(site0, await observeSite(test.host, site));
    assertSameTree(home0, observeTree(test.host.home));
    assert.equal(await test.host.mariadb.query('SHOW DATABASES; SELECT User, Host FROM mysql.user;'), databases0);
    await reset();
  });

  it('--table brings back that table and leaves every other table and every file as it is', async () => {
    await query("DROP TABLE wp_posts; UPDATE wp_options SET option_value = 'Other' WHERE option_name = 'blogname';");
    rmSync(content('uploads'), { recursive: true });
    const broken = await observeSite(test.host, site);

    await test.restore(site, point, '--table', 'wp_posts');
    const now = await observeSite(test.host, site);
    assertSameTree(broken.files, now.files);
    const mended = new Map(broken.database);
    for (const key of [`checksum ${site.database}.wp_posts`, 'table wp_posts']) {
      mended.set(key, original.site.database.get(key) as string);
    }
    assertSameSite({ files: now.files, database: mended }, now);
    await reset();
  });

  it('--path brings back that directory and leaves the rest as it is', async () => {
    rmSync(content('uploads'), { recursive: true });
    writeFileSync(content('plugins/new-plugin.txt'), 'not in the point\n');
    await query("UPDATE wp_options SET option_value = 'Other' WHERE option_name = 'blogname';");
    const broken = await observeSite(test.host, site);

    await test.restore(site, point, '--path', 'wp-content/uploads');
    const now = await observeSite(test.host, site);
    assert.deepEqual(now.database, broken.database);
    const isUploads = (name: string): boolean => /^wp-content\/uploads(\/|$)/.test(name);
    const part = (tree: ReadonlyMap<string, unknown>, wanted: boolean): Map<string, unknown> =>
      new Map([...tree].filter(([name]) => isUploads(name) === wanted && name !== 'wp-content'));
    assert.deepEqual(part(now.files, true), part(original.site.files, true));
    assert.deepEqual(part(now.files, false), part(broken.files, false));
    await reset();
  });

  it('--only databases leaves the files as they are, --only files the databases', async () => {
    rmSync(content('uploads'), { recursive: true });
    await query('DROP TABLE wp_posts, wp_comments;');
    const broken = await observeSite(test.host, site);

    await test.restore(site, point, '--only', 'databases');
    assertSameSite({ files: broken.files, database: original.site.database }, await observeSite(test.host, site));

    const since = new Date();
    await query('DROP TABLE wp_comments;');
    const half = await observeSite(test.host, site);
    const { refreshed } = await test.restore(site, point, '--only', 'files');
    const now = await observeSite(test.host, site);
    assert.deepEqual(now.database, half.database);
    assertSameTree(original.site.files, now.files, { refreshed, since });
    await reset();
  });

  it('--to writes the point into a directory, from which the stock client loads the same tables', async () => {
    const untouched = await observeSite(test.host, site);
    const target = join(test.host.directory, 'yesterday');
    const fresh = await test.backUp(site);
    const restored = await test.restore(site, fresh.point, '--to', target);
    assert.deepEqual([restored.state, restored.task, restored.safetyPoint], ['succeeded', null, null]);
    assertSameSite(untouched, await observeSite(test.host, site));

    assert.deepEqual(readdirSync(target).toSorted(), ['databases', 'manifest.json', 'site']);
    assertSameTree(untouched.files, observeTree(join(target, 'site')));
    const dump = join(target, 'databases', site.database);
    const files = readdirSync(dump).toSorted();
    assert.equal(files.length, tablesOf(untouched.database).length + 2);
    await test.host.mariadb.query('CREATE DATABASE loaded CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;');
    await test.host.mariadb.query(
      `USE loaded;\n${files.map((name) => readFileSync(join(dump, name), 'utf8')).join('')}`,
    );
    const loaded = await observeDatabase(test.host.mariadb, 'loaded');
    const renamed = new Map(
      [...untouched.database].map(([key, value]) => [key.replace(site.database, 'loaded'), value]),
    );
    assert.deepEqual(differences(renamed, loaded), []);
    await test.host.mariadb.query('DROP DATABASE loaded;');
    rmSync(target, { recursive: true });
  });

  it('--to refuses a directory in which something lies, and writes nothing into it', async () => {
    const target = join(test.host.directory, 'full');
    mkdirSync(target);
    writeFileSync(join(target, 'mine.txt'), 'mine\n');
    const untouched = await observeSite(test.host, site);
    const run = await test.attempt(['restore', site.uri, point, '--to', target, '--yes']);
    assert.equal(run.exit, 1);
    assert.deepEqual(readdirSync(target), ['mine.txt']);
    assertSameSite(untouched, await observeSite(test.host, site));
  });

  it('undo switches back to what the restore replaced, with what was new in it', async () => {
    writeFileSync(content('uploads/new.txt'), 'made after the backup\n');
    appendFileSync(content('plugins/harbour-notes/harbour-notes.php'), '\n// version 2\n');
    await query("UPDATE wp_options SET option_value = 'Renamed journal' WHERE option_name = 'blogname';");
    await query('CREATE TABLE wp_new (i INT PRIMARY KEY); INSERT INTO wp_new VALUES (7);');
    const newer = await lookAt(test.host, site);
    assert.match(newer.page.body, /Renamed journal/);

    const { task, refreshed } = await test.restore(site, point);
    assert.ok(!existsSync(content('uploads/new.txt')));
    assert.equal((await observePage(site.url)).body, original.page.body);

    const since = new Date();
    const undone = await test.undo(task);
    assert.equal(undone.state, 'succeeded');
    await assertSame(test.host, site, newer, { refreshed, since });
    await reset();
  });

  it('without consent nothing is done', async () => {
    const untouched = await observeSite(test.host, site);
    const run = await test.attempt(['restore', site.uri, point]);
    assert.equal(run.exit, 2);
    assertSameSite(untouched, await observeSite(test.host, site));
  });

  it('ls and cat show what the point holds', async () => {
    const entries = await test.run(['ls', point, '/site/wp-content/plugins/harbour-notes'], LsDocument);
    assert.deepEqual(entries.map((entry) => entry.path.slice(entry.path.lastIndexOf('/') + 1)).toSorted(), [
      'harbour-notes.php',
      'includes',
    ]);
    const file = content('plugins/harbour-notes/includes/tide-table.php');
    const run = await test.attempt(['cat', point, '/site/wp-content/plugins/harbour-notes/includes/tide-table.php']);
    assert.equal(run.exit, 0, run.complaint);
    assert.ok(run.output.includes(readFileSync(file, 'utf8').slice(0, 40)));
  });

  it('takes the file of a switch for its own: visitors are told to come back, until it is gone', async () => {
    // Where the site has its platform for itself its directory is the root.
    const path = join(site.path, '../..');
    const announced = {
      task: parseTaskId('0123456789ab') ?? assert.fail('no id'),
      site: { account: 'o1', uri: site.uri, path, home: test.host.home },
      switch: null,
      maintenance: planMaintenance(path),
    };
    closeSite(announced, new Date(), { note: ({ message }) => assert.fail(message), say: () => {} });
    const { status, body } = await observePage(site.url);
    assert.deepEqual([status, /maintenance/i.test(body)], [503, true]);
    openSite(announced);
    assert.equal((await observePage(site.url)).status, 200);
  });

  it('a masked clone has its own address and users that nobody can log in as, and its origin is as it was', async () => {
    const now = await lookAt(test.host, site);
    const { plan, problems } = await test.run(['clone', site.uri, 'gazette.example.org', '--mask'], IdentityDocument);
    assert.deepEqual(problems, []);
    const [made] = plan.databases;
    const read = (database: string, sql: string): Promise<string> =>
      test.host.mariadb.query(`USE ${quoteName(database)}; ${sql}`);
    const addresses = "SELECT option_value FROM wp_options WHERE option_name IN ('siteurl', 'home')";
    const own = (await read(made?.newName ?? '', addresses)).trim().split('\n');
    assert.ok(own.length === 2 && own.every((address) => new URL(address).host === 'gazette.example.org'), own.join());
    const users = 'SELECT user_email, user_pass FROM wp_users ORDER BY ID';
    assert.notEqual(await read(made?.newName ?? '', users), await read(site.database, users));
    assert.match(
      readFileSync(join(plan.newPath, 'wp-config.php'), 'utf8'),
      new RegExp(`'DB_NAME', *'${made?.newName}'`),
    );
    const keysOf = (directory: string): readonly string[] =>
      [...readFileSync(join(directory, 'wp-config.php'), 'utf8').matchAll(/'(?:\w+_KEY|\w+_SALT)', *'([^']+)'/g)].map(
        (found) => found[1] ?? '',
      );
    const [origins, clones] = [keysOf(site.path), keysOf(plan.newPath)];
    assert.deepEqual([origins.length, clones.length], [8, 8]);
    assert.equal(new Set([...origins, ...clones]).size, 16, 'what was signed for the origin is nothing to the clone');
    await assertSame(test.host, site, now);
  });

  it('stock restic restores the identical tree and finds no error in any byte', async () => {
    const now = observeTree(site.path);
    const { point: fresh } = await test.backUp(site);
    const listed = await runRestic(test.host, ['snapshots', '--json', '--tag', `point:${fresh}`]);
    assert.equal(listed.exit, 0, listed.complaint);
    const snapshots = JSON.parse(listed.output) as readonly { id: string; tags: readonly string[] }[];
    assert.equal(snapshots.length, 1);
    const tags = snapshots[0]?.tags ?? [];
    assert.ok(tags.includes('salvor') && tags.includes(`site:${site.uri}`) && tags.includes('account:o1'), tags.join());

    const target = join(test.host.directory, 'by-restic');
    const restored = await runRestic(test.host, ['restore', snapshots[0]?.id ?? '', '--target', target]);
    assert.equal(restored.exit, 0, restored.complaint);
    assertSameTree(now, observeTree(join(target, 'site')));
    rmSync(target, { recursive: true });

    const checked = await runRestic(test.host, ['check', '--read-data']);
    assert.equal(checked.exit, 0, checked.output + checked.complaint);
    assert.match(checked.output, /no errors were found/);
  });
});

function tablesOf(database: ReadonlyMap<string, string>): string[] {
  return [...database.keys()].filter((key) => key.startsWith('table '));
}
