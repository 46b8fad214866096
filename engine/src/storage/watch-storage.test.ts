import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FaultStorage } from '../../test/storage/fault-storage.ts';
import { storageConformance } from '../../test/storage/storage-conformance.ts';
import { TestTimers } from '../../test/storage/test-timers.ts';
import { openMemoryStorage } from './memory-storage.ts';
import { CONFIG_FILE, MAX_PIECE_BYTES } from './storage.ts';
import { SYSTEM_TIMERS } from './timers.ts';
import { watchStorage } from './watch-storage.ts';

const MINUTE = 60_000;

storageConformance('a watched storage', async () => {
  const storage = watchStorage(openMemoryStorage(), { timers: SYSTEM_TIMERS });
  return { storage, reopen: () => storage, [Symbol.asyncDispose]: async () => undefined };
});

describe('watch', () => {
  it('ends a call that moved nothing for 5 minutes, in any verb, and aborts what lies below', async () => {
    for (const verb of ['save', 'load', 'size', 'list', 'remove', 'create'] as const) {
      const timers = new TestTimers();
      const storage = watchStorage(new FaultStorage(openMemoryStorage(), 'hang', 1), { timers });
      const calls = {
        save: async () => storage.save(CONFIG_FILE, Buffer.alloc(10)),
        load: async () => storage.load(CONFIG_FILE),
        size: async () => storage.size(CONFIG_FILE),
        list: async () => storage.list('keys'),
        remove: async () => storage.remove(CONFIG_FILE),
        create: async () => storage.create(),
      };
      let isSettled = false;
      const calling = calls[verb]().finally(() => (isSettled = true));
      const outcome = assert.rejects(calling, { code: 'storage-stalled', message: /300 s/ }, verb);
      await timers.advance(5 * MINUTE - 1);
      assert.equal(isSettled, false);
      await timers.advance(1);
      await outcome;
    }
  });

  it('lets a call take as long as it likes while bytes move, and while it waits for its turn', async () => {
    const timers = new TestTimers();
    const storage = watchStorage(openMemoryStorage(), { timers });
    const bytes = Buffer.alloc(10 * MAX_PIECE_BYTES);
    let pieces = 0;
    // Nothing but the test moves the time: 9 minutes for every piece, which is a limit's doing and no stall.
    const onBytes = async (): Promise<void> => {
      pieces += 1;
      await timers.advance(9 * MINUTE);
    };
    await storage.save(CONFIG_FILE, bytes, { onBytes });
    assert.equal(pieces, 10);
    assert.equal(await storage.size(CONFIG_FILE), bytes.length);
  });

  it('passes a cancellation on', async () => {
    const controller = new AbortController();
    const storage = watchStorage(new FaultStorage(openMemoryStorage(), 'hang', 1), { timers: new TestTimers() });
    const calling = storage.list('keys', { signal: controller.signal });
    controller.abort(new Error('enough'));
    await assert.rejects(calling, { code: 'cancelled' });
  });
});
