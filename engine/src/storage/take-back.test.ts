import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { FaultStorage } from '../../test/storage/fault-storage.ts';
import { openMemoryStorage } from './memory-storage.ts';
import type { FileHandle } from './storage.ts';
import { takeBack } from './take-back.ts';

const file: FileHandle = { kind: 'locks', id: 'a'.repeat(64) };

describe('what is taken back at the end of a verb', () => {
  it('is gone, or said to be there still', async () => {
    const storage = openMemoryStorage();
    await storage.save(file, Buffer.from('x'));
    assert.equal(await takeBack(new FaultStorage(storage, 'fail', 1), file, undefined), false);
    assert.equal(await takeBack(storage, file, undefined), true);
    assert.equal(await storage.size(file), null);
  });

  it('keeps who cancelled, before or meanwhile, waiting for five seconds at most', async (context) => {
    context.after(() => mock.timers.reset());
    mock.timers.enable({ apis: ['setTimeout'] });
    for (const isBefore of [true, false]) {
      const cancel = new AbortController();
      if (isBefore) cancel.abort();
      const hanging = takeBack(new FaultStorage(openMemoryStorage(), 'hang', 1), file, cancel.signal);
      cancel.abort();
      mock.timers.tick(4999);
      const first = await Promise.race([hanging, Promise.resolve('waits')]);
      assert.equal(first, 'waits');
      mock.timers.tick(1);
      assert.equal(await hanging, false);
    }
  });
});
