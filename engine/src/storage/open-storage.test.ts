import assert from 'node:assert/strict';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { openWorkplace } from '../../test/fixtures.ts';
import { FaultStorage } from '../../test/storage/fault-storage.ts';
import { startSshd } from '../../test/storage/test-sshd.ts';
import { TestTimers } from '../../test/storage/test-timers.ts';
import { openMemoryStorage } from './memory-storage.ts';
import { openStorage } from './open-storage.ts';
import { parseStorageUrl } from './parse-storage-url.ts';
import { CONFIG_FILE } from './storage.ts';
import { testConnection } from './connection-test.ts';

describe('addresses of storages', () => {
  it('are read as restic reads them', () => {
    const sftp = { kind: 'sftp', host: 'example.org', user: 'me' };
    for (const [url, address] of [
      ['/srv/backup', { kind: 'local', path: '/srv/backup' }],
      ['relative/dir', { kind: 'local', path: 'relative/dir' }],
      ['local:/srv/backup', { kind: 'local', path: '/srv/backup' }],
      ['file:///srv/back up', { kind: 'local', path: '/srv/back up' }],
      ['/with:colon', { kind: 'local', path: '/with:colon' }],
      ['sftp:me@example.org:/srv/restic', { ...sftp, path: '/srv/restic' }],
      ['sftp:me@example.org:below/home', { ...sftp, path: 'below/home' }],
      ['sftp:example.org:/srv', { kind: 'sftp', host: 'example.org', path: '/srv' }],
      ['sftp:me@[::1]:/srv', { ...sftp, host: '::1', path: '/srv' }],
      ['sftp://me@example.org//srv/restic', { ...sftp, path: '/srv/restic' }],
      ['sftp://me@example.org/below/home', { ...sftp, path: 'below/home' }],
      ['sftp://me@example.org:2222//srv', { ...sftp, port: 2222, path: '/srv' }],
      ['sftp://me@[2001:db8::1]:2222//srv', { ...sftp, host: '2001:db8::1', port: 2222, path: '/srv' }],
      ['sftp://me@example.org//with%20space', { ...sftp, path: '/with space' }],
    ] as const)
      assert.deepEqual(parseStorageUrl(url), address, url);
  });

  it('are refused with a code where they are none, and a password in them is not repeated', () => {
    for (const url of [
      '',
      'local:',
      'file://host/path',
      's3:https://host/bucket',
      'rest:https://host/',
      'sftp:',
      'sftp:host',
      'sftp:host:',
      'sftp://host',
      'sftp://host/',
      'sftp:me@-oProxyCommand=x:/srv',
      'sftp://me:Passw0rd@host//srv',
      'sftp:me:Passw0rd@host:/srv',
      'sftp://me@host//srv?x',
      'sftp://me@host//%zz',
      '/srv/\0x',
    ])
      assert.throws(
        () => parseStorageUrl(url),
        (error: Error & { code?: string }) => error.code === 'storage-url' && !error.message.includes('Passw0rd'),
        url,
      );
    assert.throws(() => openStorage('sftp:me@host:/srv'), { code: 'storage-url' });
  });
});

describe('an opened storage', () => {
  it('reaches a server through all of its wrappers, and comes back after a loss by itself', async () => {
    using place = openWorkplace();
    await using sshd = await startSshd();
    const { privateKeyFile, trust, user } = sshd.login;
    const retries: string[] = [];
    await using storage = openStorage(`sftp://${user}@127.0.0.1:${sshd.port}/${place.path}/r`, {
      ssh: { privateKeyFile, trust },
      limits: { uploadBytesPerSecond: 500_000_000, calls: 4 },
      cache: { directory: join(place.path, 'cache') },
      random: () => 0,
      onRetry: ({ error }) => retries.push(error.code),
    });
    assert.deepEqual(await testConnection(storage), { isUsable: true, hasRepository: false });
    await storage.save(CONFIG_FILE, Buffer.from('config'));
    let told = 0;
    const onBytes = (): void => {
      if (++told === 20) sshd.dropConnections();
    };
    const id = 'b'.repeat(64);
    await storage.save({ kind: 'data', id }, Buffer.alloc(4_000_000), { onBytes });
    assert.deepEqual(retries, ['storage-unreachable']);
    assert.equal(await storage.size({ kind: 'data', id }), 4_000_000);
    assert.deepEqual(await testConnection(storage), { isUsable: true, hasRepository: true });
    assert.doesNotMatch(storage.location, /user$/);
  });

  it('in a directory is cached and limited where that is asked for', async () => {
    using place = openWorkplace();
    mkdirSync(join(place.path, 'r'));
    const timers = new TestTimers({ passesBySleeping: true });
    await using storage = openStorage(join(place.path, 'r'), { timers, limits: { uploadBytesPerSecond: 1_000_000 } });
    await storage.save(CONFIG_FILE, Buffer.alloc(2_000_000));
    assert.ok(timers.now() > 1000);
    assert.deepEqual(readdirSync(join(place.path, 'r')), ['config']);
  });
});

describe('the test of a connection', () => {
  it('names the step that failed, with what to do, and leaves nothing behind', async () => {
    for (const [at, step] of [
      [1, 'connect'],
      [2, 'write'],
      [3, 'read'],
      [4, 'read'],
      [5, 'list'],
      [6, 'delete'],
      [7, 'delete'],
    ] as const) {
      const inner = openMemoryStorage();
      const verdict = await testConnection(new FaultStorage(inner, 'fail', at));
      assert.equal(verdict.isUsable, false);
      assert.ok(!verdict.isUsable && verdict.step === step && verdict.hint !== '' && verdict.leftBehind === null);
      assert.deepEqual(await inner.list('data'), []);
    }
  });

  it('does not take a storage for good that gives other bytes, fewer, or does not list what it took', async () => {
    for (const [fault, at, step] of [
      ['flip', 1, 'read'],
      ['short', 1, 'read'],
      ['short', 2, 'read'],
      ['stale', 1, 'list'],
      ['full', 1, 'write'],
    ] as const) {
      const verdict = await testConnection(new FaultStorage(openMemoryStorage(), fault, at));
      assert.ok(!verdict.isUsable && verdict.step === step, fault);
      assert.equal(verdict.code, fault === 'full' ? 'storage-full' : 'storage-failed');
    }
  });

  it('names its own file where that could not be removed', async () => {
    const inner = openMemoryStorage();
    const remove = async (): Promise<void> => undefined;
    const verdict = await testConnection(Object.assign(inner, { remove }));
    const [left] = await inner.list('data');
    assert.ok(!verdict.isUsable && verdict.step === 'delete' && verdict.leftBehind === `data/${left?.id}`);
  });

  it('is not a verdict where it was cancelled', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await assert.rejects(testConnection(openMemoryStorage(), { signal }), { code: 'cancelled' });
  });
});
