import assert from 'node:assert/strict';
import { hash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { openWorkplace } from '../../test/fixtures.ts';
import { storageConformance } from '../../test/storage/storage-conformance.ts';
import { cacheStorage } from './cache-storage.ts';
import { openMemoryStorage } from './memory-storage.ts';
import { CONFIG_FILE } from './storage.ts';
import type { FileHandle, FileKind, Storage } from './storage.ts';

const clock = (): Date => new Date();
const config = Buffer.from('a sealed config');

/** Counts what reaches the storage. */
function counted(): { readonly storage: Storage; readonly loads: () => number } {
  const storage = openMemoryStorage();
  let loads = 0;
  const load: Storage['load'] = storage.load.bind(storage);
  Object.assign(storage, {
    load: async (...args: Parameters<Storage['load']>) => {
      loads += 1;
      return load(...args);
    },
  });
  return { storage, loads: () => loads };
}

async function saved(storage: Storage, kind: FileKind, bytes: Buffer, holds?: 'trees'): Promise<FileHandle> {
  const file = { kind, id: hash('sha256', bytes, 'hex'), ...(holds === undefined ? {} : { holds }) };
  await storage.save(file, bytes);
  return file;
}

/** All copies below the cache's directory. */
const copies = (directory: string): string[] =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

storageConformance('a cached storage', async () => {
  const place = openWorkplace();
  const inner = openMemoryStorage();
  await inner.save(CONFIG_FILE, config);
  const storage = cacheStorage(inner, { directory: place.path, clock });
  await storage.load(CONFIG_FILE);
  await inner.remove(CONFIG_FILE);
  return { storage, reopen: () => storage, [Symbol.asyncDispose]: async () => place[Symbol.dispose]() };
});

describe('cache', () => {
  it('answers out of its copies for index, snapshots and packs of listings, and never keeps data', async () => {
    using place = openWorkplace();
    const { storage: inner, loads } = counted();
    const first = cacheStorage(inner, { directory: place.path, clock });
    await first.save(CONFIG_FILE, config);
    const bytes = randomBytes(5000);
    const kept = [
      await saved(first, 'index', randomBytes(3000)),
      await saved(inner, 'snapshots', bytes),
      await saved(first, 'data', randomBytes(4000), 'trees'),
    ];
    const others = [await saved(first, 'data', randomBytes(100)), await saved(first, 'keys', randomBytes(100))];
    others.push(await saved(first, 'locks', randomBytes(100)));
    // Another process, later.
    for (let run = 0; run < 2; run++) {
      const storage = cacheStorage(inner, { directory: place.path, clock });
      await storage.load(CONFIG_FILE);
      for (const file of kept) {
        const whole = await inner.load(file);
        assert.ok(whole.equals(await storage.load(file)));
        assert.ok(whole.subarray(7, 107).equals(await storage.load(file, { offset: 7, length: 100 })));
        await assert.rejects(storage.load(file, { offset: whole.length, length: 1 }));
      }
      for (const file of others) await storage.load(file);
    }
    assert.equal(loads() - 2 - 2 * kept.length - 2 * others.length, 1, 'the snapshot was loaded once');
    const names = copies(place.path).map((path) => path.slice(-64));
    assert.deepEqual(names.toSorted(), kept.map(({ id }) => id).toSorted());
    for (const path of copies(place.path)) assert.equal(statSync(path).mode & 0o777, 0o600);
  });

  it('keeps repositories apart, and nothing before it knows which one it serves', async () => {
    using place = openWorkplace();
    const inner = openMemoryStorage();
    const storage = cacheStorage(inner, { directory: place.path, clock });
    const file = await saved(storage, 'index', randomBytes(100));
    await storage.load(file);
    assert.deepEqual(copies(place.path), []);
    await storage.save(CONFIG_FILE, config);
    await storage.load(file);
    await storage.save(CONFIG_FILE, Buffer.from('another'));
    await storage.load(file);
    assert.deepEqual(
      readdirSync(place.path).toSorted(),
      [config, 'another'].map((text) => hash('sha256', text, 'hex')).toSorted(),
    );
  });

  it('takes no copy that is not what its name says, and mends it', async () => {
    using place = openWorkplace();
    const inner = openMemoryStorage();
    const storage = cacheStorage(inner, { directory: place.path, clock });
    await storage.save(CONFIG_FILE, config);
    const bytes = randomBytes(1000);
    const file = await saved(storage, 'snapshots', bytes);
    const [path = ''] = copies(place.path);
    for (const wrong of [Buffer.alloc(0), bytes.subarray(1), Buffer.alloc(1000)]) {
      writeFileSync(path, wrong);
      assert.ok(bytes.equals(await storage.load(file)));
      assert.ok(bytes.equals(readFileSync(path)));
    }
  });

  it('keeps no copy of bytes that the repository gave wrong', async () => {
    using place = openWorkplace();
    const inner = openMemoryStorage();
    const storage = cacheStorage(inner, { directory: place.path, clock });
    await storage.save(CONFIG_FILE, config);
    const file = { kind: 'index', id: hash('sha256', 'what it was', 'hex') } as const;
    await inner.save(file, Buffer.from('what it is'));
    assert.equal((await storage.load(file)).toString(), 'what it is');
    assert.deepEqual(copies(place.path), []);
  });

  it('drops copies of what is gone from the repository, removed by itself or by others', async () => {
    using place = openWorkplace();
    const inner = openMemoryStorage();
    const storage = cacheStorage(inner, { directory: place.path, clock });
    await storage.save(CONFIG_FILE, config);
    const [one, two, three] = [
      await saved(storage, 'index', randomBytes(100)),
      await saved(storage, 'index', randomBytes(100)),
      await saved(storage, 'data', randomBytes(100), 'trees'),
    ];
    await storage.remove(one);
    assert.equal(copies(place.path).length, 2);
    await inner.remove(two);
    await inner.remove(three);
    await storage.list('index');
    assert.equal(copies(place.path).length, 1);
    await storage.list('data');
    assert.deepEqual(copies(place.path), []);
  });

  it('stays within its bounds by giving up what was not used for longest', async () => {
    using place = openWorkplace();
    let time = 1_700_000_000_000;
    const now = (): Date => new Date((time += 1000));
    const inner = openMemoryStorage();
    const options = { directory: place.path, clock: now, maxBytes: 3500 };
    const storage = cacheStorage(inner, options);
    await storage.save(CONFIG_FILE, config);
    const files: FileHandle[] = [];
    for (let n = 0; n < 3; n++) {
      files.push(await saved(storage, 'index', randomBytes(1000)));
      await storage.load(files[n] as FileHandle);
    }
    await storage.load(files[0] as FileHandle);
    files.push(await saved(storage, 'index', randomBytes(1000)));
    const ids = (): string[] =>
      copies(place.path)
        .map((path) => path.slice(-64))
        .toSorted();
    const idsOf = (...numbers: number[]): string[] => numbers.map((n) => files[n]?.id ?? '').toSorted();
    assert.deepEqual(ids(), idsOf(0, 2, 3));
    await saved(storage, 'index', randomBytes(4000));
    assert.deepEqual(ids(), idsOf(0, 2, 3));
    // A later process knows by the times of the files what was used.
    const later = cacheStorage(inner, { ...options, maxBytes: 1500 });
    await later.load(CONFIG_FILE);
    await later.load(files[0] as FileHandle);
    assert.equal(ids().length, 1);
  });

  it('is only in the way of nobody where its directory can not be written', async () => {
    using place = openWorkplace();
    writeFileSync(join(place.path, 'a file'), '');
    const inner = openMemoryStorage();
    const storage = cacheStorage(inner, { directory: join(place.path, 'a file', 'below'), clock });
    await storage.save(CONFIG_FILE, config);
    const file = await saved(storage, 'index', randomBytes(100));
    assert.equal((await storage.load(file)).length, 100);
    await storage.list('index');
    await storage.remove(file);
  });

  it('removes what a crash left in it, and shows checks the storage itself', async () => {
    using place = openWorkplace();
    const directory = join(place.path, hash('sha256', config, 'hex'), 'index');
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, `${'a'.repeat(64)}-tmp-00`), 'x');
    const inner = openMemoryStorage();
    const storage = cacheStorage(inner, { directory: place.path, clock });
    await storage.save(CONFIG_FILE, config);
    await storage.list('index');
    assert.equal(existsSync(join(directory, `${'a'.repeat(64)}-tmp-00`)), false);
    assert.equal(storage.uncached, inner);
  });
});
