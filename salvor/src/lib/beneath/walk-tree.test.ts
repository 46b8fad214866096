import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { removeTree } from './remove-tree.ts';
import { openSpot } from './spot.ts';
import { type TenantHome, makeTenantHome, swapping } from './test-tenant.ts';
import { type TreeEntry, compareKeys, walkTree } from './walk-tree.ts';

describe('walking a tree', () => {
  let tenant: TenantHome;
  before(async () => {
    tenant = await makeTenantHome();
  });
  after(() => tenant[Symbol.asyncDispose]());

  const collect = async (walk: AsyncIterable<TreeEntry>): Promise<string[]> => {
    const paths: string[] = [];
    for await (const { path } of walk) paths.push(path);
    return paths;
  };

  test('gives parents before children in the order of their bytes, links as entries, and nothing of a root that is gone', async () => {
    tenant.put('t');
    for (const path of ['a', 'a/b', 'a.b', 'B']) mkdirSync(join(tenant.home, 't', path));
    for (const path of ['a/z', 'a/b/c', 'ä']) writeFileSync(join(tenant.home, 't', path), '');
    symlinkSync(tenant.foreign, join(tenant.home, 't/out'));
    const paths = await collect(walkTree(join(tenant.home, 't')));
    assert.deepEqual(paths, ['', 'B', 'a', 'a/b', 'a/b/c', 'a/z', 'a.b', 'out', 'ä']);
    assert.deepEqual(paths.toSorted(compareKeys), paths);
    assert.deepEqual(await collect(walkTree(join(tenant.home, 'gone'))), []);
    assert.deepEqual(await collect(walkTree(join(tenant.home, 'gone/gone'))), []);
    assert.deepEqual(await collect(walkTree(join(tenant.home, 't/a/z'))), ['']);
    using spot = openSpot(tenant.home, join(tenant.home, 't/a'));
    assert.deepEqual(await collect(walkTree(spot)), ['', 'b', 'b/c', 'z']);
  });

  test('enters a mount only where it may', async () => {
    tenant.put('m');
    mkdirSync(join(tenant.home, 'm/mounted'));
    execFileSync('mount', ['--bind', tenant.foreign, join(tenant.home, 'm/mounted')]);
    try {
      assert.deepEqual(await collect(walkTree(join(tenant.home, 'm'), { onOneMount: true })), ['', 'mounted']);
      assert.ok((await collect(walkTree(join(tenant.home, 'm')))).includes('mounted/secret'));
    } finally {
      execFileSync('umount', [join(tenant.home, 'm/mounted')]);
    }
  });

  test('ends with a code in a tree that is made to have no end', async () => {
    tenant.put('deep');
    await using maker = await tenant.run(
      `chdir 'deep'; for (1..1100) { mkdir 'd'; chdir 'd' or die $!; } print "done\\n"; sleep 60;`,
    );
    assert.equal(maker.firstLine, 'done');
    await assert.rejects(collect(walkTree(join(tenant.home, 'deep'))), { code: 'tree-too-deep' });
    using spot = openSpot(tenant.home, join(tenant.home, 'deep'));
    await removeTree(spot);
  });

  test('never leaves the tree of a tenant who swaps a directory for a link', async () => {
    tenant.put('w');
    tenant.put('w/d');
    tenant.put('w/d/mine', '');
    const foreign = tenant.observeForeign();
    await using racer = await tenant.run(`chdir 'w'; ${swapping('d', tenant.foreign)}`);
    const seen = new Set<string>();
    const begun = Date.now();
    while (Date.now() < begun + 700 || (seen.size < 5 && Date.now() < begun + 20_000))
      for (const path of await collect(walkTree(join(tenant.home, 'w')))) seen.add(path);
    assert.equal(racer.process.exitCode, null);
    assert.deepEqual([...seen].toSorted(), ['', 'd', 'd.away', 'd.away/mine', 'd/mine']);
    assert.equal(tenant.observeForeign(), foreign);
  });
});
