import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { PASSWORD, openWorkplace, restic } from '../test/fixtures.ts';
import { addKey, changePassword, listKeys, removeKey } from './keys.ts';
import { initRepository, openRepository } from './repository.ts';
import { generateKey } from './seal/password.ts';
import type { Secret } from './seal/password.ts';
import { openLocalStorage } from './storage/local-storage.ts';

const KEY: Secret = { kind: 'key', text: generateKey() };
const CHOSEN: Secret = { kind: 'password', text: 'chosen by a person' };

describe('keys', () => {
  it('made by us open with restic, and those of restic with us', async () => {
    using place = openWorkplace();
    const directory = join(place.path, 'r');
    const repository = await initRepository(openLocalStorage(directory), KEY);
    const id = await addKey(repository, CHOSEN, { username: 'anna', hostname: 'elsewhere' });
    restic(directory, ['snapshots'], CHOSEN.text);
    assert.match(restic(directory, ['key', 'list'], CHOSEN.text), new RegExp(`\\*${id.slice(0, 8)} +anna +elsewhere`));
    const file = join(place.path, 'new-password');
    writeFileSync(file, PASSWORD);
    restic(directory, ['key', 'add', '--new-password-file', file], KEY.text);
    const opened = await openRepository(openLocalStorage(directory), PASSWORD);
    const { keys, damaged } = await listKeys(opened, { kind: 'password', text: PASSWORD });
    assert.deepEqual([keys.length, damaged.length], [3, 0]);
    assert.equal(keys.filter(({ isCurrent }) => isCurrent).length, 1);
    assert.equal(keys.find(({ isCurrent }) => isCurrent)?.id === id, false);
    assert.equal(keys.find((key) => key.id === id)?.username, 'anna');
  });

  it('go when they are named, but not the one in use, which is the last at the end', async () => {
    using place = openWorkplace();
    const directory = join(place.path, 'r');
    const repository = await initRepository(openLocalStorage(directory), KEY);
    const other: Secret = { kind: 'key', text: generateKey() };
    const id = await addKey(repository, other);
    const [own] = (await listKeys(repository, KEY)).keys.filter(({ isCurrent }) => isCurrent);
    await assert.rejects(removeKey(repository, own?.id ?? '', KEY), { code: 'key-in-use' });
    await assert.rejects(removeKey(repository, 'not an id', KEY), { code: 'key-unknown' });
    await assert.rejects(removeKey(repository, 'f'.repeat(64), KEY), { code: 'key-unknown' });
    assert.equal(await removeKey(repository, id.slice(0, 10), KEY), id);
    await assert.rejects(openRepository(openLocalStorage(directory), other), { code: 'wrong-password' });
    await assert.rejects(removeKey(repository, own?.id ?? '', KEY), { code: 'key-in-use' });
    assert.equal((await listKeys(repository, KEY)).keys.length, 1);
  });

  it('that are damaged are named, and may be removed', async () => {
    using place = openWorkplace();
    const directory = join(place.path, 'r');
    const repository = await initRepository(openLocalStorage(directory), KEY);
    const damaged = 'a'.repeat(64);
    writeFileSync(join(directory, 'keys', damaged), 'no key');
    const list = await listKeys(repository, KEY);
    assert.deepEqual([list.keys.length, list.damaged.map(({ code }) => code)], [1, ['key-damaged']]);
    assert.equal(await removeKey(repository, damaged, KEY), damaged);
  });
});

describe('a change of the password', () => {
  it('makes the new one valid for us and restic, and the old one not', async () => {
    using place = openWorkplace();
    const directory = join(place.path, 'r');
    const repository = await initRepository(openLocalStorage(directory), KEY);
    const { added, removed } = await changePassword(repository, KEY, CHOSEN);
    assert.notEqual(added, removed);
    await assert.rejects(openRepository(openLocalStorage(directory), KEY), { code: 'wrong-password' });
    restic(directory, ['check'], CHOSEN.text);
    await assert.rejects(changePassword(repository, KEY, CHOSEN), { code: 'wrong-password' });
  });

  it('that fails to save the new key leaves the old one valid', async () => {
    using place = openWorkplace();
    const directory = join(place.path, 'r');
    const repository = await initRepository(openLocalStorage(directory), KEY);
    const { storage } = repository;
    const save = storage.save.bind(storage);
    storage.save = async (file, bytes) => {
      if (file.kind === 'keys') throw new Error('full');
      return save(file, bytes);
    };
    await assert.rejects(changePassword(repository, KEY, CHOSEN), /full/);
    restic(directory, ['check'], KEY.text);
    rmSync(directory, { recursive: true });
  });
});
