import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { generateKey, initRepository, openLocalStorage, openRepository } from '@salvor/engine';
import { addIndexFiles } from './add-index-files.ts';

test('as many blobs are listed as were asked for, in files of 50,000, the same ones each time', async () => {
  const place = mkdtempSync(join(tmpdir(), 'salvor-bench-index-'));
  try {
    const key = generateKey();
    const tables: Buffer[] = [];
    for (const name of ['one', 'two']) {
      const directory = join(place, name);
      await initRepository(openLocalStorage(directory), { kind: 'key', text: key });
      await addIndexFiles(directory, key, 50_010, new AbortController().signal);
      assert.equal(readdirSync(join(directory, 'index')).length, 2);
      const index = await (await openRepository(openLocalStorage(directory), key)).index();
      assert.deepEqual([index.blobs, index.packs], [50_010, 1251]);
      tables.push(Buffer.from(index.shared.ids).subarray(0, 32 * 50_010));
    }
    // The two files are read in the order of their names, which their seals make.
    const sorted = tables.map((table) =>
      Array.from({ length: 50_010 }, (_, n) => table.toString('hex', n * 32, n * 32 + 32)).sort(),
    );
    assert.deepEqual(sorted[0], sorted[1]);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
});
