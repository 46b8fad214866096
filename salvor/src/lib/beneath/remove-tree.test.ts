import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, linkSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { removeTree } from './remove-tree.ts';
import { openSpot } from './spot.ts';
import { type TenantHome, makeTenantHome, swapping } from './test-tenant.ts';

describe('removing a tree', () => {
  let tenant: TenantHome;
  let foreignBefore: string;
  before(async () => {
    tenant = await makeTenantHome();
    foreignBefore = tenant.observeForeign();
  });
  after(() => tenant[Symbol.asyncDispose]());

  const remove = async (name: string): Promise<void> => {
    using spot = openSpot(tenant.home, join(tenant.home, name));
    await removeTree(spot);
  };

  test('takes all of it, links as links, names of any bytes, and more than one reading gives', async () => {
    tenant.put('t');
    mkdirSync(join(tenant.home, 't/a/b/c'), { recursive: true });
    for (let i = 0; i < 1500; i++) writeFileSync(join(tenant.home, `t/a/f${i}`), '');
    for (let i = 0; i < 40; i++) mkdirSync(join(tenant.home, `t/d${i}`));
    writeFileSync(Buffer.concat([Buffer.from(`${tenant.home}/t/a/`), Buffer.from([0xff, 0x0a])]), '');
    symlinkSync(tenant.foreign, join(tenant.home, 't/a/out'));
    symlinkSync(join(tenant.foreign, 'secret'), join(tenant.home, 't/a/b/c/out'));
    execFileSync('mkfifo', [join(tenant.home, 't/a/pipe')]);
    await remove('t');
    assert.deepEqual(readdirSync(tenant.home), []);
    await remove('t');
    tenant.put('file', 'x');
    await remove('file');
    symlinkSync(tenant.foreign, join(tenant.home, 'link'));
    await remove('link');
    assert.deepEqual(readdirSync(tenant.home), []);
    assert.equal(tenant.observeForeign(), foreignBefore);
  });

  test('has no depth that it can’t reach, also beyond the longest path', async () => {
    tenant.put('deep');
    await using maker = await tenant.run(
      `chdir 'deep'; for (1..3000) { mkdir 'dddd'; chdir 'dddd' or die $!; } open my $f, '>', 'end'; print "done\\n"; sleep 60;`,
    );
    assert.equal(maker.firstLine, 'done');
    await remove('deep');
    assert.deepEqual(readdirSync(tenant.home), []);
  });

  test('stops at a mount and leaves what is on it', async () => {
    tenant.put('m');
    mkdirSync(join(tenant.home, 'm/mounted'));
    execFileSync('mount', ['--bind', tenant.foreign, join(tenant.home, 'm/mounted')]);
    try {
      await assert.rejects(remove('m'), { code: 'path-leads-out', message: /a mount stands in the way/ });
      assert.equal(tenant.observeForeign(), foreignBefore);
    } finally {
      execFileSync('umount', [join(tenant.home, 'm/mounted')]);
    }
    await remove('m');
    assert.ok(!existsSync(join(tenant.home, 'm')));
  });

  test('of a tenant who swaps its directories for links to elsewhere takes his and nothing else', async () => {
    linkSync(join(tenant.foreign, 'inner/file'), join(tenant.foreign, 'again'));
    const before = tenant.observeForeign();
    const begun = Date.now();
    for (let round = 0; round < 4 || Date.now() < begun + 1500; round++) {
      tenant.put('t');
      for (const name of ['t/a', 't/a/inner', 't/b']) tenant.put(name);
      for (let i = 0; i < 50; i++) tenant.put(`t/a/inner/f${i}`, '');
      await using racer = await tenant.run(`chdir 't'; ${swapping('a', tenant.foreign)}`);
      // What he has away at the end of it may come too late to be seen.
      await remove('t').catch((error: unknown) => assert.equal((error as { code: string }).code, 'tree-in-use'));
      void racer;
      assert.equal(tenant.observeForeign(), before);
      await racer[Symbol.asyncDispose]();
      await remove('t');
      assert.deepEqual(readdirSync(tenant.home), []);
    }
  });

  test('can be cancelled', async () => {
    tenant.put('c');
    for (let i = 0; i < 1100; i++) writeFileSync(join(tenant.home, `c/f${i}`), '');
    using spot = openSpot(tenant.home, join(tenant.home, 'c'));
    const reason = new Error('enough');
    await assert.rejects(removeTree(spot, { signal: AbortSignal.abort(reason) }), reason);
    await removeTree(spot);
  });
});
