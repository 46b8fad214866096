import assert from 'node:assert/strict';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { buildHost, type DemoHost, type DemoSite } from './host.ts';
import { differences, observeDatabase, observePage, observeTree } from './observe-site.ts';

describe('the demo host', () => {
  let host: DemoHost;
  before(async () => {
    host = await buildHost({ withDrupal7: true, posts: 3, nodes: 20, files: 20 });
    await host.serve();
  });
  after(() => host[Symbol.asyncDispose]());

  it('carries a WordPress and Drupal-shaped sites that answer, the same at every look', async () => {
    assert.deepEqual(
      host.sites.map((site) => site.uri),
      ['journal.example.org', 'harbour.example.org', 'market.example.org', 'archive.example.org'],
    );
    for (const site of host.sites) {
      await observePage(site.url);
      const page = await observePage(site.url);
      assert.equal(page.status, 200, site.uri);
      assert.equal((await observePage(site.url)).body, page.body);
    }
  });

  it('lies under one home that its account owns', () => {
    const owners = new Set([...observeTree(host.home).values()].map((file) => file.owner));
    const { uid, gid, webGid } = host.account;
    assert.deepEqual([...owners].toSorted(), [`${uid}:${gid}`, `${uid}:${webGid}`].toSorted());
  });

  it('never serves what is private', async () => {
    const site = host.site('harbour.example.org');
    for (const path of ['private/files/contracts/2024-quay.txt', 'settings.php', 'drushrc.php']) {
      assert.ok(existsSync(join(site.path, path)), path);
      assert.equal((await observePage(`${site.url}sites/${site.uri}/${path}`)).status, 403, path);
    }
    assert.equal((await observePage(`${site.url}sites/${site.uri}/files/pictures/6.png`)).status, 200);
  });

  for (const [uri, directory, table] of [
    ['journal.example.org', 'wp-content', 'wp_posts'],
    ['harbour.example.org', 'files', 'watchdog'],
    ['archive.example.org', 'modules', 'cache_menu'],
  ] as const) {
    it(`${uri} shows another page as soon as ${directory} or ${table} is missing`, async () => {
      const site = host.site(uri);
      const whole = await observePage(site.url);
      const path = join(site.path, directory);
      renameSync(path, `${path}.away`);
      assert.notEqual((await observePage(site.url)).body, whole.body);
      rmSync(path, { recursive: true, force: true });
      renameSync(`${path}.away`, path);
      await host.mariadb.query(`RENAME TABLE ${site.database}.${table} TO ${site.database}.away`);
      assert.notEqual((await observePage(site.url)).body, whole.body);
      await host.mariadb.query(`RENAME TABLE ${site.database}.away TO ${site.database}.${table}`);
    });
  }

  it('has the same content again for the same seed, and other content for another', async () => {
    const directory = join(host.directory, 'again');
    mkdirSync(directory);
    const sizes = { withoutWordPress: true, nodes: 20, files: 20 } as const;
    await using same = await buildHost({ ...sizes, directory: join(directory, 'same') });
    await using other = await buildHost({ ...sizes, directory: join(directory, 'other'), seed: 2 });
    const uri = 'harbour.example.org';
    const first = await contentOf(host, host.site(uri));
    assert.deepEqual(differences(first, await contentOf(same, same.site(uri))), []);
    assert.ok(differences(first, await contentOf(other, other.site(uri))).length > 10);
  });
});

/** Files but for those that name the directory they lie in, and every table. The tests above changed the time of `.`. */
async function contentOf(host: DemoHost, site: DemoSite): Promise<ReadonlyMap<string, unknown>> {
  const meant = new Set(['.', 'settings.php', 'drushrc.php']);
  const files = [...observeTree(site.path)].filter(([name]) => !meant.has(name));
  return new Map<string, unknown>([...files, ...(await observeDatabase(host.mariadb, site.database))]);
}
