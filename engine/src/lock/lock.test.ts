import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { makeRepository, openWorkplace, restic, tryRestic } from '../../test/fixtures.ts';
import type { Repository } from '../repository.ts';
import { encodeLock } from '../format/lock-file.ts';
import { sealUnpacked } from '../format/unpacked.ts';
import { saveHashed } from '../storage/load-verified.ts';
import { RepositoryLock } from './lock.ts';

/** Holds a lock while `work` runs. */
async function holding<T>(repository: Repository, kind: 'shared' | 'exclusive', work: () => Promise<T>): Promise<T> {
  return repository.withLock(kind, async (confirmed) => {
    await confirmed;
    return work();
  });
}

async function leaveLock(repository: Repository, lock: { pid: number; time: Date; hostname: string }): Promise<void> {
  const json = encodeLock({
    time: lock.time.toISOString(),
    exclusive: true,
    hostname: lock.hostname,
    username: 'root',
    pid: lock.pid,
  });
  await saveHashed(repository.storage, 'locks', sealUnpacked(repository.key, json));
}

const deadPid = (): number => spawnSync('true').pid ?? 0;

describe('locks', () => {
  it('let readers and writers in together and a lonely one neither with them nor before them', async () => {
    using place = openWorkplace();
    const repository = await makeRepository(place.path);
    await holding(repository, 'shared', async () => {
      await holding(repository, 'shared', async () => undefined);
      await assert.rejects(
        holding(repository, 'exclusive', async () => undefined),
        { code: 'repository-locked' },
      );
    });
    await holding(repository, 'exclusive', async () => {
      await assert.rejects(
        holding(repository, 'shared', async () => undefined),
        { code: 'repository-locked' },
      );
    });
    await holding(repository, 'exclusive', async () => undefined);
    assert.deepEqual(await repository.storage.list('locks'), []);
  });

  it('hold stock restic off, and its locks hold us off', async () => {
    using place = openWorkplace();
    const directory = join(place.path, 'r');
    const repository = await makeRepository(directory);
    await holding(repository, 'shared', async () => {
      assert.match(tryRestic(directory, ['prune']).stderr, /already locked/);
      restic(directory, ['snapshots']);
    });
    await holding(repository, 'exclusive', async () => {
      assert.match(tryRestic(directory, ['backup', '/etc/hostname']).stderr, /already locked exclusively/);
    });
    restic(directory, ['backup', '/etc/hostname']);
  });

  it('of processes of this machine that are dead are removed on the way', async () => {
    using place = openWorkplace();
    const repository = await makeRepository(place.path);
    await leaveLock(repository, { pid: deadPid(), time: new Date(), hostname: hostname() });
    await holding(repository, 'exclusive', async () => undefined);
    assert.deepEqual(await repository.storage.list('locks'), []);
  });

  it('of other machines count until they were not renewed for half an hour', async () => {
    using place = openWorkplace();
    const repository = await makeRepository(place.path);
    await leaveLock(repository, { pid: deadPid(), time: new Date(Date.now() - 29 * 60_000), hostname: 'another' });
    await assert.rejects(
      holding(repository, 'shared', async () => undefined),
      { code: 'repository-locked' },
    );
    for (const { id } of await repository.storage.list('locks')) await repository.storage.remove({ kind: 'locks', id });
    await leaveLock(repository, { pid: 1, time: new Date(Date.now() - 31 * 60_000), hostname: 'another' });
    await holding(repository, 'shared', async () => undefined);
  });

  it('are gone after a failure too', async () => {
    using place = openWorkplace();
    const repository = await makeRepository(place.path);
    await assert.rejects(
      holding(repository, 'shared', async () => Promise.reject(new Error('failed'))),
      /failed/,
    );
    assert.deepEqual(await repository.storage.list('locks'), []);
  });

  it('that were taken away from their holder are not written again, and say so (lock-lost)', async () => {
    using place = openWorkplace();
    const repository = await makeRepository(place.path);
    await using lock = await repository.lock('exclusive');
    await lock.requireHeld();
    for (const { id } of await repository.storage.list('locks')) await repository.storage.remove({ kind: 'locks', id });
    await assert.rejects(lock.requireHeld(), { code: 'lock-lost' });
    assert.deepEqual(await repository.storage.list('locks'), []);
  });

  it('of a machine that slept are renewed before they count, where nobody took them away', async () => {
    using place = openWorkplace();
    const opened = await makeRepository(place.path);
    let now = Date.now();
    const repository = {
      storage: opened.storage,
      key: opened.key,
      version: opened.version,
      clock: () => new Date(now),
    };
    await using lock = await RepositoryLock.acquire(repository, true);
    const [before] = await opened.storage.list('locks');
    now += 25 * 60_000;
    await lock.requireHeld();
    const [renewed] = await opened.storage.list('locks');
    assert.notEqual(renewed?.id, before?.id);
    now += 25 * 60_000;
    for (const { id } of await opened.storage.list('locks')) await opened.storage.remove({ kind: 'locks', id });
    await assert.rejects(lock.requireHeld(), { code: 'lock-lost' });
    assert.deepEqual(await opened.storage.list('locks'), []);
  });
});
