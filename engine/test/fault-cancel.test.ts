/**
 * Each call that a verb makes to its storage hangs once, and the verb is cancelled: it ends with `cancelled`, but for
 * the calls of a commit, which are waited for (here until the watch over the storage ends them).
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  EngineError,
  addKey,
  backup,
  changePassword,
  check,
  copy,
  diff,
  entriesOfPaths,
  find,
  findBlobs,
  forget,
  forgetNamed,
  generateKey,
  heal,
  listKeys,
  openRepository,
  prune,
  removeKey,
  repairIndex,
  repairPacks,
  repairSnapshots,
  restore,
  stats,
  tag,
  unlock,
  versions,
} from '../src/index.ts';
import type { Repository, Secret } from '../src/index.ts';
import { inParallel } from '../src/lib/in-parallel.ts';
import { watchStorage } from '../src/storage/watch-storage.ts';
import { FaultBase, cloneOf, listingsOf } from './fault/fault-base.ts';
import { FaultStorage } from './storage/fault-storage.ts';
import { TestTimers } from './storage/test-timers.ts';

const RUNS_AT_ONCE = 16;
const STALL_MS = 5 * 60_000;
/** Long beside what a cancelled verb has left to do. */
const PATIENCE_MS = 1500;

let base: FaultBase;
let pack = '';
let targets = 0;
before(async () => {
  base = await FaultBase.make();
  pack = (await listingsOf(base.base))[0]?.id ?? '';
});
after(() => base[Symbol.dispose]());

type Run = { readonly repository: Repository; readonly signal: AbortSignal };

const drain = async (found: AsyncIterable<unknown>): Promise<void> => {
  for await (const _ of found);
};
const next: Secret = { kind: 'key', text: generateKey() };

/** Verb, what it does, and its calls that a cancellation does not end: those of its commit. */
const VERBS: readonly [string, (run: Run) => Promise<unknown>, ...committed: readonly string[]][] = [
  [
    'backup',
    async ({ repository, signal }) =>
      backup({
        source: entriesOfPaths([base.source]),
        repositories: [repository],
        paths: [base.source],
        workers: 1,
        signal,
      }),
    'save data',
    'save index',
    'size locks',
    'save snapshots',
    'load snapshots',
  ],
  [
    'restore',
    async ({ repository, signal }) =>
      restore({ repository, snapshot: base.newer, target: join(base.path, `out ${++targets}`), workers: 1, signal }),
  ],
  ['check', async ({ repository, signal }) => check(repository, { readData: true, workers: 1, signal })],
  ['open', async ({ repository, signal }) => openRepository(repository.storage, base.secret, { signal })],
  [
    'forget',
    async ({ repository, signal }) => forget(repository, { policy: { keep: { last: 1 } }, signal }),
    'remove snapshots',
  ],
  [
    'forget of a named snapshot',
    async ({ repository, signal }) => forgetNamed(repository, [base.older.id], { signal }),
    'remove snapshots',
  ],
  ['prune', async ({ repository, signal }) => prune(repository, { maxUnused: { kind: 'bytes', bytes: 0 }, signal })],
  [
    'tag',
    async ({ repository, signal }) => tag(repository, { change: { add: ['x'] }, signal }),
    'save snapshots',
    'load snapshots',
    'remove snapshots',
    'size locks',
  ],
  ['find', async ({ repository, signal }) => drain(find(repository, { patterns: ['changes'], signal }))],
  [
    'find of a pack',
    async ({ repository, signal }) => drain(findBlobs(repository, { kind: 'pack', ids: [pack], signal })),
  ],
  [
    'diff',
    async ({ repository, signal }) =>
      drain(diff(repository, { snapshot: base.older }, { snapshot: base.newer }, { signal })),
  ],
  ['stats', async ({ repository, signal }) => stats(repository, { signal })],
  ['versions', async ({ repository, signal }) => versions(repository, `${base.source}/changes`, { signal })],
  ['unlock', async ({ repository, signal }) => unlock(repository, { signal })],
  ['key list', async ({ repository, signal }) => listKeys(repository, base.secret, { signal })],
  ['key add', async ({ repository, signal }) => addKey(repository, next, { signal })],
  [
    'key remove',
    async ({ repository, signal }) =>
      removeKey(repository, await addKey(repository, next, { signal }), base.secret, { signal }),
  ],
  [
    'key passwd',
    async ({ repository, signal }) => changePassword(repository, base.secret, next, { signal }),
    'remove keys',
  ],
  [
    'repair index',
    async ({ repository, signal }) => repairIndex(repository, { readAllPacks: true, signal }),
    'remove index',
  ],
  [
    'repair packs',
    async ({ repository, signal }) => repairPacks(repository, [pack], { signal }),
    'remove index',
    'remove data',
  ],
  ['repair snapshots', async ({ repository, signal }) => repairSnapshots(repository, { signal })],
  [
    'copy, from a repository',
    async ({ repository, signal }) =>
      copy({ from: repository, to: base.open(await cloneOf(base.other), base.other), workers: 1, signal }),
  ],
  [
    'copy, into a repository',
    async ({ repository, signal }) => copy({ from: base.other, to: repository, workers: 1, signal }),
    'save snapshots',
    'load snapshots',
  ],
];

describe('a storage that hangs keeps nobody who cancels', { concurrency: 6 }, () => {
  for (const [name, verb, ...committed] of VERBS) {
    it(name, async () => {
      const { counts } = await hangAt(verb, Infinity);
      const calls = Object.values(counts).reduce((sum, count) => sum + count, 0);
      assert.ok(calls >= 1);
      const numbers = Array.from({ length: calls }, (_, n) => n + 1);
      let cancelled = 0;
      await inParallel(numbers, RUNS_AT_ONCE, async (at) => {
        const { hit, code } = await hangAt(verb, at);
        if (code === 'cancelled') cancelled += 1;
        else assert.ok(['remove locks', ...committed].includes(hit), `${hit} at ${at} ended with ${code}`);
      });
      assert.ok(cancelled > 0);
    });
  }

  it('heal', async () => {
    // Of many calls some: the same ways as copy and the repairs.
    await inParallel([1, 2, 3, 5, 8, 13, 21], RUNS_AT_ONCE, async (at) => {
      const { code, hit } = await hangAt(async ({ repository, signal }) => {
        await heal({ damaged: repository, healthy: base.base, workers: 1, signal });
      }, at);
      assert.ok(code === 'cancelled' || hit === 'remove locks', `${hit} at ${at} ended with ${code}`);
    });
  });
});

/** The code with which the verb ended, `complete` where it did not fail. */
async function hangAt(
  verb: (run: Run) => Promise<unknown>,
  at: number,
): Promise<Pick<FaultStorage, 'hit' | 'counts'> & { readonly code: string }> {
  const storage = await cloneOf(base.base);
  const cancel = new AbortController();
  const timers = new TestTimers();
  let stalling: NodeJS.Timeout | undefined;
  const onHang = (): void => {
    setImmediate(() => cancel.abort());
    stalling = setTimeout(() => void timers.advance(STALL_MS), PATIENCE_MS);
  };
  const faulty = new FaultStorage(storage, 'hang', at, { onHang });
  const repository = base.open(watchStorage(faulty, { timers, stallMs: STALL_MS }));
  let code = 'complete';
  try {
    await verb({ repository, signal: cancel.signal });
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    code = error.code;
  }
  clearTimeout(stalling);
  await base.expectReadable(base.open(storage), `${faulty.hit} at ${at}`);
  return { hit: faulty.hit, counts: faulty.counts, code };
}
