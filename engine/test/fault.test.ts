/**
 * Each call that a verb makes to its storage goes wrong once, in each way that storages do: what comes out is an error
 * with a code or a complete result, never a wrong byte, and every snapshot that was committed before is there and whole.
 */
import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { after, before, describe } from 'node:test';
import {
  addKey,
  changePassword,
  check,
  diff,
  find,
  forget,
  generateKey,
  initRepository,
  listKeys,
  listSnapshots,
  openRepository,
  prune,
  removeKey,
  repairIndex,
  repairPacks,
  repairSnapshots,
  stats,
  tag,
  unlock,
  versions,
} from '../src/index.ts';
import type { Secret, Storage } from '../src/index.ts';
import { encodeLock } from '../src/format/lock-file.ts';
import type { LockRecord } from '../src/format/lock-file.ts';
import { sealUnpacked } from '../src/format/unpacked.ts';
import { saveHashed } from '../src/storage/load-verified.ts';
import { everyCall } from './fault/every-call.ts';
import type { Trial } from './fault/every-call.ts';
import { FaultBase, flipBit, listingsOf } from './fault/fault-base.ts';

let base: FaultBase;
before(async () => {
  base = await FaultBase.make();
});
after(() => base[Symbol.dispose]());

const tries = (name: string, make: () => Trial): void => everyCall(name, () => ({ base, trial: make() }));

const REMOVES = 'who removes what nothing refers to must see all that refers; the contract of storages promises it';

describe('whatever happens to one call of', () => {
  tries('snapshots', () => ({
    run: async ({ repository }) => {
      const { snapshots, problems } = await listSnapshots(repository);
      for (const { id } of snapshots) assert.ok(id === base.older.id || id === base.newer.id);
      // A listing that is stale can't be told from one that is not.
      assert.ok(snapshots.length + problems.length >= 1);
    },
  }));

  tries('forget', () => ({
    mayGo: [base.older.id],
    run: async ({ repository, storage }) => {
      const { removed, problems } = await forget(repository, { policy: { keep: { last: 1 } } });
      const { snapshots } = await listSnapshots(base.open(storage));
      for (const id of removed) assert.ok(snapshots.every((each) => each.id !== id));
      assert.ok(removed.length + problems.length <= 2);
    },
  }));

  tries('prune', () => ({
    oneOf: 2,
    needsTrue: { kinds: ['snapshots', 'index'], because: REMOVES },
    run: async ({ repository, storage }) => {
      const { isDone } = await prune(repository, { maxUnused: { kind: 'bytes', bytes: 0 } });
      assert.ok(isDone);
      assert.deepEqual((await check(base.open(storage), { workers: 1 })).errors, []);
    },
  }));

  tries('tag', () => ({
    run: async ({ repository, storage }) => {
      const { changed } = await tag(repository, { change: { add: ['x'] } });
      const { snapshots } = await listSnapshots(base.open(storage));
      for (const { old, new: id } of changed) {
        assert.ok(snapshots.every((each) => each.id !== old));
        assert.ok(snapshots.some((each) => each.id === id && each.tags.includes('x')));
      }
    },
  }));

  tries('find, versions, diff and stats', () => ({
    oneOf: 4,
    needsTrue: { kinds: ['snapshots'], because: 'what is not listed can not be looked into' },
    run: async ({ repository }) => {
      const path = `${base.source}/changes`;
      const [from, to] = [{ snapshot: base.older }, { snapshot: base.newer }];
      const found = find(repository, { patterns: ['changes'] });
      let paths = 0;
      let next = await found.next();
      for (; next.done !== true; next = await found.next()) paths += 1;
      const known = await versions(repository, path);
      // What could not be looked into is named.
      assert.ok(paths === 2 || next.value.length > 0);
      assert.ok(known.versions.length === 2 || known.problems.length > 0);
      const changes: string[] = [];
      for await (const change of diff(repository, from, to)) changes.push(`${change.modifier} ${change.path}`);
      assert.deepEqual(changes, [`M ${path}`, `- ${base.source}/goes`]);
      const { files, problems } = await stats(repository);
      assert.ok(files > 8 || problems.length > 0);
    },
  }));

  tries('unlock', () => ({
    prepare: async (storage) => {
      const { key } = base.base;
      for (const lock of [STALE, HELD]) await saveHashed(storage, 'locks', sealUnpacked(key, encodeLock(lock())));
    },
    run: async ({ repository }) => {
      const { removed, left } = await unlock(repository);
      assert.ok(removed.every(({ record }) => record?.hostname === 'a machine that slept'));
      assert.ok(removed.length + left.length >= 1);
    },
    expect: async ({ storage, when }) => {
      const { left } = await unlock(base.open(storage));
      assert.deepEqual(
        left.map(({ record }) => record?.pid),
        [process.pid],
        when,
      );
      await base.expectWhole(storage, [], when);
    },
  }));
});

const lockOf = (hostName: string, agoMs: number): LockRecord => ({
  time: new Date(Date.now() - agoMs).toISOString(),
  exclusive: false,
  hostname: hostName,
  username: 'root',
  pid: process.pid,
});
const STALE = (): LockRecord => lockOf('a machine that slept', 31 * 60_000);
const HELD = (): LockRecord => lockOf(hostname(), 0);

describe('whatever happens to one call, a repository has a key that opens it after', () => {
  const opens = async (storage: Storage, secret: Secret): Promise<boolean> => {
    try {
      return (await openRepository(storage, secret)).id === base.base.id;
    } catch {
      return false;
    }
  };
  const next: Secret = { kind: 'key', text: generateKey() };
  const addSecond = async (storage: Storage): Promise<void> => {
    await addKey(base.open(storage), base.second);
  };

  tries('key list', () => ({
    prepare: addSecond,
    run: async ({ repository }) => {
      const { keys, damaged } = await listKeys(repository, base.secret);
      assert.ok(keys.length + damaged.length >= 1);
      assert.ok(keys.filter(({ isCurrent }) => isCurrent).length <= 1);
    },
  }));

  tries('key add', () => ({
    run: async ({ repository, storage }) => {
      await addKey(repository, next);
      assert.ok(await opens(storage, next));
    },
    expect: async ({ storage, when }) => assert.ok(await opens(storage, base.secret), when),
  }));

  tries('key remove', () => ({
    prepare: addSecond,
    run: async ({ repository, storage }) => {
      const { keys } = await listKeys(base.open(storage), base.second);
      const wanted = keys.find(({ isCurrent }) => isCurrent);
      await removeKey(repository, wanted?.id ?? '', base.secret);
      assert.equal(await opens(storage, base.second), false);
    },
    expect: async ({ storage, when }) => assert.ok(await opens(storage, base.secret), when),
  }));

  tries('key remove of the only key that the password opens', () => ({
    run: async ({ repository, storage }) => {
      const [only] = await storage.list('keys');
      await assert.rejects(removeKey(repository, only?.id ?? '', base.secret), (error) => {
        assert.ok(error instanceof Error && 'code' in error);
        return true;
      });
    },
    expect: async ({ storage, when }) => assert.ok(await opens(storage, base.secret), when),
  }));

  tries('key passwd', () => ({
    run: async ({ repository, storage }) => {
      await changePassword(repository, base.secret, next);
      assert.equal(await opens(storage, base.secret), false);
      assert.ok(await opens(storage, next));
    },
    expect: async ({ storage, when }) => {
      assert.ok((await opens(storage, next)) || (await opens(storage, base.secret)), when);
    },
  }));

  tries('init', () => ({
    prepare: async (storage) => {
      await storage.remove({ kind: 'config', id: '' });
      for (const kind of ['keys', 'snapshots', 'index', 'data'] as const)
        for (const { id } of await storage.list(kind)) await storage.remove({ kind, id });
    },
    run: async ({ repository, storage }) => {
      await initRepository(repository.storage, next);
      await openRepository(storage, next);
    },
    // Begun again on a storage that works: what a failure left is not in the way, or is a whole repository.
    expect: async ({ storage, when }) => {
      const isThere = (await storage.size({ kind: 'config', id: '' })) !== null;
      if (!isThere) for (const { id } of await storage.list('keys')) await storage.remove({ kind: 'keys', id });
      await (isThere ? openRepository(storage, next) : initRepository(storage, next));
      assert.equal((await storage.list('keys')).length, 1, when);
    },
  }));
});

describe('whatever happens to one call, what is whole in a damaged repository stays so, and can be mended after', () => {
  /** The largest blob of the largest pack of data, which is damaged. */
  let pack = '';
  let lost: ReadonlySet<string> = new Set();
  before(async () => {
    const packs = (await listingsOf(base.base)).filter(({ blobs }) => blobs[0]?.type === 'data' && blobs.length > 1);
    const [largest] = packs.toSorted((a, b) => b.blobs.length - a.blobs.length);
    const blob = largest?.blobs.toSorted((a, b) => b.length - a.length)[0];
    assert.ok(largest !== undefined && blob !== undefined);
    pack = largest.id;
    lost = new Set([blob.id]);
    damagePack = async (storage) => flipBit(storage, { kind: 'data', id: pack }, blob.offset + 20);
  });
  let damagePack: (storage: Storage) => Promise<void>;

  for (const readAllPacks of [false, true]) {
    tries(`repair index${readAllPacks ? ', reading all packs' : ''}`, () => ({
      prepare: async (storage) => {
        const [first] = await storage.list('index');
        await flipBit(storage, { kind: 'index', id: first?.id ?? '' }, 40);
      },
      run: async ({ repository, storage, when }) => {
        await repairIndex(repository, { readAllPacks });
        assert.deepEqual((await check(base.open(storage), { workers: 1 })).errors, [], when);
      },
      expect: async ({ storage, when }) => {
        await repairIndex(base.open(storage));
        await base.expectWhole(storage, [], when);
      },
    }));
  }

  tries('repair packs', () => ({
    prepare: async (storage) => damagePack(storage),
    run: async ({ repository, storage, when }) => {
      const { problems } = await repairPacks(repository, [pack]);
      assert.deepEqual(
        problems.map(({ code }) => code),
        ['blob-lost'],
        when,
      );
      assert.equal(await storage.size({ kind: 'data', id: pack }), null);
    },
    expect: async ({ storage, when }) => {
      if ((await storage.size({ kind: 'data', id: pack })) !== null) await repairPacks(base.open(storage), [pack]);
      await base.expectAllBut(storage, lost, when);
    },
  }));

  tries('repair snapshots', () => ({
    needsTrue: { kinds: ['index', 'snapshots'], because: `what is not listed is not mended, and ${REMOVES}` },
    prepare: async (storage) => {
      await damagePack(storage);
      await repairPacks(base.open(storage), [pack]);
    },
    run: async ({ repository, storage, when }) => {
      const { problems } = await repairSnapshots(repository, { forget: true });
      const errors = (await check(base.open(storage), { workers: 1 })).errors;
      // A snapshot file that could not be read was left alone, and is named.
      assert.ok(errors.length === 0 || problems.length > 0, when);
    },
    expect: async ({ storage, when }) => {
      await repairSnapshots(base.open(storage), { forget: true });
      assert.deepEqual((await check(base.open(storage), { workers: 1 })).errors, [], when);
      await base.expectAllBut(storage, lost, when);
    },
  }));

  tries('repair snapshots that nothing is missing of', () => ({
    needsTrue: { kinds: ['index'], because: REMOVES },
    run: async ({ repository, when }) => {
      const { repaired } = await repairSnapshots(repository, { forget: true });
      assert.deepEqual(repaired, [], when);
    },
  }));
});
