/** Every sentence of the contract in `storage.ts`, as tests. An implementation's own test is ten lines. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { EngineError } from '../../src/errors.ts';
import { CONFIG_FILE, FileMissing, LISTED_KINDS, MAX_PIECE_BYTES } from '../../src/storage/storage.ts';
import type { FileHandle, FileKind, GrowingFile, Storage } from '../../src/storage/storage.ts';

export type OpenedStorage = AsyncDisposable & {
  /** Empty, nothing created yet. */
  readonly storage: Storage;
  /** The same place, opened by somebody else. */
  readonly reopen: () => Storage;
};

const MiB = 1024 * 1024;
const idOf = (text: string): string => createHash('sha256').update(text).digest('hex');
const file = (kind: FileKind, text: string): FileHandle => ({ kind, id: idOf(text) });
const bytesOf = (text: string): Buffer => Buffer.from(text);
const idsOf = async (storage: Storage, kind: FileKind): Promise<string[]> =>
  (await storage.list(kind)).map(({ id }) => id).toSorted();

export function storageConformance(name: string, open: () => Promise<OpenedStorage>): void {
  describe(`${name}, by the contract of storages`, () => {
    it('gives back what was saved, whole, in parts and by size, also to who opens the place anew', async () => {
      await using opened = await open();
      const { storage, reopen } = opened;
      await storage.create();
      await storage.create();
      for (const handle of [CONFIG_FILE, ...LISTED_KINDS.map((kind) => file(kind, kind))]) {
        await storage.save(handle, bytesOf('0123456789'));
        for (const each of [storage, reopen()]) {
          assert.equal((await each.load(handle)).toString(), '0123456789');
          assert.equal((await each.load(handle, { offset: 3, length: 4 })).toString(), '3456');
          assert.equal((await each.load(handle, { offset: 0, length: 10 })).toString(), '0123456789');
          assert.equal((await each.load(handle, { offset: 10, length: 0 })).length, 0);
          assert.equal(await each.size(handle), 10);
        }
        if (handle.kind === 'config') assert.deepEqual(await storage.list('config'), []);
        else assert.deepEqual(await storage.list(handle.kind), [{ id: handle.id, bytes: 10 }]);
      }
    });

    it('has no files where nothing was created, and saves there all the same', async () => {
      await using opened = await open();
      const { storage } = opened;
      for (const kind of LISTED_KINDS) assert.deepEqual(await storage.list(kind), []);
      assert.equal(await storage.size(CONFIG_FILE), null);
      await assert.rejects(storage.load(CONFIG_FILE), FileMissing);
      await storage.remove(file('data', 'x'));
      await storage.save(file('data', 'x'), bytesOf('x'));
      assert.deepEqual(await storage.list('data'), [{ id: idOf('x'), bytes: 1 }]);
    });

    it('keeps empty files, and files larger than any window of a line, byte for byte', async () => {
      await using opened = await open();
      const { storage } = opened;
      await storage.create();
      await storage.save(file('data', 'empty'), new Uint8Array());
      assert.equal((await storage.load(file('data', 'empty'))).length, 0);
      assert.equal(await storage.size(file('data', 'empty')), 0);
      const large = randomBytes(20 * MiB + 7);
      // A view into a larger buffer, as packs are.
      const around = Buffer.concat([randomBytes(5), large, randomBytes(5)]);
      await storage.save(file('data', 'large'), around.subarray(5, 5 + large.length));
      assert.ok(large.equals(await storage.load(file('data', 'large'))));
      for (const [offset, length] of [
        [0, 1],
        [32_767, 2],
        [5 * MiB + 11, 9 * MiB + 1],
        [large.length - 1, 1],
      ] as const) {
        const part = await storage.load(file('data', 'large'), { offset, length });
        assert.ok(large.subarray(offset, offset + length).equals(part), `${offset} ${length}`);
      }
    });

    it('fails rather than give fewer bytes than were asked for, with a RangeError as the cause', async () => {
      await using opened = await open();
      const { storage } = opened;
      await storage.save(file('index', 'x'), bytesOf('short'));
      for (const range of [
        { offset: 3, length: 4 },
        { offset: 5, length: 1 },
        { offset: 900, length: 2 * MiB },
      ]) {
        await assert.rejects(
          storage.load(file('index', 'x'), range),
          (error) =>
            error instanceof EngineError && error.code === 'storage-failed' && error.cause instanceof RangeError,
        );
      }
    });

    it('removes what is there and does not mind what is not', async () => {
      await using opened = await open();
      const { storage } = opened;
      await storage.save(file('locks', 'x'), bytesOf('x'));
      await storage.save(file('locks', 'y'), bytesOf('y'));
      await storage.remove(file('locks', 'x'));
      await storage.remove(file('locks', 'x'));
      assert.equal(await storage.size(file('locks', 'x')), null);
      await assert.rejects(storage.load(file('locks', 'x')), FileMissing);
      await assert.rejects(storage.load(file('locks', 'x'), { offset: 0, length: 1 }), FileMissing);
      assert.deepEqual(await storage.list('locks'), [{ id: idOf('y'), bytes: 1 }]);
    });

    it('takes no name that is not an id, in any call', async () => {
      await using opened = await open();
      const { storage } = opened;
      const id = idOf('x');
      const names = ['', '.', '..', '../config', `../data/${id}`, id.toUpperCase(), id.slice(1), `${id}0`];
      names.push(`${id}\n`, `${id}\0`, `${id}/`, 'e'.repeat(5000), ' '.repeat(64), `${id.slice(0, 62)}/.`);
      for (const hostile of names) {
        for (const kind of ['data', 'keys'] as const) {
          const handle = { kind, id: hostile };
          const calls = [
            async () => storage.save(handle, bytesOf('x')),
            async () => storage.load(handle),
            async () => storage.load(handle, { offset: 0, length: 1 }),
            async () => storage.size(handle),
            async () => storage.remove(handle),
          ];
          for (const call of calls) await assert.rejects(call(), { code: 'storage-failed' }, JSON.stringify(hostile));
        }
      }
      for (const kind of LISTED_KINDS) assert.deepEqual(await storage.list(kind), []);
    });

    it('replaces a file in one step: who reads meanwhile sees all of the old or all of the new', async () => {
      await using opened = await open();
      const { storage, reopen } = opened;
      const handle = file('snapshots', 'x');
      await storage.save(handle, bytesOf('x'));
      await storage.save(handle, bytesOf('x'));
      const versions = [Buffer.alloc(300_000, 'a'), Buffer.alloc(300_000, 'b'), Buffer.alloc(300_000, 'c')];
      await storage.save(handle, versions[0] ?? bytesOf(''));
      const reader = reopen();
      const writing = Promise.all(versions.map(async (bytes) => storage.save(handle, bytes)));
      for (let n = 0; n < 10; n++) {
        const seen = await reader.load(handle);
        assert.ok(
          versions.some((bytes) => bytes.equals(seen)),
          'a mixture was read',
        );
      }
      await writing;
      assert.deepEqual(await storage.list('snapshots'), [{ id: handle.id, bytes: 300_000 }]);
    });

    it('lists every file that stays, once, while others come and go', async () => {
      await using opened = await open();
      const { storage, reopen } = opened;
      await storage.create();
      const staying = Array.from({ length: 12 }, (_, n) => file('data', `stays ${n}`));
      for (const each of staying) await storage.save(each, bytesOf('stays'));
      const done = new AbortController();
      const other = reopen();
      const changing = (async () => {
        for (let n = 0; !done.signal.aborted; n++) {
          await other.save(file('data', `goes ${n}`), bytesOf('goes'));
          if (n % 2 === 0) await other.remove(file('data', `goes ${n}`));
        }
      })();
      try {
        for (let n = 0; n < 5; n++) {
          const ids = await idsOf(storage, 'data');
          assert.equal(new Set(ids).size, ids.length, 'one was named twice');
          for (const { id } of staying) assert.ok(ids.includes(id));
        }
      } finally {
        done.abort();
        await changing;
      }
    });

    it('gives buffers that are the caller’s alone, and keeps none that it was given', async () => {
      await using opened = await open();
      const { storage } = opened;
      const given = bytesOf('what was saved');
      await storage.save(file('keys', 'x'), given);
      given.fill(0);
      const first = await storage.load(file('keys', 'x'));
      assert.equal(first.byteOffset, 0);
      assert.equal(first.buffer.byteLength, first.length);
      structuredClone(first.buffer, { transfer: [first.buffer as ArrayBuffer] });
      const second = await storage.load(file('keys', 'x'));
      second.fill(1);
      assert.equal((await storage.load(file('keys', 'x'))).toString(), 'what was saved');
    });

    it('tells of every byte that it moves, in pieces, and waits for the answer', async () => {
      await using opened = await open();
      const { storage } = opened;
      const bytes = randomBytes(3 * MAX_PIECE_BYTES + 1);
      let told = 0;
      let waiting = 0;
      const onBytes = async (count: number): Promise<void> => {
        assert.ok(count <= MAX_PIECE_BYTES);
        told += count;
        waiting += 1;
        await new Promise((resolve) => setImmediate(resolve));
        waiting -= 1;
      };
      await storage.save(file('data', 'x'), bytes, { onBytes });
      assert.deepEqual([told, waiting], [bytes.length, 0]);
      told = 0;
      assert.ok(bytes.equals(await storage.load(file('data', 'x'), undefined, { onBytes })));
      assert.deepEqual([told, waiting], [bytes.length, 0]);
      told = 0;
      await storage.load(file('data', 'x'), { offset: 1, length: 7 }, { onBytes });
      assert.equal(told, 7);
    });

    it('does nothing for a caller who cancelled before', async () => {
      await using opened = await open();
      const { storage } = opened;
      await storage.save(file('keys', 'x'), bytesOf('x'));
      const signal = AbortSignal.abort(new Error('enough'));
      const calls = [
        async () => storage.create({ signal }),
        async () => storage.save(file('keys', 'y'), bytesOf('y'), { signal }),
        async () => storage.load(file('keys', 'x'), undefined, { signal }),
        async () => storage.size(file('keys', 'x'), { signal }),
        async () => storage.list('keys', { signal }),
        async () => storage.remove(file('keys', 'x'), { signal }),
      ];
      for (const call of calls) await assert.rejects(call(), { code: 'cancelled' });
      assert.deepEqual(await idsOf(storage, 'keys'), [idOf('x')]);
    });

    it('lets a call go at once that is cancelled on its way, with nothing to see of it', async () => {
      await using opened = await open();
      const { storage, reopen } = opened;
      await storage.create();
      const bytes = randomBytes(4 * MiB);
      for (const verb of ['save', 'load'] as const) {
        const handle = file('data', verb);
        if (verb === 'load') await storage.save(handle, bytes);
        const controller = new AbortController();
        let moved = 0;
        // A line that stands still after a megabyte.
        const onBytes = async (count: number): Promise<void> => {
          moved += count;
          if (moved < MiB) return;
          controller.abort(new Error('enough'));
          await new Promise((resolve) => setTimeout(resolve, 50));
        };
        const options = { signal: controller.signal, onBytes };
        const call = verb === 'save' ? storage.save(handle, bytes, options) : storage.load(handle, undefined, options);
        await assert.rejects(call, { code: 'cancelled' });
        assert.equal(await reopen().size(handle), verb === 'save' ? null : bytes.length);
      }
      // The storage goes on working.
      await storage.save(file('data', 'after'), bytesOf('after'));
      assert.equal((await storage.load(file('data', 'after'))).toString(), 'after');
    });

    it('does many calls at once', async () => {
      await using opened = await open();
      const { storage } = opened;
      await storage.create();
      const contents = Array.from({ length: 40 }, (_, n) => randomBytes(n * 1000));
      await Promise.all(contents.map(async (bytes, n) => storage.save(file('data', `${n}`), bytes)));
      const loaded = await Promise.all(contents.map(async (_, n) => storage.load(file('data', `${n}`))));
      for (const [n, bytes] of contents.entries()) assert.ok(bytes.equals(loaded[n] ?? bytesOf('')));
      assert.equal((await storage.list('data')).length, 40);
      await Promise.all(contents.map(async (_, n) => storage.remove(file('data', `${n}`))));
      assert.deepEqual(await storage.list('data'), []);
    });

    it('names its place without a password', async () => {
      await using opened = await open();
      assert.notEqual(opened.storage.location, '');
      assert.doesNotMatch(opened.storage.location, /:[^/@]*@|secret|password/i);
    });
  });
}

/** The sentence on `beginFile`, for storages that have it. */
export function growingFileConformance(name: string, open: () => Promise<OpenedStorage>): void {
  describe(`${name}, by the contract of growing files`, () => {
    const begin = (storage: Storage, signal?: AbortSignal): GrowingFile => {
      assert.ok(storage.beginFile !== undefined);
      return storage.beginFile({ signal });
    };
    /** In memory that begins at a page, as packs have it, and in such that does not. */
    const aligned = (bytes: Buffer): Buffer => {
      const length = Math.ceil(bytes.length / 4096) * 4096;
      const memory = Buffer.from(new ArrayBuffer(length, { maxByteLength: length }), 0, bytes.length);
      bytes.copy(memory);
      return memory;
    };
    const askew = (bytes: Buffer): Buffer => Buffer.concat([Buffer.alloc(3), bytes]).subarray(3);

    it('gives a file its name at the end, with all of its bytes, however they lay in memory', async () => {
      await using opened = await open();
      const { storage, reopen } = opened;
      await storage.create();
      const whole = randomBytes(2 * MiB);
      const odd = randomBytes(70_001);
      const pieces: Readonly<Record<string, readonly Buffer[]>> = {
        direct: [aligned(whole), aligned(whole), aligned(odd)],
        'first odd': [aligned(odd), aligned(whole), askew(odd)],
        'first askew': [askew(whole), aligned(whole), aligned(odd)],
        'then askew': [aligned(whole), askew(whole), askew(odd), aligned(whole)],
        short: [aligned(odd.subarray(0, 1))],
        empty: [],
      };
      for (const [text, parts] of Object.entries(pieces)) {
        const growing = begin(storage);
        for (const part of parts) {
          await growing.append(part);
          const kept = Buffer.from(part);
          part.fill(0);
          assert.deepEqual(await storage.list('data'), [], text);
          kept.copy(part);
        }
        await growing.finish(file('data', text));
        await growing.discard();
        assert.ok(Buffer.concat(parts).equals(await reopen().load(file('data', text))), text);
        await storage.remove(file('data', text));
      }
    });

    it('leaves nothing of a file that is discarded, even while it is written, and takes no more of it', async () => {
      await using opened = await open();
      const { storage } = opened;
      await storage.create();
      const growing = begin(storage);
      await growing.append(aligned(randomBytes(MiB)));
      const writing = growing.append(aligned(randomBytes(MiB)));
      await growing.discard();
      await writing.catch(() => undefined);
      await assert.rejects(growing.append(bytesOf('more')), { code: 'cancelled' });
      await assert.rejects(growing.finish(file('data', 'gone')), { code: 'cancelled' });
      assert.deepEqual(await storage.list('data'), []);
    });

    it('ends with the signal that it began with', async () => {
      await using opened = await open();
      const { storage } = opened;
      const stopping = new AbortController();
      const growing = begin(storage, stopping.signal);
      await growing.append(bytesOf('0123'));
      stopping.abort();
      await assert.rejects(growing.append(bytesOf('4567')), { code: 'cancelled' });
      await assert.rejects(growing.finish(file('data', 'half')), { code: 'cancelled' });
      await growing.discard();
      assert.deepEqual(await storage.list('data'), []);
    });
  });
}
