import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FaultStorage } from '../../test/storage/fault-storage.ts';
import { storageConformance } from '../../test/storage/storage-conformance.ts';
import { TestTimers } from '../../test/storage/test-timers.ts';
import { limitStorage } from './limit-storage.ts';
import { openMemoryStorage } from './memory-storage.ts';
import { CONFIG_FILE, MAX_PIECE_BYTES } from './storage.ts';
import type { FileHandle } from './storage.ts';

const MiB = 1024 * 1024;
const pack = (digit: string): FileHandle => ({ kind: 'data', id: digit.repeat(64) });

storageConformance('a limited storage', async () => {
  const timers = new TestTimers({ passesBySleeping: true });
  const rates = { uploadBytesPerSecond: 1000, downloadBytesPerSecond: 2000, calls: 3 };
  const storage = limitStorage(openMemoryStorage(), { timers, ...rates });
  return { storage, reopen: () => storage, [Symbol.asyncDispose]: async () => undefined };
});

describe('limit', () => {
  it('moves no more bytes in a second than allowed, each way by its own rate', async () => {
    const timers = new TestTimers({ passesBySleeping: true });
    const rates = { uploadBytesPerSecond: MiB, downloadBytesPerSecond: 4 * MiB };
    const storage = limitStorage(openMemoryStorage(), { timers, ...rates });
    await storage.save(pack('a'), Buffer.alloc(8 * MiB));
    // The first piece goes at once.
    assert.equal(timers.now(), 8000 - (MAX_PIECE_BYTES / MiB) * 1000);
    const began = timers.now();
    await storage.load(pack('a'));
    assert.equal(timers.now() - began, 2000 - (MAX_PIECE_BYTES / MiB) * 250);
  });

  it('shares the rate among calls at the same time', async () => {
    const timers = new TestTimers();
    const storage = limitStorage(openMemoryStorage(), { timers, uploadBytesPerSecond: MAX_PIECE_BYTES });
    let done = 0;
    const saves = ['a', 'b', 'c', 'd'].map(async (digit) => {
      await storage.save(pack(digit), Buffer.alloc(MAX_PIECE_BYTES));
      done += 1;
    });
    const seen: number[] = [];
    for (let second = 0; second < 4; second++) {
      await timers.advance(second === 0 ? 0 : 1000);
      seen.push(done);
    }
    await Promise.all(saves);
    assert.deepEqual(seen, [1, 2, 3, 4]);
  });

  it('runs so many calls at a time, the others in their order, and none that was cancelled while it waited', async () => {
    const controllers = Array.from({ length: 4 }, () => new AbortController());
    const begun: number[] = [];
    const inner = Object.assign(openMemoryStorage(), {
      size: async (_: FileHandle, { signal }: { readonly signal?: AbortSignal } = {}) => {
        const n = controllers.findIndex((each) => each.signal === signal);
        begun.push(n);
        await new Promise((resolve) => signal?.addEventListener('abort', resolve));
        return n;
      },
    });
    const storage = limitStorage(inner, { timers: new TestTimers(), calls: 2 });
    const calls = controllers.map(async ({ signal }) => storage.size(CONFIG_FILE, { signal }));
    const outcomes = Promise.allSettled(calls);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(begun, [0, 1]);
    controllers[2]?.abort(new Error('enough'));
    controllers[0]?.abort(new Error('done'));
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(begun, [0, 1, 3]);
    for (const n of [1, 3]) controllers[n]?.abort(new Error('done'));
    assert.deepEqual(
      (await outcomes).map((each) =>
        each.status === 'fulfilled' ? each.value : (each.reason as { code: string }).code,
      ),
      [0, 1, 'cancelled', 3],
    );
  });

  it('gives its turn back when a call fails', async () => {
    const storage = limitStorage(new FaultStorage(openMemoryStorage(), 'fail', 1), {
      timers: new TestTimers(),
      calls: 1,
    });
    await assert.rejects(storage.size(CONFIG_FILE), { code: 'storage-failed' });
    assert.equal(await storage.size(CONFIG_FILE), null);
  });

  it('takes no limit under which nothing would ever move', () => {
    for (const wrong of [{ uploadBytesPerSecond: 0 }, { downloadBytesPerSecond: Number.NaN }, { calls: 0 }])
      assert.throws(() => limitStorage(openMemoryStorage(), { timers: new TestTimers(), ...wrong }), RangeError);
  });
});
