import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { KEY, makeCheapRepository, openWorkplace, restic } from '../test/cheap-repository.ts';
import { encodeLock } from './format/lock-file.ts';
import { sealUnpacked } from './format/unpacked.ts';
import type { Repository } from './repository.ts';
import { openRepository } from './repository.ts';
import { saveHashed } from './storage/load-verified.ts';
import { openLocalStorage } from './storage/local-storage.ts';
import { unlock } from './unlock.ts';

async function leave(repository: Repository, host: string, pid: number, minutesAgo: number): Promise<string> {
  const time = new Date(Date.now() - minutesAgo * 60_000).toISOString();
  const json = encodeLock({ time, exclusive: true, hostname: host, username: 'root', pid });
  return saveHashed(repository.storage, 'locks', sealUnpacked(repository.key, json));
}

describe('unlock', () => {
  it('removes locks of dead processes of this machine and old ones, and leaves held and foreign ones', async () => {
    using place = openWorkplace();
    const directory = join(place.path, 'r');
    const repository = await makeCheapRepository(directory);
    const dead = spawnSync('true').pid ?? 0;
    const stale = [await leave(repository, hostname(), dead, 0), await leave(repository, 'another', 1, 31)];
    const held = [await leave(repository, hostname(), 1, 0), await leave(repository, 'another', dead, 29)];
    const result = await unlock(repository);
    assert.deepEqual(result.removed.map(({ id }) => id).toSorted(), stale.toSorted());
    assert.deepEqual(result.left.map(({ id }) => id).toSorted(), held.toSorted());
    assert.deepEqual(new Set(result.left.map(({ record }) => record?.hostname)), new Set([hostname(), 'another']));
    // restic finds nothing stale after it.
    restic(directory, ['unlock']);
    assert.equal((await repository.storage.list('locks')).length, 2);
  });

  it('of restic neither ends a process that holds a lock of ours, nor takes the lock away', async () => {
    using place = openWorkplace();
    const directory = join(place.path, 'r');
    const repository = await makeCheapRepository(directory);
    await repository.withLock('shared', async (confirmed) => {
      await confirmed;
      // restic asks by SIGHUP whether this process is alive.
      restic(directory, ['unlock']);
      assert.equal((await repository.storage.list('locks')).length, 1);
    });
    assert.equal(process.listenerCount('SIGHUP'), 0);
  });

  it('removes all where that is asked for, those that can not be read too', async () => {
    using place = openWorkplace();
    const directory = join(place.path, 'r');
    const repository = await makeCheapRepository(directory);
    await leave(repository, 'another', 1, 0);
    writeFileSync(join(directory, 'locks', 'c'.repeat(64)), 'no lock');
    const some = await unlock(await openRepository(openLocalStorage(directory), KEY));
    assert.deepEqual([some.removed.length, some.left.filter(({ record }) => record === null).length], [0, 1]);
    assert.equal((await unlock(repository, { all: true })).removed.length, 2);
    restic(directory, ['check']);
  });
});
