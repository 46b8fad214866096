/** A hundredth of all files of a repository damaged at random, and a remote copy that is away for a day. */
import assert from 'node:assert/strict';
import { createHash, randomInt } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  EngineError,
  backup,
  check,
  copy,
  entriesOfPaths,
  generateKey,
  heal,
  initRepository,
  listSnapshots,
  openLocalStorage,
  openMemoryStorage,
  openRepository,
} from '../src/index.ts';
import type { BackupResult, FileHandle, Repository, Secret } from '../src/index.ts';
import { retryStorage } from '../src/storage/retry-storage.ts';
import { wrapStorage } from '../src/storage/wrap-storage.ts';
import { contentOf, listingsOf } from './fault/fault-base.ts';
import { openWorkplace, restic } from './fixtures.ts';
import { TestTimers } from './storage/test-timers.ts';

const newSecret = (): Secret => ({ kind: 'key', text: generateKey() });
const noise = (seed: string, bytes: number): Buffer =>
  Buffer.concat(
    Array.from({ length: Math.ceil(bytes / 32) }, (_, n) => createHash('sha256').update(`${seed} ${n}`).digest()),
  ).subarray(0, bytes);

const backUp = async (repositories: readonly Repository[], source: string): Promise<BackupResult> =>
  backup({ source: entriesOfPaths([source]), repositories, paths: [source], workers: 1 });

describe('heal', () => {
  for (const seed of [20_261_123, randomInt(2 ** 31)]) {
    it(`mends a hundredth of all files, and one of each kind at least, damaged at random (seed ${seed})`, async (context) => {
      using place = openWorkplace();
      const source = join(place.path, 'source');
      mkdirSync(source);
      const local = await initRepository(openMemoryStorage(), newSecret());
      const remote = await initRepository(openMemoryStorage(), newSecret(), { polynomialOf: local });
      for (let run = 0; run < 15; run++) {
        writeFileSync(join(source, `file ${run}`), noise(`${seed} ${run}`, 5000));
        await backUp([local, remote], source);
      }
      const expected = new Map<string, unknown>();
      for (const snapshot of (await listSnapshots(local)).snapshots)
        expected.set(snapshot.tree, await contentOf(local, snapshot));
      const trees = new Set(
        (await listingsOf(local)).filter(({ blobs }) => blobs[0]?.type === 'tree').map(({ id }) => id),
      );
      const files: FileHandle[] = [];
      for (const kind of ['data', 'index', 'snapshots'] as const)
        for (const { id } of await local.storage.list(kind)) files.push({ kind, id });
      const ofKind = (wanted: (file: FileHandle) => boolean): FileHandle[] => files.filter(wanted);
      const groups = [
        ofKind(({ kind }) => kind === 'index'),
        ofKind(({ kind }) => kind === 'snapshots'),
        ofKind(({ kind, id }) => kind === 'data' && trees.has(id)),
        ofKind(({ kind, id }) => kind === 'data' && !trees.has(id)),
      ];
      const draw = fc.sample(fc.nat(), { seed, numRuns: 200 });
      const next = (): number => draw.pop() ?? 0;
      const hit = new Set(groups.map((group) => group[next() % group.length] as FileHandle));
      while (hit.size < files.length / 100) hit.add(files[next() % files.length] as FileHandle);
      for (const file of hit) await damage(local, file, next);
      context.diagnostic(`${hit.size} of ${files.length} files damaged`);
      const { left } = await heal({ damaged: local, healthy: remote, workers: 1 });
      assert.deepEqual(left, []);
      assert.deepEqual((await check(local, { readData: true, workers: 1 })).errors, []);
      const { snapshots } = await listSnapshots(local);
      assert.equal(snapshots.length, 15);
      for (const snapshot of snapshots) assert.deepEqual(await contentOf(local, snapshot), expected.get(snapshot.tree));
    });
  }
});

/** A bit changed, the end cut off, or all of it gone (but for snapshots: one that is gone counts as forgotten). */
async function damage({ storage }: Repository, file: FileHandle, next: () => number): Promise<void> {
  const bytes = await storage.load(file);
  const at = next() % bytes.length;
  const how = next() % 3;
  if (how === 0 && file.kind !== 'snapshots') return storage.remove(file);
  bytes[at] = (bytes[at] ?? 0) ^ 0x20;
  await storage.save(file, how === 1 ? bytes : bytes.subarray(0, at));
}

describe('a remote copy that is away for a day', () => {
  it('stops no local backup, and is complete after the next run and a copy, as restic says of both', async () => {
    using place = openWorkplace();
    const source = join(place.path, 'source');
    mkdirSync(source);
    const [localAt, remoteAt] = [join(place.path, 'local'), join(place.path, 'remote')];
    const secrets = [newSecret(), newSecret()] as const;
    let now = Date.parse('2026-11-23T02:00:00Z');
    const clock = (): Date => new Date(now);
    const local = await initRepository(openLocalStorage(localAt), secrets[0], { clock });
    await initRepository(openLocalStorage(remoteAt), secrets[1], { polynomialOf: local });
    let isAway = false;
    let refused = 0;
    const line = wrapStorage(openLocalStorage(remoteAt), async (_, run, options) => {
      if (!isAway) return run(options);
      refused += 1;
      throw new EngineError('storage-unreachable', { location: 'remote', reason: 'no route to host' });
    });
    // Retries wait for minutes of a time that passes by itself.
    const timers = new TestTimers({ passesBySleeping: true });
    const remote = await openRepository(retryStorage(line, { timers, random: () => 0.5 }), secrets[1], { clock });
    const night = async (name: string): Promise<BackupResult> => {
      writeFileSync(join(source, name), noise(name, 60_000));
      const result = await backUp([local, remote], source);
      now += 6 * 3_600_000;
      return result;
    };
    await night('before');
    isAway = true;
    for (const name of ['first', 'second', 'third', 'fourth']) {
      const { copies } = await night(name);
      const states = copies.map(({ state, error }) => [state, error?.code ?? null]);
      assert.deepEqual(states, [
        ['complete', null],
        ['behind', 'storage-unreachable'],
      ]);
    }
    assert.ok(refused > 4);
    assert.match(restic(localAt, ['check', '--read-data'], secrets[0].text), /no errors were found/);
    isAway = false;
    const { copies } = await night('after');
    assert.ok(copies.every(({ state }) => state === 'complete'));
    const { copied } = await copy({ from: local, to: remote, workers: 1 });
    assert.equal(copied.length, 4);
    const trees = async (repository: Repository): Promise<readonly string[]> =>
      (await listSnapshots(repository)).snapshots.map(({ tree }) => tree);
    assert.deepEqual(await trees(remote), await trees(local));
    for (const [at, secret] of [
      [localAt, secrets[0]],
      [remoteAt, secrets[1]],
    ] as const)
      assert.match(restic(at, ['check', '--read-data'], secret.text), /no errors were found/);
  });
});
