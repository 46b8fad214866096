import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, linkSync, lstatSync, mkdirSync, renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { getXattr, listXattrs } from '@salvor/engine/libc';
import { hold, removeAttribute, setAttribute, setMode, setOwner, setTimes } from './held.ts';
import { type OpenDirectory, openRoot } from './open-directory.ts';
import { type Spot, spotIn } from './spot.ts';
import { STRANGER, TENANT, type TenantHome, makeTenantHome } from './test-tenant.ts';

const OWNERS = [TENANT.uid];

describe('a held file', () => {
  let tenant: TenantHome;
  let home: OpenDirectory;
  let foreignBefore: string;
  before(async () => {
    tenant = await makeTenantHome();
    home = openRoot(tenant.home);
    // Hard links out, as a tenant makes them where the kernel does not forbid it.
    linkSync(join(tenant.foreign, 'secret'), join(tenant.home, 'shadow'));
    foreignBefore = tenant.observeForeign();
  });
  after(async () => {
    home[Symbol.dispose]();
    await tenant[Symbol.asyncDispose]();
  });
  const at = (name: string): Spot => spotIn(home, name);
  const holding = (name: string, work: (held: NonNullable<ReturnType<typeof hold>>) => void): void => {
    using held = hold(at(name), OWNERS);
    assert.ok(held !== null);
    work(held);
  };

  test('gets owner, mode, times to the nanosecond and attributes', () => {
    const path = tenant.put('file', 'x');
    holding('file', (held) => {
      setOwner(held, { uid: TENANT.uid, gid: STRANGER.gid });
      setMode(held, 0o640);
      setAttribute(held, 'user.note', Buffer.from('n'));
      setTimes(held, { accessNs: 1_000_000_001n, modifiedNs: 1_700_000_000_123_456_789n });
    });
    const stat = lstatSync(path, { bigint: true });
    assert.deepEqual([stat.uid, stat.gid, stat.mode & 0o7777n], [61_001n, 61_002n, 0o640n]);
    assert.deepEqual([stat.atimeNs, stat.mtimeNs], [1_000_000_001n, 1_700_000_000_123_456_789n]);
    assert.equal(getXattr(path, 'user.note').toString(), 'n');
    holding('file', (held) => removeAttribute(held, 'user.note'));
    assert.deepEqual(listXattrs(path), []);
  });

  test('is the same one when a link takes its name meanwhile', () => {
    tenant.put('victim', 'x');
    holding('victim', (held) => {
      renameSync(join(tenant.home, 'victim'), join(tenant.home, 'victim.away'));
      symlinkSync(join(tenant.foreign, 'secret'), join(tenant.home, 'victim'));
      setOwner(held, { uid: TENANT.uid, gid: STRANGER.gid });
      setMode(held, 0o604);
      setTimes(held, { accessNs: 0n, modifiedNs: 0n });
      setAttribute(held, 'user.a', Buffer.from('b'));
    });
    const away = lstatSync(join(tenant.home, 'victim.away'));
    assert.deepEqual([away.gid, away.mode & 0o7777, away.mtimeMs], [61_002, 0o604, 0]);
    assert.equal(tenant.observeForeign(), foreignBefore);
  });

  test('that is a link is changed itself and never what it points to', () => {
    const path = join(tenant.home, 'link');
    execFileSync('ln', ['-s', join(tenant.foreign, 'secret'), path]);
    execFileSync('chown', ['-h', `${TENANT.uid}:${TENANT.gid}`, path]);
    holding('link', (held) => {
      setOwner(held, { uid: TENANT.uid, gid: STRANGER.gid });
      setMode(held, 0o777);
      setTimes(held, { accessNs: 5n, modifiedNs: 7n });
    });
    const stat = lstatSync(path, { bigint: true });
    assert.deepEqual([stat.gid, stat.mtimeNs], [61_002n, 7n]);
    assert.equal(tenant.observeForeign(), foreignBefore);
  });

  test('never is one of another user: a hard link out is refused by name and owner', () => {
    assert.throws(() => hold(at('shadow'), OWNERS), {
      code: 'file-foreign',
      message: /shadow .* belongs to user 0 \(2 names\)/,
    });
    assert.equal(hold(at('nothing'), OWNERS), null);
    assert.equal(tenant.observeForeign(), foreignBefore);
  });

  test('gets no setuid or setgid bit, nor the attributes that are as much; a directory keeps setgid', () => {
    const file = tenant.put('tool', '#!/bin/sh\n');
    const directory = tenant.put('shared');
    holding('tool', (held) => {
      setMode(held, 0o6755);
      for (const name of ['security.capability', 'trusted.x', 'system.other'])
        assert.throws(() => setAttribute(held, name, Buffer.from('x')), { code: 'attribute-refused' });
    });
    holding('shared', (held) => setMode(held, 0o6775));
    assert.equal(lstatSync(file).mode & 0o7777, 0o755);
    assert.equal(lstatSync(directory).mode & 0o7777, 0o2775);
    assert.deepEqual(listXattrs(file), []);
  });

  test('loses a setuid bit when it is given away', () => {
    const path = tenant.put('suid', 'x');
    chmodSync(path, 0o4755);
    holding('suid', (held) => setOwner(held, STRANGER));
    assert.equal(lstatSync(path).mode & 0o7777, 0o755);
  });

  test('of a tenant who swaps it for links and hard links out is his, or is refused', async () => {
    mkdirSync(join(tenant.home, 'race'));
    execFileSync('chown', ['-R', `${TENANT.uid}:${TENANT.gid}`, join(tenant.home, 'race')]);
    tenant.put('race/f', 'x');
    // Linked by root for him: the kernel of this machine may forbid it to him.
    linkSync(join(tenant.foreign, 'secret'), join(tenant.home, 'race/hard'));
    const before = tenant.observeForeign();
    using directory = openRoot(join(tenant.home, 'race'));
    await using racer = await tenant.run(`chdir 'race'; print "begun\\n"; while (1) {
      rename 'f', 'f2'; rename 'hard', 'f'; rename 'f', 'hard'; symlink '${tenant.foreign}/secret', 'f'; unlink 'f'; rename 'f2', 'f';
    }`);
    let set = 0;
    let refused = 0;
    const began = Date.now();
    // On a busy machine one side may sleep through the others' turns: until both were met.
    const isOver = (): boolean => Date.now() > began + (set > 0 && refused > 0 ? 700 : 10_000);
    while (!isOver()) {
      try {
        using held = hold(spotIn(directory, 'f'), OWNERS);
        if (held === null) continue;
        setOwner(held, TENANT);
        setMode(held, 0o666);
        setTimes(held, { accessNs: 0n, modifiedNs: 0n });
        set += 1;
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'file-foreign', String(error));
        refused += 1;
      }
    }
    assert.equal(racer.process.exitCode, null);
    assert.ok(set > 0 && refused > 0, `${set} set, ${refused} refused`);
    // Renaming one of its names changes the inode's ctime, which is the tenant's doing.
    const withoutTimes = (text: string): string => text.replaceAll(/ \d{19}/g, '');
    assert.equal(withoutTimes(tenant.observeForeign()), withoutTimes(before));
  });
});
