/** As `fault.test.ts`, for the verbs that move blobs, and for those at work on two repositories on either side. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe } from 'node:test';
import { backup, check, copy, entriesOfPaths, findSnapshot, heal, listSnapshots, restore } from '../src/index.ts';
import type { BackupResult, HealResult, Repository, Storage } from '../src/index.ts';
import { everyCall } from './fault/every-call.ts';
import type { FaultRun, Trial } from './fault/every-call.ts';
import { FaultBase, cloneOf, flipBit, listingsOf } from './fault/fault-base.ts';

let base: FaultBase;
before(async () => {
  base = await FaultBase.make();
});
after(() => base[Symbol.dispose]());

const tries = (name: string, make: () => Trial): void => everyCall(name, () => ({ base, trial: make() }));

const backUp = async (...repositories: readonly Repository[]): Promise<BackupResult> =>
  backup({ source: entriesOfPaths([base.source]), repositories, paths: [base.source], workers: 1 });

/** What is told to be complete has its snapshot, and holds the source. */
async function expectCopies(result: BackupResult, places: readonly Repository[]): Promise<void> {
  for (const [at, { state, error }] of result.copies.entries()) {
    const place = places[at];
    const said = result.snapshots.find(({ repository }) => repository === result.copies[at]?.repository);
    assert.equal(state === 'complete', said !== undefined, error?.message ?? '');
    if (said === undefined || place === undefined) continue;
    const { snapshots } = await listSnapshots(place);
    assert.ok(snapshots.some(({ id }) => id === said.id));
  }
}

describe('whatever happens to one call of', () => {
  tries('backup', () => ({
    oneOf: 3,
    run: async ({ repository, storage }) => {
      const result = await backUp(repository);
      assert.equal(result.problems.length, 0);
      await expectCopies(result, [base.open(storage)]);
    },
  }));

  tries('restore', () => ({
    oneOf: 2,
    run: async ({ repository, directory }) => {
      const snapshot = await findSnapshot(repository, base.newer.id);
      const result = await restore({ repository, snapshot, target: directory, workers: 1 });
      assert.equal(result.problems.length, 0);
      for (const [path, bytes] of base.contents.get(base.newer.tree) ?? [])
        assert.ok(readFileSync(join(directory, path)).equals(bytes), path);
    },
  }));

  tries('check', () => ({
    oneOf: 3,
    run: async ({ repository }) => {
      await check(repository, { readData: true, workers: 1 });
    },
  }));

  tries('copy, in the repository that it copies from', () => ({
    oneOf: 3,
    run: async ({ repository, when }) => {
      const into = await cloneOf(base.other);
      try {
        await copy({ from: repository, to: base.open(into, base.other), workers: 1 });
      } finally {
        await base.expectReadable(base.open(into, base.other), when);
      }
    },
  }));

  tries('copy, in the repository that it copies into', () => ({
    oneOf: 3,
    run: async ({ repository, storage }) => {
      const { copied } = await copy({ from: base.other, to: repository, workers: 1 });
      const { snapshots } = await listSnapshots(base.open(storage));
      for (const { to } of copied) assert.ok(snapshots.some(({ id }) => id === to));
    },
  }));

  for (const isFirst of [true, false]) {
    tries(`backup into two copies, in the ${isFirst ? 'first' : 'second'} of them`, () => ({
      oneOf: 4,
      run: async ({ repository, storage, when }) => {
        const whole = await cloneOf(base.other);
        const unharmed = base.open(whole, base.other);
        const place = base.open(storage);
        const [first, second] = isFirst ? [repository, unharmed] : [unharmed, repository];
        try {
          const result = await backUp(first, second);
          await expectCopies(result, isFirst ? [place, unharmed] : [unharmed, place]);
          const [state] = result.copies.filter((each) => each.repository === unharmed);
          assert.equal(state?.state, 'complete', `${when}: nothing was wrong with this one`);
        } finally {
          await base.expectReadable(base.open(whole, base.other), when);
        }
      },
    }));
  }
});

describe('whatever happens to one call, heal', () => {
  /** A bit in the largest pack of data, a pack of listings gone, a bit in an index file and in a snapshot. */
  async function damage(storage: Storage): Promise<void> {
    const packs = await listingsOf(base.base);
    const [data] = packs
      .filter(({ blobs }) => blobs[0]?.type === 'data')
      .toSorted((a, b) => b.blobs.length - a.blobs.length);
    const [tree] = packs.filter(({ blobs }) => blobs[0]?.type === 'tree');
    const [index] = await storage.list('index');
    assert.ok(data !== undefined && tree !== undefined && index !== undefined);
    await flipBit(storage, { kind: 'data', id: data.id }, 77);
    await storage.remove({ kind: 'data', id: tree.id });
    await flipBit(storage, { kind: 'index', id: index.id }, 40);
    await flipBit(storage, { kind: 'snapshots', id: base.older.id }, 50);
  }

  async function expectHealed(storage: Storage, when: string): Promise<void> {
    const { left } = await heal({ damaged: base.open(storage), healthy: base.base, workers: 1 });
    assert.deepEqual(left, [], when);
    await base.expectWhole(storage, [], when);
  }

  /** What is left is either true, or was misread by the last look. */
  async function expectTrue({ left }: HealResult, { storage, when }: FaultRun): Promise<void> {
    if (left.length === 0) await base.expectWhole(storage, [], when);
    else assert.ok(/^(?:flip|short|stale) /.test(when) || left.every(({ code }) => code.startsWith('storage-')), when);
  }

  tries('mends in the end, or can be run again: in the damaged repository', () => ({
    oneOf: 48,
    prepare: damage,
    run: async (run) => {
      const { repository } = run;
      await expectTrue(await heal({ damaged: repository, healthy: base.base, workers: 1 }), run);
    },
    expect: async ({ storage, when }) => expectHealed(storage, when),
  }));

  tries('mends in the end, or can be run again: in the other copy', () => ({
    oneOf: 24,
    run: async ({ repository, directory, when }) => {
      const storage = await cloneOf(base.base);
      await damage(storage);
      try {
        const result = await heal({ damaged: base.open(storage), healthy: repository, workers: 1 });
        await expectTrue(result, { repository, storage, directory, when });
      } finally {
        await expectHealed(storage, when);
      }
    },
  }));
});
