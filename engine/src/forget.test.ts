import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { openWorkplace, restic } from '../test/fixtures.ts';
import { forget, forgetNamed } from './forget.ts';
import { EngineError } from './errors.ts';
import { parseTreeId } from './ids.ts';
import { PIN_TAG } from './plan-forget.ts';
import { initRepository } from './repository.ts';
import type { Repository } from './repository.ts';
import { generateKey } from './seal/password.ts';
import { listSnapshots, saveSnapshot } from './snapshots.ts';
import { openLocalStorage } from './storage/local-storage.ts';
import { tag } from './tag.ts';

const place = openWorkplace();
const key = generateKey();
let serial = 0;
after(() => place[Symbol.dispose]());

/** A repository with one snapshot per day of November, the newest last. */
async function withDays(days: number, tags: (day: number) => readonly string[] = () => []): Promise<Repository> {
  const storage = openLocalStorage(`${place.path}/${++serial}`);
  const repository = await initRepository(storage, { kind: 'key', text: key });
  for (let day = 1; day <= days; day++) {
    await saveSnapshot(repository, {
      time: `2024-11-${String(day).padStart(2, '0')}T02:00:00Z`,
      tree: parseTreeId('ab'.repeat(32)),
      parent: null,
      paths: ['/srv'],
      hostname: 'web',
      username: 'root',
      uid: 0,
      gid: 0,
      excludes: ['*.tmp'],
      tags: tags(day),
      original: null,
      programVersion: 'restic 0.17.0',
      summary: { files_new: day },
    });
  }
  return repository;
}

async function daysOf(repository: Repository): Promise<readonly number[]> {
  return (await listSnapshots(repository)).snapshots.map(({ time }) => Number(time.slice(8, 10)));
}

const hasCode = (code: string) => (error: unknown) => error instanceof EngineError && error.code === code;

describe('forget', () => {
  it('removes what the plan says, and nothing in a dry run', async () => {
    const repository = await withDays(5);
    const policy = { keep: { daily: 2 } };
    const dry = await forget(repository, { policy, dryRun: true });
    assert.equal(dry.removed.length, 3);
    assert.deepEqual(await daysOf(repository), [1, 2, 3, 4, 5]);
    const done = await forget(repository, { policy });
    assert.deepEqual(done.removed.toSorted(), dry.removed.toSorted());
    assert.deepEqual(await daysOf(repository), [4, 5]);
    assert.deepEqual(await repository.storage.list('locks'), []);
  });

  it('touches only snapshot files', async () => {
    const repository = await withDays(3);
    await repository.storage.save({ kind: 'data', id: 'cd'.repeat(32) }, Buffer.from('a pack'));
    await forget(repository, { policy: { keep: { last: 1 } } });
    assert.equal((await repository.storage.list('data')).length, 1);
    assert.equal((await repository.storage.list('keys')).length, 1);
  });

  it('leaves alone what the filter leaves out', async () => {
    const repository = await withDays(4, (day) => (day % 2 === 0 ? ['even', 'other'] : []));
    await forget(repository, { policy: { keep: { last: 1 } }, filter: { tags: [['even', 'other']] } });
    assert.deepEqual(await daysOf(repository), [1, 3, 4]);
  });

  it('is refused while anybody works there, and keeps nobody out in a dry run', async () => {
    const repository = await withDays(2);
    await using lock = await repository.lock('shared');
    await assert.rejects(forget(repository, { policy: { keep: { last: 1 } } }), hasCode('repository-locked'));
    const dry = await forget(repository, { policy: { keep: { last: 1 } }, dryRun: true });
    assert.equal(dry.removed.length, 1);
    await lock.close();
  });

  it('takes an empty policy only with a filter and with leave', async () => {
    const repository = await withDays(2, (day) => (day === 1 ? ['old'] : []));
    const filter = { tags: [['old']] };
    await assert.rejects(forget(repository, { policy: {}, filter }), hasCode('policy-empty'));
    await assert.rejects(forget(repository, { policy: {}, allowRemoveAll: true }), hasCode('policy-empty'));
    await forget(repository, { policy: {}, filter, allowRemoveAll: true });
    assert.deepEqual(await daysOf(repository), [2]);
  });

  it('removes named snapshots, but no pinned one', async () => {
    const repository = await withDays(3, (day) => (day === 1 ? [PIN_TAG] : []));
    const ids = (await listSnapshots(repository)).snapshots.map(({ id }) => id.slice(0, 12));
    const { removed, problems } = await forgetNamed(repository, ids.slice(0, 2));
    assert.equal(removed.length, 1);
    assert.deepEqual(
      problems.map(({ code }) => code),
      ['snapshot-pinned'],
    );
    assert.deepEqual(await daysOf(repository), [1, 3]);
  });

  it('refuses a beginning that several ids have, and one that none has', async () => {
    const repository = await withDays(17);
    const ids = (await listSnapshots(repository)).snapshots.map(({ id }) => id);
    // 17 ids can not begin with 16 different digits.
    const twice = ids.map((id) => id.slice(0, 1)).find((digit, i, all) => all.indexOf(digit) !== i) ?? '';
    await assert.rejects(forgetNamed(repository, [twice]), hasCode('snapshot-ambiguous'));
    await assert.rejects(forgetNamed(repository, [ids[0] ?? '', 'ff'.repeat(32)]), hasCode('snapshot-unknown'));
    assert.equal((await daysOf(repository)).length, 17);
  });

  it('goes on with the others where a snapshot file can not be read or removed, and names it', async () => {
    const repository = await withDays(4);
    const [first, second] = (await listSnapshots(repository)).snapshots;
    const { storage } = repository;
    await storage.remove({ kind: 'snapshots', id: first?.id ?? '' });
    await storage.save({ kind: 'snapshots', id: first?.id ?? '' }, Buffer.from('damaged'));
    const remove = storage.remove.bind(storage);
    storage.remove = async (file) => {
      if (file.id === second?.id)
        throw new EngineError('storage-failed', { location: 'x', action: 'remove', reason: 'no' });
      await remove(file);
    };
    const { removed, problems } = await forget(repository, { policy: { keep: { last: 1 } } });
    assert.equal(removed.length, 1);
    assert.deepEqual(
      problems.map(({ code }) => code),
      ['snapshot-damaged', 'storage-failed'],
    );
  });

  it('changes nothing once it was cancelled', async () => {
    const repository = await withDays(2);
    const signal = AbortSignal.abort();
    await assert.rejects(forget(repository, { policy: { keep: { last: 1 } }, signal }), hasCode('cancelled'));
    assert.deepEqual(await daysOf(repository), [1, 2]);
  });
});

describe('tag', () => {
  let repository: Repository;
  before(async () => {
    repository = await withDays(2, () => ['daily']);
  });

  it('adds and removes tags as stock restic reads them, and keeps everything else', async () => {
    const before = (await listSnapshots(repository)).snapshots;
    const { changed } = await tag(repository, { change: { add: ['kept', 'daily'], remove: ['nothing'] } });
    assert.deepEqual(
      changed.map(({ old }) => old),
      before.map(({ id }) => id),
    );
    const after = (await listSnapshots(repository)).snapshots;
    assert.deepEqual(
      after.map((each) => ({ ...each, id: '' })),
      before.map((each) => ({ ...each, id: '', tags: ['daily', 'kept'], original: each.id })),
    );
    const theirs = JSON.parse(restic(repository.location, ['snapshots', '--json', '--tag', 'daily,kept'], key)) as {
      original: string;
    }[];
    assert.deepEqual(
      theirs.map(({ original }) => original),
      before.map(({ id }) => id),
    );
  });

  it('keeps the first id through every later change, as stock restic does after us', async () => {
    const originals = (await listSnapshots(repository)).snapshots.map(({ original }) => original);
    await tag(repository, { change: { set: ['only'] } });
    restic(repository.location, ['tag', '--add', 'theirs'], key);
    const after = (await listSnapshots(repository)).snapshots;
    assert.deepEqual(
      after.map(({ original, tags }) => [original, tags]),
      originals.map((id) => [id, ['only', 'theirs']]),
    );
  });

  it('writes nothing where a snapshot has its tags already, and takes all away with the empty tag', async () => {
    const { changed } = await tag(repository, { change: { add: ['only'] } });
    assert.deepEqual(changed, []);
    await tag(repository, { change: { set: [''] }, filter: { ids: ['latest'] } });
    assert.deepEqual(
      (await listSnapshots(repository)).snapshots.map(({ tags }) => tags),
      [['only', 'theirs'], []],
    );
  });

  it('leaves the old snapshot where the new one could not be saved', async () => {
    const fresh = await withDays(1);
    fresh.storage.save = (file) =>
      file.kind === 'snapshots'
        ? Promise.reject(new EngineError('storage-full', { location: 'x' }))
        : openLocalStorage(fresh.location).save(file, Buffer.alloc(0));
    await assert.rejects(tag(fresh, { change: { add: ['t'] } }), hasCode('storage-full'));
    assert.deepEqual(await daysOf(fresh), [1]);
  });
});
