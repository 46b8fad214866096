/** Keys of two copies rotated, killed at each step: at every instant the key file of the state opens the repository. */
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { generateKey, listKeys, openLocalStorage } from '@salvor/engine';
import { openStore } from '../store/open-store.ts';
import { HostPoints } from './host-points.ts';
import { ensureRecoveryKey, openWithRecoveryKey } from './recovery-key.ts';
import {
  type CopyName,
  type RepositoryPlaces,
  keyFileOf,
  listMade,
  openAccountRepository,
  repositoryUrlOf,
} from './repositories.ts';
import { rotateKey, rotateRecoveryKey } from './rotate-keys.ts';

const place = mkdtempSync(join(tmpdir(), 'salvor-rotate-'));
after(() => rmSync(place, { recursive: true, force: true }));

async function makeHost(name: string): Promise<RepositoryPlaces> {
  const remote = { url: join(place, name, 'remote'), identityFile: null, knownHosts: null };
  const places = { state: join(place, name, 'state'), local: join(place, name, 'local'), remote };
  await using store = await openStore(places.state);
  await using points = new HostPoints(places, store);
  assert.deepEqual((await points.repositories.ensure(['o1'])).problems, []);
  return places;
}

async function keysOf(places: RepositoryPlaces, copy: CopyName): Promise<readonly string[]> {
  await using opened = await openAccountRepository(places, 'o1', copy);
  const current = { kind: 'key', text: readFileSync(keyFileOf(places, 'o1', copy), 'utf8').trim() } as const;
  return (await listKeys(opened.repository, current)).keys.map(({ id }) => id);
}

const ALL = [
  { account: 'o1', copy: 'local' },
  { account: 'o1', copy: 'remote' },
] as const;

describe('the keys of an account', () => {
  for (const copy of ['local', 'remote'] as const)
    it(`are others after a rotation, in the ${copy} copy, and as many`, async () => {
      const places = await makeHost(`plain-${copy}`);
      assert.deepEqual(
        listMade(places, copy).map(({ account, url }) => [account, url]),
        [['o1', repositoryUrlOf(places, 'o1', copy)]],
      );
      const file = keyFileOf(places, 'o1', copy);
      const [text, before] = [readFileSync(file, 'utf8'), await keysOf(places, copy)];
      await rotateKey(places, 'o1', copy);
      const now = await keysOf(places, copy);
      assert.notEqual(readFileSync(file, 'utf8'), text);
      assert.equal(now.length, before.length);
      // The recovery key's stays.
      assert.equal(now.filter((id) => before.includes(id)).length, 1);
      assert.deepEqual(
        readdirSync(join(file, '..')).filter((name) => /^\.(next|old)-/.test(name)),
        [],
      );
      writeFileSync(file, text);
      await assert.rejects(openAccountRepository(places, 'o1', copy), { code: 'wrong-password' });
    });

  it('open the repository whatever a rotation was killed at, and the next one leaves none of the old', async () => {
    const places = await makeHost('killed');
    const file = keyFileOf(places, 'o1', 'local');
    const beside = (kind: string): string => join(file, '..', `.${kind}-o1`);
    // Killed between (1) and (2): a key that the repository does not know.
    writeFileSync(beside('next'), `${generateKey()}\n`, { mode: 0o600 });
    await rotateKey(places, 'o1', 'local');
    assert.equal((await keysOf(places, 'local')).length, 2);
    // Killed between (4) and (5): the old key is still in the repository, and known.
    const [old, before] = [readFileSync(file), await keysOf(places, 'local')];
    const stopped = AbortSignal.abort();
    await assert.rejects(rotateKey(places, 'o1', 'local', { signal: stopped }), { code: 'cancelled' });
    assert.deepEqual(readFileSync(file), old);
    copyFileSync(beside('next'), `${beside('next')}.kept`);
    await rotateKey(places, 'o1', 'local');
    const now = await keysOf(places, 'local');
    assert.equal(now.length, 2);
    assert.equal(now.filter((id) => before.includes(id)).length, 1);
    assert.deepEqual(readFileSync(file), readFileSync(`${beside('next')}.kept`), 'it went on with the same key');
    const [added] = now.filter((id) => !before.includes(id));
    // Killed between (3) and (4): what is written down as the old key is in force.
    writeFileSync(beside('old'), `${added}\n`, { mode: 0o600 });
    await rotateKey(places, 'o1', 'local');
    const last = await keysOf(places, 'local');
    assert.equal(last.length, 2);
    assert.ok(!last.includes(added ?? ''));
  });
});

describe('the recovery key', () => {
  it('is another after a rotation: the new one opens all repositories, the old one none, and the kit has the new one', async () => {
    const places = await makeHost('recovery');
    const old = ensureRecoveryKey(places.state);
    const kits: string[] = [];
    const writeKit = (key: string): string => {
      kits.push(key);
      return '/kit';
    };
    assert.equal(await rotateRecoveryKey(places, { accounts: ALL, writeKit }), '/kit');
    const key = ensureRecoveryKey(places.state);
    assert.notEqual(key, old);
    assert.deepEqual(kits, [key]);
    for (const { account, copy } of ALL) {
      const storage = openLocalStorage(repositoryUrlOf(places, account, copy));
      await openWithRecoveryKey(storage, key);
      await assert.rejects(openWithRecoveryKey(storage, old), { code: 'recovery-key-refused' });
      assert.equal((await keysOf(places, copy)).length, 2);
    }
  });

  it('stays what it was where a repository can not be reached, and nothing is taken from the others', async () => {
    const places = await makeHost('away');
    const old = ensureRecoveryKey(places.state);
    const writeKit = (): string => assert.fail('no kit of a key that is not in force');
    const missing = [...ALL, { account: 'o2', copy: 'remote' }] as const;
    await assert.rejects(rotateRecoveryKey(places, { accounts: missing, writeKit }), { code: 'key-unreadable' });
    assert.equal(ensureRecoveryKey(places.state), old);
    for (const { account, copy } of ALL)
      await openWithRecoveryKey(openLocalStorage(repositoryUrlOf(places, account, copy)), old);
    // The next one goes on, and one that was killed while the old keys left is finished by the one after it.
    await rotateRecoveryKey(places, { accounts: ALL, writeKit: () => '/kit' });
    const now = ensureRecoveryKey(places.state);
    writeFileSync(join(places.state, 'keys/.recovery.old'), `${old}\n`, { mode: 0o600 });
    await rotateRecoveryKey(places, { accounts: ALL, writeKit: () => '/kit' });
    assert.notEqual(ensureRecoveryKey(places.state), now);
    assert.equal(existsSync(join(places.state, 'keys/.recovery.old')), false);
    for (const { copy } of ALL) assert.equal((await keysOf(places, copy)).length, 2);
  });
});
