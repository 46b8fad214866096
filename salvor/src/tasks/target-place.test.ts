import assert from 'node:assert/strict';
import { chmodSync, lchownSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { STRANGER, TENANT, type TenantHome, makeTenantHome } from '../lib/beneath/test-tenant.ts';
import { locateTarget } from './target-place.ts';

describe('who writes to a directory', () => {
  let tenant: TenantHome;
  before(async () => {
    tenant = await makeTenantHome();
  });
  after(() => tenant[Symbol.asyncDispose]());
  const locate = (...path: string[]): ReturnType<typeof locateTarget> => locateTarget(join(...path), [TENANT]);

  test('is we ourselves where only root can put something in the way, links of root’s followed', () => {
    mkdirSync(join(tenant.top, 'root'));
    symlinkSync('root', join(tenant.top, 'link'));
    assert.deepEqual(locate(tenant.top, 'root'), { by: 'us', directory: join(tenant.top, 'root') });
    assert.deepEqual(locate(tenant.top, 'link/new'), { by: 'us', directory: join(tenant.top, 'root/new') });
    assert.deepEqual(locate(tenant.top, 'missing/new'), { by: 'us', directory: join(tenant.top, 'missing/new') });
  });

  test('is the account’s user from the first directory on that is his, and nothing beyond it is looked at', () => {
    symlinkSync('/etc', join(tenant.home, 'out'));
    symlinkSync(tenant.home, join(tenant.top, 'home-link'));
    const found = locate(tenant.top, 'home-link/out/new');
    assert.deepEqual(found, { by: 'account', user: TENANT, root: tenant.home, path: 'out/new' });
    assert.deepEqual(locate(tenant.home), { by: 'account', user: TENANT, root: tenant.home, path: null });
  });

  test('is nobody where the way leads through what is somebody else’s or open to others', () => {
    const foreign = join(tenant.top, 'of-a-stranger');
    mkdirSync(foreign);
    lchownSync(foreign, STRANGER.uid, STRANGER.gid);
    assert.throws(() => locate(foreign, 'new'), { code: 'target-unsafe', message: /belongs to user 61002/ });
    const open = join(tenant.top, 'open');
    mkdirSync(open);
    chmodSync(open, 0o777);
    assert.throws(() => locate(open, 'new'), { code: 'target-unsafe', message: /others can write in it/ });
    chmodSync(open, 0o1777);
    assert.equal(locate(open, 'new').by, 'us');
    symlinkSync('/etc', join(open, 'trap'));
    lchownSync(join(open, 'trap'), STRANGER.uid, STRANGER.gid);
    assert.throws(() => locate(open, 'trap/new'), { code: 'target-unsafe' });
    symlinkSync('loop', join(tenant.top, 'loop'));
    assert.throws(() => locate(tenant.top, 'loop/new'), { code: 'target-unsafe' });
  });
});
