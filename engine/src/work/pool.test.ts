import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { MasterKey } from '../seal/master-key.ts';
import type { RestoreAnswer, RestoreJob } from '../restore/restore-jobs.ts';
import { WorkerPool } from './pool.ts';

const openPool = (): WorkerPool<RestoreJob, RestoreAnswer> =>
  new WorkerPool<RestoreJob, RestoreAnswer>({
    script: new URL('../restore/restore-worker.ts', import.meta.url),
    size: 2,
    data: () => ({ value: { key: MasterKey.generate().parts }, transfer: [] }),
    onNews: () => undefined,
  });

describe('a pool of workers', () => {
  it('can be closed at any moment of their start: the process outlives it', async () => {
    // One in some dozens of these took the process along, from within the library that was being loaded.
    for (let ms = 0; ms < 120; ms += 4) {
      await using pool = openPool();
      await sleep(ms);
      assert.equal(pool.size, 2);
    }
  });

  it('fails what waits for a worker that ended (worker-failed)', async () => {
    await using pool = new WorkerPool<RestoreJob, RestoreAnswer>({
      script: new URL('data:text/javascript,process.exit(3)'),
      size: 1,
      data: () => ({ value: null, transfer: [] }),
      onNews: () => undefined,
    });
    const job: RestoreJob = { kind: 'check-pack', pack: '0'.repeat(64), bytes: new Uint8Array(1), entries: null };
    await assert.rejects(pool.run(0, job), { code: 'worker-failed' });
  });

  it('fails what still waits when it is closed (cancelled)', async () => {
    const pool = openPool();
    const job: RestoreJob = { kind: 'check-pack', pack: '0'.repeat(64), bytes: new Uint8Array(100), entries: null };
    const waiting = assert.rejects(pool.run(0, job), { code: 'cancelled' });
    await pool[Symbol.asyncDispose]();
    await waiting;
    await assert.rejects(pool.run(0, job), { code: 'cancelled' });
  });
});
