import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { EngineError } from '../errors.ts';
import { encodeIndex } from '../format/index-file.ts';
import type { PackListing } from '../format/index-file.ts';
import { sealUnpacked } from '../format/unpacked.ts';
import { MasterKey } from '../seal/master-key.ts';
import { saveHashed } from '../storage/load-verified.ts';
import { openMemoryStorage } from '../storage/memory-storage.ts';
import type { Storage } from '../storage/storage.ts';
import { loadIndex, readIndexFiles } from './load-index.ts';

const idOf = (text: string): string => createHash('sha256').update(text).digest('hex');
const key = MasterKey.generate();

/** A pack of 10 blobs. */
function packOf(name: string): PackListing {
  const blobs = Array.from({ length: 10 }, (_, n) => ({
    type: n === 0 ? ('tree' as const) : ('data' as const),
    id: idOf(`${name} ${n}`),
    offset: n * 100,
    length: 100,
    plainBytes: n % 2 === 0 ? null : 200,
  }));
  return { id: idOf(name), blobs };
}

/** Files of 10 packs each, every third one written with spaces, as no writer does but any may. */
async function saveFiles(storage: Storage, count: number): Promise<readonly PackListing[]> {
  const all: PackListing[] = [];
  for (let file = 0; file < count; file++) {
    const packs = Array.from({ length: 10 }, (_, n) => packOf(`${file} ${n}`));
    const json = encodeIndex(packs);
    const written = file % 3 === 2 ? JSON.stringify(JSON.parse(json), null, 2) : json;
    await saveHashed(storage, 'index', sealUnpacked(key, written));
    all.push(...packs);
  }
  return all;
}

describe('the index', () => {
  it('has every blob of every file at its place, in whatever form a file is written', async () => {
    const storage = openMemoryStorage();
    const packs = await saveFiles(storage, 30);
    const index = await loadIndex(storage, key);
    assert.equal(index.blobs, 3000);
    for (const pack of packs)
      for (const { type, id, ...place } of pack.blobs)
        assert.deepEqual(index.find(type, id), { pack: pack.id, ...place });
    const read: PackListing[] = [];
    for await (const file of readIndexFiles(storage, key)) read.push(...file.packs);
    const sorted = (list: readonly PackListing[]): string[] => list.map((pack) => JSON.stringify(pack)).sort();
    assert.deepEqual(sorted(read), sorted(packs));
  });

  it('passes over packs and files that are not believed in', async () => {
    const storage = openMemoryStorage();
    await saveFiles(storage, 3);
    const bad = packOf('0 4');
    const index = await loadIndex(storage, key, {
      packs: new Set([bad.id]),
      indexFiles: new Set(),
      packsOfIgnoredFiles: [packOf('more')],
    });
    assert.equal(index.blobs, 300);
    assert.equal(index.find('data', bad.blobs[3]?.id ?? ''), null);
  });

  it('is not loaded where one file is damaged, and that one is named', async () => {
    const storage = openMemoryStorage();
    await saveFiles(storage, 6);
    const damaged = (await storage.list('index'))[4]?.id ?? '';
    for (const bytes of [
      Buffer.from('x'),
      sealUnpacked(key, '{"packs":[{"id":"x"}]}'),
      sealUnpacked(key, '{"packs":'),
    ]) {
      // Under its own name the hash would be wrong before anything is decoded.
      const file = bytes.length === 1 ? damaged : createHash('sha256').update(bytes).digest('hex');
      await storage.save({ kind: 'index', id: file }, bytes);
      await assert.rejects(
        loadIndex(storage, key),
        (error) => error instanceof EngineError && error.code === 'index-damaged' && error.context['file'] === file,
      );
      await storage.remove({ kind: 'index', id: file });
    }
  });
});
