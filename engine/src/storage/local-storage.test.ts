import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { openWorkplace } from '../../test/fixtures.ts';
import { openLocalStorage } from './local-storage.ts';
import { FileMissing } from './storage.ts';

const idOf = (text: string): string => createHash('sha256').update(text).digest('hex');

describe('local storage', () => {
  it('gives back what was saved, whole and in parts, lists it once, and removes it twice without complaint', async () => {
    using place = openWorkplace();
    const storage = openLocalStorage(place.path);
    await storage.create();
    for (const kind of ['data', 'index', 'snapshots', 'keys', 'locks'] as const) {
      const file = { kind, id: idOf(kind) };
      await storage.save(file, Buffer.from('0123456789'));
      await storage.save(file, Buffer.from('0123456789'));
      assert.equal((await storage.load(file)).toString(), '0123456789');
      assert.equal((await storage.load(file, { offset: 3, length: 4 })).toString(), '3456');
      assert.deepEqual(await storage.list(kind), [{ id: file.id, bytes: 10 }]);
      assert.equal(await storage.size(file), 10);
      await storage.remove(file);
      await storage.remove(file);
      assert.deepEqual(await storage.list(kind), []);
      assert.equal(await storage.size(file), null);
      await assert.rejects(storage.load(file), FileMissing);
    }
  });

  it('fails rather than give fewer bytes than were asked for', async () => {
    using place = openWorkplace();
    const storage = openLocalStorage(place.path);
    await storage.create();
    const file = { kind: 'index', id: idOf('x') } as const;
    await storage.save(file, Buffer.from('short'));
    await assert.rejects(storage.load(file, { offset: 3, length: 4 }), { code: 'storage-failed' });
  });

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

  it('takes no name that is not an id', async () => {
    using place = openWorkplace();
    const storage = openLocalStorage(place.path);
    await assert.rejects(storage.load({ kind: 'keys', id: '../config' }), { code: 'storage-failed' });
  });
});
