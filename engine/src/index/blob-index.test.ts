import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { BlobIndex } from './blob-index.ts';

const idOf = (n: number): string => createHash('sha256').update(String(n)).digest('hex');

describe('BlobIndex', () => {
  it('finds each of 50,000 blobs where it was put, through all growth, and nothing else', () => {
    const index = new BlobIndex();
    const packs = Array.from({ length: 300 }, (_, n) => index.addPack(idOf(-n - 1)));
    for (let n = 0; n < 50_000; n++) {
      index.add(packs[n % 300] ?? 0, {
        type: n % 5 === 0 ? 'tree' : 'data',
        id: idOf(n),
        offset: n,
        length: n + 32,
        plainBytes: n % 2 === 0 ? null : n,
      });
    }
    assert.equal(index.blobs, 50_000);
    for (let n = 0; n < 50_000; n += 7) {
      assert.deepEqual(index.find(n % 5 === 0 ? 'tree' : 'data', idOf(n)), {
        pack: idOf(-(n % 300) - 1),
        offset: n,
        length: n + 32,
        plainBytes: n % 2 === 0 ? null : n,
      });
      assert.equal(index.find(n % 5 === 0 ? 'data' : 'tree', idOf(n)), null, 'the type is part of the name');
    }
    assert.equal(index.has('data', idOf(60_000)), false);
  });

  it('gives a claim to one only, counts it as known, and tells its place when it is settled', () => {
    const index = new BlobIndex();
    const claim = index.claim('data', idOf(1));
    assert.ok(claim >= 0);
    assert.equal(index.claim('data', idOf(1)), -1);
    assert.ok(index.claim('tree', idOf(1)) >= 0);
    assert.equal(index.has('data', idOf(1)), true);
    assert.equal(index.find('data', idOf(1)), null);
    index.settle(claim, index.addPack(idOf(9)), { offset: 5, length: 6, plainBytes: null });
    assert.deepEqual(index.find('data', idOf(1)), { pack: idOf(9), offset: 5, length: 6, plainBytes: null });
  });

  it('gives each of 20,000 blobs to exactly one of three threads that all want all of them', async () => {
    const index = new BlobIndex();
    const script = `
      import { parentPort, workerData } from 'node:worker_threads';
      import { createHash } from 'node:crypto';
      const { BlobIndex } = await import(workerData.module);
      const index = new BlobIndex(workerData.shared);
      let won = 0;
      for (let n = 0; n < 20000; n++) {
        const id = createHash('sha256').update(String((n * 7919 + workerData.start) % 20000)).digest('hex');
        if (index.claim('data', id) !== -1) won++;
      }
      parentPort.postMessage(won);`;
    const module = new URL('./blob-index.ts', import.meta.url).href;
    const wins = await Promise.all(
      [0, 5000, 11_111].map(async (start) => {
        const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(script)}`), {
          workerData: { shared: index.shared, module, start },
        });
        return new Promise<number>((resolve, reject) => worker.once('message', resolve).once('error', reject));
      }),
    );
    assert.equal(
      wins.reduce((sum, won) => sum + won, 0),
      20_000,
    );
    assert.equal(index.blobs, 20_000);
  });

  it('takes at most 80 bytes a blob, room to grow included', () => {
    const index = new BlobIndex();
    const pack = index.addPack(idOf(0));
    for (let n = 0; n < 200_000; n++)
      index.add(pack, { type: 'data', id: idOf(n), offset: 0, length: 1, plainBytes: null });
    const bytes = Object.values(index.shared).reduce((sum, buffer) => sum + buffer.byteLength, 0);
    assert.ok(bytes / 200_000 <= 80, `${bytes / 200_000} bytes a blob, room to grow included`);
  });
});
