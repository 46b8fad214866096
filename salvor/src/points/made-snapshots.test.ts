import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { PIN_TAG, backup, generateKey, initRepository, openMemoryStorage, tag } from '@salvor/engine';
import { openStore } from '../store/open-store.ts';
import { followMade, readMade, rememberMade } from './made-snapshots.ts';

describe('what this host made', () => {
  it('is known of a snapshot whose pin has ended, too, before the one that it had been is gone', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'salvor-made-'));
    try {
      await using store = await openStore(directory);
      const repository = await initRepository(openMemoryStorage(), { kind: 'key', text: generateKey() });
      const { snapshots } = await backup({
        source: [{ kind: 'stream', name: 'a', open: async function* () {} }],
        repositories: [repository],
        paths: ['/a'],
        tags: [PIN_TAG],
        workers: 1,
      });
      const old = snapshots[0]?.id ?? '';
      await rememberMade(store, [{ snapshot: old, account: 'o1', copy: 'local', point: 'p', complete: 1 }]);
      const { changed } = await tag(repository, {
        change: { remove: [PIN_TAG] },
        onSaved: async (change) => {
          await followMade(store, change);
          assert.equal((await repository.storage.list('snapshots')).length, 2);
        },
      });
      const now = changed[0]?.new ?? '';
      const made = await readMade(store, 'o1', 'local');
      assert.deepEqual([made.get(old), made.get(now), made.size], [true, true, 2]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('is nothing of a snapshot that somebody else made, whatever took its place', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'salvor-made-'));
    try {
      await using store = await openStore(directory);
      await followMade(store, { old: 'theirs', new: 'theirs too' });
      assert.equal((await readMade(store, 'o1', 'local')).size, 0);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
