import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openWorkplace } from '../../test/fixtures.ts';
import { growingFileConformance, storageConformance } from '../../test/storage/storage-conformance.ts';
import { openLocalStorage } from './local-storage.ts';
import { signalStorage } from './signal-storage.ts';
import type { OpenedStorage } from '../../test/storage/storage-conformance.ts';
import type { Storage } from './storage.ts';

const idOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/** A repository's directory below `place`, which may have no temporary file left at the end. */
const openIn = (place: () => ReturnType<typeof openWorkplace>) => async (): Promise<OpenedStorage> => {
  const { path, [Symbol.dispose]: remove } = place();
  const open = (): Storage => openLocalStorage(join(path, 'new', 'repository'));
  return {
    storage: open(),
    reopen: open,
    [Symbol.asyncDispose]: async () => {
      const left = await temporaryFilesOf(path);
      remove();
      assert.deepEqual(left, []);
    },
  };
};

/** What is still there when calls that were let go have had their time to end by themselves. */
async function temporaryFilesOf(path: string): Promise<readonly string[]> {
  for (let tries = 0; ; tries++) {
    const left = readdirSync(path, { recursive: true, encoding: 'utf8' }).filter((name) => name.includes('-tmp-'));
    if (left.length === 0 || tries === 100) return left;
    await sleep(50);
  }
}

storageConformance('local', openIn(openWorkplace));
growingFileConformance('local', openIn(openWorkplace));
growingFileConformance('local, bound to a signal', async () => {
  const opened = await openIn(openWorkplace)();
  return { ...opened, storage: signalStorage(opened.storage, new AbortController().signal) };
});

describe('local storage', () => {
  it('passes over what is no file of a repository: temporary files, directories, other names', async () => {
    using place = openWorkplace();
    const storage = openLocalStorage(place.path);
    await storage.create();
    writeFileSync(join(place.path, 'snapshots', `${idOf('a')}-tmp-0011`), 'left by a crash');
    writeFileSync(join(place.path, 'snapshots', 'README'), '');
    mkdirSync(join(place.path, 'snapshots', idOf('b')));
    writeFileSync(join(place.path, 'data', 'lost+found'), '');
    assert.deepEqual(await storage.list('snapshots'), []);
    assert.deepEqual(await storage.list('data'), []);
  });

  it('leaves files that nobody may write and no temporary ones, in directories for the owner alone', async () => {
    using place = openWorkplace();
    const storage = openLocalStorage(join(place.path, 'new', 'repository'));
    await storage.create();
    await storage.save({ kind: 'data', id: idOf('d') }, Buffer.alloc(10));
    const directory = join(place.path, 'new', 'repository', 'data', idOf('d').slice(0, 2));
    assert.deepEqual(readdirSync(directory), [idOf('d')]);
    assert.equal(statSync(join(directory, idOf('d'))).mode & 0o777, 0o400);
    assert.equal(statSync(directory).mode & 0o777, 0o700);
  });

  it('fails where the system makes no directories, instead of trying for ever', async () => {
    await assert.rejects(openLocalStorage('/proc/nothing/here').create(), { code: 'storage-failed' });
  });
});
