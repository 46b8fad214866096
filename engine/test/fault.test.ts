/**
 * Each call that a verb makes to its storage goes wrong once, in each way that storages do: what comes out is an error
 * with a code or a complete result, never a wrong byte, and every snapshot that was committed before is there and whole.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ENGINE_ERRORS, EngineError } from '../src/errors.ts';
import { inParallel } from '../src/lib/in-parallel.ts';
import {
  backup,
  check,
  copy,
  entriesOfPaths,
  findSnapshot,
  forget,
  generateKey,
  initRepository,
  listSnapshots,
  openLocalStorage,
  openMemoryStorage,
  openView,
  prune,
  restore,
} from '../src/index.ts';
import type { Snapshot, Storage } from '../src/index.ts';
import { Repository } from '../src/repository.ts';
import { CONFIG_FILE, LISTED_KINDS } from '../src/storage/storage.ts';
import type { FileKind } from '../src/storage/storage.ts';
import { watchStorage } from '../src/storage/watch-storage.ts';
import { openWorkplace, restic } from './fixtures.ts';
import { CONCERNED, FAULTS, FaultStorage } from './storage/fault-storage.ts';
import type { Fault } from './storage/fault-storage.ts';
import { TestTimers } from './storage/test-timers.ts';

/** Most of a run is waiting for its lock to settle. */
const RUNS_AT_ONCE = 10;
/** Stock restic looks at every so many of the repositories that were written to. */
const RUNS_PER_RESTIC = 20;
const STALL_MS = 5 * 60_000;

const place = openWorkplace();
const source = join(place.path, 'source');
const secret = generateKey();
/** What each committed snapshot holds, by its tree: path → content. */
const contents = new Map<string, ReadonlyMap<string, Buffer>>();
/** The repository that all trials begin with, and one that has another snapshot, to copy from and into. */
let base: Repository;
let other: Repository;
let older: Snapshot;
let newer: Snapshot;
let runs = 0;

before(async () => {
  mkdirSync(join(source, 'sub'), { recursive: true });
  base = await initRepository(openMemoryStorage(), { kind: 'key', text: secret });
  other = await initRepository(openMemoryStorage(), { kind: 'key', text: secret }, { polynomialOf: base });
  writeFileSync(join(source, 'sub', 'stays'), randomBytes(700_000));
  older = await commit(base, { changes: randomBytes(90_000), goes: randomBytes(50_000) });
  rmSync(join(source, 'goes'));
  newer = await commit(base, { changes: randomBytes(80_000) });
  // What no snapshot refers to, for prune: parts of packs that are needed, and packs that are not.
  const gone = await commit(base, { changes: randomBytes(60_000) });
  await base.storage.remove({ kind: 'snapshots', id: gone.id });
  await commit(other, { changes: randomBytes(40_000) });
  // What the backup under test finds new.
  writeFileSync(join(source, 'changes'), randomBytes(70_000));
  writeFileSync(join(source, 'sub', 'new'), 'new');
});
after(() => place[Symbol.dispose]());

async function commit(repository: Repository, changed: Readonly<Record<string, Buffer>>): Promise<Snapshot> {
  for (const [name, bytes] of Object.entries(changed)) writeFileSync(join(source, name), bytes);
  const result = await backup({ ...what, source: entriesOfPaths([source]), repositories: [repository] });
  const snapshot = await findSnapshot(repository, result.snapshots[0]?.id ?? '');
  contents.set(snapshot.tree, await contentOf(repository, snapshot));
  return snapshot;
}

const what = { paths: [source], workers: 1 } as const;

/** Reads every file of a snapshot, blob by blob, each compared with its hash. */
async function contentOf(repository: Repository, snapshot: Snapshot): Promise<Map<string, Buffer>> {
  const view = await openView(repository, snapshot);
  const found = new Map<string, Buffer>();
  for await (const { path, entry } of view.walk('/')) {
    if (entry.type !== 'file') continue;
    const pieces: Uint8Array[] = [];
    for await (const piece of view.read(path)) pieces.push(piece);
    found.set(path, Buffer.concat(pieces));
  }
  return found;
}

/** A repository whose key is known already: opening it is no part of the trials. */
const open = (storage: Storage, like: Repository = base): Repository =>
  new Repository(storage, like.key, like, () => new Date());

async function cloneOf({ storage: from }: Repository): Promise<Storage> {
  const storage = openMemoryStorage();
  await copyFiles(from, storage);
  return storage;
}

/** Without locks: the run has ended, and its lock with it. */
async function copyFiles(from: Storage, to: Storage): Promise<void> {
  await to.save(CONFIG_FILE, await from.load(CONFIG_FILE));
  for (const kind of LISTED_KINDS.filter((each) => each !== 'locks'))
    for (const { id } of await from.list(kind)) await to.save({ kind, id }, await from.load({ kind, id }));
}

type Run = {
  /** On which the fault lies in wait. */
  readonly repository: Repository;
  /** The same place without the fault. */
  readonly storage: Storage;
  /** A directory of this run's own. */
  readonly directory: string;
};

/** What a verb must have done where it says that it is done; what it gives is told to nobody else. */
type Trial = {
  readonly run: (run: Run) => Promise<unknown>;
  /** Of the snapshots that were there before, those that may go. */
  readonly mayGo?: readonly string[];
  /** Listings of these kinds must be true, with the reason. */
  readonly needsTrue?: { readonly kinds: readonly FileKind[]; readonly because: string };
};

function everyCall(name: string, trial: () => Trial): void {
  it(`${name}: any of its calls fails, hangs, loses its answer, is cut short, flips a bit, lists stale, finds no space`, async () => {
    const { counts } = await tryOne(trial(), 'fail', Infinity);
    const cases = FAULTS.flatMap((fault) => {
      const calls = CONCERNED[fault].reduce((sum, verb) => sum + counts[verb], 0);
      return Array.from({ length: calls }, (_, n) => ({ fault, at: n + 1 }));
    });
    assert.ok(cases.length > 5);
    await inParallel(cases, RUNS_AT_ONCE, async ({ fault, at }) => {
      await tryOne(trial(), fault, at);
    });
  });
}

async function tryOne({ run, mayGo = [], needsTrue }: Trial, fault: Fault, at: number): Promise<FaultStorage> {
  const number = ++runs;
  const storage = await cloneOf(base);
  const timers = new TestTimers();
  const onHang = (): void => void timers.advance(STALL_MS);
  const faulty = new FaultStorage(storage, fault, at, { onHang, spared: needsTrue?.kinds ?? [] });
  const directory = join(place.path, `run ${number}`);
  try {
    await run({ repository: open(watchStorage(faulty, { timers, stallMs: STALL_MS })), storage, directory });
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    const isCoded = error instanceof EngineError && Object.hasOwn(ENGINE_ERRORS, error.code);
    assert.ok(isCoded && error.code !== 'worker-failed', `${fault} at ${at}: ${describeError(error)}`);
    assert.ok(faulty.wasHit, `without a fault: ${describeError(error)}`);
  }
  await expectWhole(storage, mayGo, `${fault} at ${at}`);
  if (number % RUNS_PER_RESTIC === 0) await expectResticAgrees(storage, `${directory} repository`);
  rmSync(directory, { recursive: true, force: true });
  return faulty;
}

const describeError = (error: unknown): string => (error instanceof Error ? (error.stack ?? '') : String(error));

/** Every snapshot that was committed before is there; every one that is there now can be read to its last byte. */
async function expectWhole(storage: Storage, mayGo: readonly string[], when: string): Promise<void> {
  const repository = open(storage);
  const { snapshots, problems } = await listSnapshots(repository);
  assert.deepEqual(problems, [], when);
  for (const { id } of [older, newer])
    if (!mayGo.includes(id))
      assert.ok(
        snapshots.some((each) => each.id === id),
        `${when}: ${id} is lost`,
      );
  await expectReadable(repository, when);
}

async function expectReadable(repository: Repository, when: string): Promise<void> {
  for (const snapshot of (await listSnapshots(repository)).snapshots) {
    const content = await contentOf(repository, snapshot);
    assert.deepEqual(content, contents.get(snapshot.tree) ?? readSource(content.keys()), when);
  }
}

/** What a new snapshot must hold. */
function readSource(paths: Iterable<string>): Map<string, Buffer> {
  const names = [...paths];
  assert.equal(names.length, 3);
  return new Map(names.map((path) => [path, readFileSync(path)]));
}

async function expectResticAgrees(storage: Storage, directory: string): Promise<void> {
  await copyFiles(storage, openLocalStorage(directory));
  assert.match(restic(directory, ['check', '--read-data', '--no-lock'], secret), /no errors were found/);
  rmSync(directory, { recursive: true, force: true });
}

describe('whatever happens to one call of', () => {
  everyCall('backup', () => ({
    run: async ({ repository, storage }) => {
      const result = await backup({ ...what, source: entriesOfPaths([source]), repositories: [repository] });
      assert.equal(result.problems.length, 0);
      const { snapshots } = await listSnapshots(open(storage));
      assert.ok(snapshots.some(({ id }) => id === result.snapshots[0]?.id));
    },
  }));

  everyCall('restore', () => ({
    run: async ({ repository, directory }) => {
      const snapshot = await findSnapshot(repository, newer.id);
      const result = await restore({ repository, snapshot, target: directory, workers: 1 });
      assert.equal(result.problems.length, 0);
      for (const [path, bytes] of contents.get(newer.tree) ?? []) {
        assert.ok(readFileSync(join(directory, path)).equals(bytes), path);
      }
    },
  }));

  everyCall('snapshots', () => ({
    run: async ({ repository }) => {
      const { snapshots, problems } = await listSnapshots(repository);
      for (const { id } of snapshots) assert.ok(id === older.id || id === newer.id);
      // A listing that is stale can't be told from one that is not.
      assert.ok(snapshots.length + problems.length >= 1);
    },
  }));

  everyCall('check', () => ({
    run: async ({ repository }) => {
      await check(repository, { readData: true, workers: 1 });
    },
  }));

  everyCall('forget', () => ({
    mayGo: [older.id],
    run: async ({ repository, storage }) => {
      const { removed, problems } = await forget(repository, { policy: { keep: { last: 1 } } });
      const { snapshots } = await listSnapshots(open(storage));
      for (const id of removed) assert.ok(snapshots.every((each) => each.id !== id));
      assert.ok(removed.length + problems.length <= 2);
    },
  }));

  everyCall('prune', () => ({
    needsTrue: {
      kinds: ['snapshots', 'index'],
      because: 'who removes what nothing refers to must see all that refers; the contract of storages promises it',
    },
    run: async ({ repository, storage }) => {
      const { isDone } = await prune(repository, { maxUnused: { kind: 'bytes', bytes: 0 } });
      assert.ok(isDone);
      assert.deepEqual((await check(open(storage))).errors, []);
    },
  }));

  everyCall('copy, in the repository that it copies from', () => ({
    run: async ({ repository }) => {
      const into = await cloneOf(other);
      try {
        await copy({ from: repository, to: open(into, other), workers: 1 });
      } finally {
        await expectReadable(open(into, other), 'copied');
      }
    },
  }));

  everyCall('copy, in the repository that it copies into', () => ({
    run: async ({ repository, storage }) => {
      const { copied } = await copy({ from: other, to: repository, workers: 1 });
      const { snapshots } = await listSnapshots(open(storage));
      for (const { to } of copied) assert.ok(snapshots.some(({ id }) => id === to));
    },
  }));
});
