/** Archives of real points: what Aegir's own commands make of them is the site. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { findSnapshot, listSnapshots } from '@salvor/engine';
import type { DemoSite } from '../../../demo/host.ts';
import { differences, observeSite, observeTree } from '../../../demo/observe-site.ts';
import { salvorPlaces } from '../../../demo/salvor-command.ts';
import { quoteName } from '../../../demo/sql.ts';
import { archiveNames } from '../../src/archives/archive-name.ts';
import { openDirectorySink } from '../../src/archives/directory-sink.ts';
import { type WrittenArchive, writeArchive } from '../../src/archives/write-archive.ts';
import { type OpenPoint, openPoint, pointTagOf } from '../../src/points/open-point.ts';
import { sourceOfPoint } from '../../src/points/point-source.ts';
import { openAccountRepository } from '../../src/points/repositories.ts';
import { type TestHost, lookAt, openTestHost } from './open-test-host.ts';

describe('an archive of a point', () => {
  let test: TestHost;
  let out: string;

  before(async () => {
    test = await openTestHost({ posts: 6, nodes: 30, files: 20 });
    out = join(test.host.directory, 'out');
    mkdirSync(out);
  });
  after(() => test[Symbol.asyncDispose]());

  /** The point of a fresh backup, and its archive. */
  async function archive(site: DemoSite): Promise<WrittenArchive> {
    const { point } = await test.backUp(site);
    const { stateDir, repositories } = salvorPlaces(test.host);
    const places = { state: stateDir, local: repositories, remote: null };
    await using opened = await openAccountRepository(places, test.host.account.name, 'local');
    const { snapshots } = await listSnapshots(opened.repository);
    const id = snapshots.find((snapshot) => pointTagOf(snapshot) === point)?.id ?? '';
    return await write(await openPoint(opened.repository, await findSnapshot(opened.repository, id)), site);
  }

  async function write({ manifest, view }: OpenPoint, site: DemoSite): Promise<WrittenArchive> {
    await using sink = await openDirectorySink({ directory: out, mode: 0o640, randomBytes });
    const { account, platform, time } = manifest;
    const about = {
      uri: site.uri,
      time,
      point: manifest.point,
      task: manifest.task,
      reason: manifest.reason,
      host: manifest.host,
      account: account.name,
      site: { path: manifest.site.path, cms: manifest.site.cms, version: manifest.site.version },
      platform,
      tools: manifest.tools,
    };
    return await writeArchive(
      sourceOfPoint({ manifest, view }),
      {
        about,
        excludes: [],
        secrets: { passwords: [site.password], open: [site.database, site.user, site.uri, 'localhost'] },
        passwords: 'replaced',
        modules: null,
        drushrc: {
          uri: site.uri,
          db_type: 'mysql',
          db_name: site.database,
          db_user: site.user,
          db_host: 'localhost',
          db_port: '3306',
        },
        compression: 'gzip',
        names: archiveNames(site.uri, new Date(time), 'gzip'),
      },
      sink,
      { scratch: out, signal: new AbortController().signal },
    );
  }

  for (const uri of ['journal.example.org', 'harbour.example.org', 'market.example.org']) {
    it(`${uri}, unpacked by gunzip and tar and loaded by the stock client, is the site of the point and answers`, async () => {
      const site = test.host.site(uri);
      const original = await lookAt(test.host, site);
      assert.equal(original.page.status, 200);
      const written = await archive(site);
      assert.deepEqual(written.problems, []);
      const file = join(out, written.name);
      assert.equal(execFileSync('gunzip', ['-c', file], { maxBuffer: 1 << 30 }).includes(site.password), false);

      // What is there now goes, all of it; what Aegir does then are these three commands.
      for (const name of readdirSync(site.path)) rmSync(join(site.path, name), { recursive: true });
      await test.host.mariadb.query(
        `DROP DATABASE ${quoteName(site.database)}; CREATE DATABASE ${quoteName(site.database)} CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;`,
      );
      execFileSync('sh', ['-c', 'gunzip -c "$1" | tar pxf - -C "$2"', 'sh', file, site.path]);
      const login = ['--no-defaults', `--socket=${test.host.mariadb.socket}`, `--user=${site.user}`, site.database];
      execFileSync('mariadb', login, {
        input: readFileSync(join(site.path, 'database.sql')),
        env: { PATH: process.env['PATH'], MYSQL_PWD: site.password },
      });
      rmSync(join(site.path, 'database.sql'));

      const settings = ['wp-config.php', 'settings.php', 'drushrc.php'].filter((name) => original.site.files.has(name));
      const restored = await observeSite(test.host, site);
      const own = ['.salvor-archive.json', '.salvor-manifest.json', '.salvor-sha256'];
      const added = [...own, ...(original.site.files.has('drushrc.php') ? [] : ['drushrc.php'])];
      const found = differences(original.site.files, restored.files, (name, was, is) => {
        const isChanged =
          name === '.'
            ? is.mode === was.mode && is.owner === was.owner
            : settings.includes(name) && is.mode === was.mode && is.owner === was.owner && is.mtimeNs === was.mtimeNs;
        return isChanged;
      });
      assert.deepEqual(
        found,
        added.map((name) => `new: ${name}`),
      );
      assert.deepEqual(differences(original.site.database, restored.database), []);

      // Aegir writes settings with its own log-in: here the old one goes back to where it was taken from.
      for (const name of settings) {
        const text = readFileSync(join(site.path, name), 'utf8').replaceAll(
          'password-removed-by-salvor',
          site.password,
        );
        writeFileSync(join(site.path, name), text);
      }
      const now = await lookAt(test.host, site);
      assert.deepEqual([now.page.status, now.page.body], [200, original.page.body]);
    });
  }

  it('holds what the site has moved out in its place, and says where it lay', async () => {
    const site = test.host.site('market.example.org');
    const target = join(test.host.home, 'static/files/market.example.org.files');
    mkdirSync(join(test.host.home, 'static/files'));
    renameSync(join(site.path, 'files'), target);
    symlinkSync(target, join(site.path, 'files'));
    const written = await archive(site);
    assert.deepEqual(written.manifest.about.moved, [{ path: 'files', target }]);
    const into = join(out, 'moved');
    mkdirSync(into);
    execFileSync('tar', ['-xpzf', join(out, written.name), '-C', into]);
    const [before, after] = [observeTree(target), observeTree(join(into, 'files'))];
    assert.ok(before.size > 10);
    assert.deepEqual(differences(before, after), []);
  });
});
