import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { storageConformance } from '../../test/storage/storage-conformance.ts';
import { FaultStorage } from '../../test/storage/fault-storage.ts';
import { TestTimers } from '../../test/storage/test-timers.ts';
import { EngineError } from '../errors.ts';
import type { EngineErrorCode } from '../errors.ts';
import { openMemoryStorage } from './memory-storage.ts';
import { retryStorage } from './retry-storage.ts';
import type { RetryOptions, StorageRetry } from './retry-storage.ts';
import { FileMissing } from './storage.ts';
import type { Storage } from './storage.ts';

const file = { kind: 'data', id: 'a'.repeat(64) } as const;
const bytes = randomBytes(1000);
const failed = (cause?: unknown): EngineError =>
  new EngineError('storage-failed', { location: 'x', action: 'x', reason: 'x' }, { cause });

storageConformance('a storage with retries', async () => {
  const timers = new TestTimers({ passesBySleeping: true });
  const storage = retryStorage(openMemoryStorage(), { timers, random: () => 0.5 });
  return { storage, reopen: () => storage, [Symbol.asyncDispose]: async () => undefined };
});

/** A storage whose `size` throws what it is told, call after call, and then answers. */
function failing(errors: readonly Error[]): { readonly storage: Storage; readonly calls: () => number } {
  let calls = 0;
  const storage = openMemoryStorage();
  const size = async (): Promise<number> => {
    const error = errors[calls++];
    if (error !== undefined) throw error;
    return 7;
  };
  return { storage: Object.assign(storage, { size }), calls: () => calls };
}

const patient = (more: Partial<RetryOptions> = {}): RetryOptions & { readonly timers: TestTimers } => ({
  random: () => 0.5,
  ...more,
  timers: new TestTimers({ passesBySleeping: true }),
});

describe('retry', () => {
  it('waits 1 s, then twice as long each time up to a minute, and tells of each', async () => {
    const told: StorageRetry[] = [];
    const options = patient({ onRetry: (retry) => told.push(retry) });
    const { storage } = failing(Array.from({ length: 9 }, () => failed()));
    assert.equal(await retryStorage(storage, options).size(file), 7);
    assert.deepEqual(
      options.timers.sleeps,
      [1, 2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 1000),
    );
    assert.deepEqual([told[0]?.attempt, told[0]?.waitMs, told.length], [1, 1000, 9]);
    assert.equal(told[0]?.action, `look at data/${file.id}`);
  });

  it('gives up sooner on a storage that has not answered yet, and is patient with one that has', async () => {
    const options = patient({ firstLimitMs: 10_000 });
    const { storage, calls } = failing(Array.from({ length: 11 }, () => failed()));
    const retried = retryStorage(storage, options);
    await assert.rejects(retried.size(file), { code: 'storage-failed' });
    assert.deepEqual([calls(), options.timers.sleeps], [4, [1000, 2000, 4000]]);
    await retried.list('data');
    assert.equal(await retried.size(file), 7);
    assert.equal(calls(), 12);
  });

  it('spreads the waits by half to both sides', async () => {
    for (const [random, first] of [
      [0, 500],
      [0.25, 750],
      [0.999999, 1499.999],
    ] as const) {
      const options = patient({ random: () => random });
      await retryStorage(failing([failed()]).storage, options).size(file);
      assert.ok(Math.abs((options.timers.sleeps[0] ?? 0) - first) < 0.01);
    }
  });

  it('ends at its limit with the last error, yet tries once more at least', async () => {
    const options = patient({ limitMs: 10_000 });
    const { storage, calls } = failing(Array.from({ length: 99 }, () => failed()));
    await assert.rejects(retryStorage(storage, options).size(file), { code: 'storage-failed' });
    assert.equal(calls(), 4);
    const hasty = failing(Array.from({ length: 99 }, () => failed()));
    await assert.rejects(retryStorage(hasty.storage, patient({ limitMs: 0 })).size(file), { code: 'storage-failed' });
    assert.equal(hasty.calls(), 2);
  });

  it('does not try again what would fail again', async () => {
    const codes: EngineErrorCode[] = [
      'storage-full',
      'storage-refused',
      'storage-untrusted',
      'storage-unsuited',
      'cancelled',
    ];
    const errors: Error[] = codes.map((code) => new EngineError(code, { location: 'x' }));
    errors.push(new FileMissing(file), new TypeError('a fault of ours'), failed(new RangeError('it ends too early')));
    for (const error of errors) {
      const { storage, calls } = failing([error]);
      await assert.rejects(retryStorage(storage, patient()).size(file), error);
      assert.equal(calls(), 1, error.message);
    }
  });

  it('removes what a failed save left behind before it tries again, but never a whole file', async () => {
    for (const [left, isRemoved] of [
      [10, true],
      [bytes.length, false],
    ] as const) {
      const inner = openMemoryStorage();
      const order: string[] = [];
      let saves = 0;
      const broken = Object.assign(openMemoryStorage(), {
        save: async () => {
          order.push('save');
          await inner.save(file, bytes.subarray(0, saves === 0 ? left : bytes.length));
          if (saves++ === 0) throw failed();
        },
        size: async () => inner.size(file),
        remove: async () => {
          order.push('remove');
          await inner.remove(file);
        },
      });
      await retryStorage(broken, patient()).save(file, bytes);
      assert.deepEqual(order, isRemoved ? ['save', 'remove', 'save'] : ['save', 'save']);
      assert.ok(bytes.equals(await inner.load(file)));
    }
  });

  it('mends any single call that failed, or whose answer was lost', async () => {
    for (const fault of ['fail', 'lost-reply'] as const) {
      for (let at = 1; at <= (fault === 'fail' ? 6 : 3); at++) {
        const inner = new FaultStorage(openMemoryStorage(), fault, at);
        const storage = retryStorage(inner, patient());
        await storage.create();
        await storage.save(file, bytes);
        assert.ok(bytes.equals(await storage.load(file)));
        assert.deepEqual(await storage.list('data'), [{ id: file.id, bytes: bytes.length }]);
        await storage.remove(file);
        assert.equal(await storage.size(file), null);
        assert.ok(inner.wasHit);
      }
    }
  });

  it('ends its wait when it is cancelled', async () => {
    const controller = new AbortController();
    const timers = new TestTimers();
    const { storage, calls } = failing([failed()]);
    const asking = retryStorage(storage, { timers, random: () => 0.5 }).size(file, { signal: controller.signal });
    await timers.advance(10);
    controller.abort(new Error('enough'));
    await assert.rejects(asking, { code: 'cancelled' });
    assert.equal(calls(), 1);
  });
});
