import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { generateKey, initRepository, openLocalStorage } from '@salvor/engine';
import { adoptRepository } from './adopt-repository.ts';
import { ensureRecoveryKey, openWithRecoveryKey } from './recovery-key.ts';
import { keyFileOf, openAccountRepository } from './repositories.ts';

const place = mkdtempSync(join(tmpdir(), 'salvor-adopt-'));
after(() => rmSync(place, { recursive: true, force: true }));

const signal = new AbortController().signal;

/** A repository that opens by the key in `keyFile`, and by no recovery key yet. */
async function makeUnfinished(name: string, keyFile: string) {
  const places = { state: join(place, name), local: join(place, `${name}-repositories`), remote: null };
  const key = generateKey();
  const storage = openLocalStorage(join(places.local, 'o1'));
  const { id } = await initRepository(storage, { kind: 'key', text: key });
  mkdirSync(join(places.state, 'keys'), { recursive: true, mode: 0o700 });
  if (keyFile === 'own') writeFileSync(keyFileOf(places, 'o1', 'local'), `${key}\n`, { mode: 0o600 });
  if (keyFile === 'other') writeFileSync(keyFileOf(places, 'o1', 'local'), `${generateKey()}\n`, { mode: 0o600 });
  return { places, storage, id, recoveryKey: ensureRecoveryKey(places.state) };
}

describe('a repository that a killed recovery had made', () => {
  it('gets the key that the recovery key opens', async () => {
    const { places, storage, id, recoveryKey } = await makeUnfinished('unfinished', 'own');
    await assert.rejects(openWithRecoveryKey(storage, recoveryKey), { code: 'recovery-key-refused' });
    await adoptRepository(places, 'o1', 'local', { recoveryKey, signal });
    assert.equal((await openWithRecoveryKey(storage, recoveryKey)).id, id);
    await using opened = await openAccountRepository(places, 'o1', 'local');
    assert.equal(opened.repository.id, id);
  });

  it('is refused where this host has no key that opens it: then it is another host’s', async () => {
    for (const keyFile of ['none', 'other']) {
      const { places, recoveryKey } = await makeUnfinished(keyFile, keyFile);
      await assert.rejects(adoptRepository(places, 'o1', 'local', { recoveryKey, signal }), {
        code: 'recovery-key-refused',
      });
    }
  });
});
