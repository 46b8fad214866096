/** Prune against stock restic, random histories, and a storage that fails at each call. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  check,
  listSnapshots,
  openLocalStorage,
  prune,
  repairIndex,
  repairPacks,
  repairSnapshots,
} from '../src/index.ts';
import type { PruneOptions, Repository } from '../src/index.ts';
import { FaultStorage } from './storage/fault-storage.ts';
import {
  KEY,
  backUp,
  makeCheapRepository,
  openCheapRepository,
  openWorkplace,
  restic,
  tryRestic,
} from './cheap-repository.ts';

async function forgetOldest(repository: Repository, count: number): Promise<void> {
  const { snapshots } = await listSnapshots(repository);
  for (const { id } of snapshots.slice(0, count)) await repository.storage.remove({ kind: 'snapshots', id });
}

/** Bytes of all packs. */
function packBytesOf(directory: string): number {
  const data = join(directory, 'data');
  const names = readdirSync(data, { recursive: true, encoding: 'utf8' }).filter((name) => /[0-9a-f]{64}$/.test(name));
  return names.reduce((sum, name) => sum + statSync(join(data, name)).size, 0);
}

function assertWhole(directory: string): void {
  assert.match(restic(directory, ['check', '--read-data']), /no errors were found/);
}

/** Files of 600 KB that do not compress: of those whose number fits, each backup gets new ones. */
function writeFiles(source: string, count: number, isNew: (file: number) => boolean): void {
  mkdirSync(source, { recursive: true });
  for (let file = 0; file < count; file++)
    if (isNew(file)) writeFileSync(join(source, `file ${file}`), randomBytes(600_000));
}

/** Packs of which some are used in part, some not at all, some whole. */
async function makeHistory(directory: string, source: string): Promise<Repository> {
  const repository = await makeCheapRepository(directory);
  for (let run = 0; run < 4; run++) {
    writeFiles(source, 9, (file) => run === 0 || file % 3 === run % 3);
    await backUp(repository, source);
  }
  await forgetOldest(repository, 2);
  return repository;
}

describe('prune', () => {
  it('frees what restic frees on a copy, keeps the limit, and leaves restic nothing to do', async () => {
    using place = openWorkplace();
    const [ours, theirs] = [join(place.path, 'ours'), join(place.path, 'theirs')] as const;
    const repository = await makeHistory(ours, join(place.path, 'source'));
    cpSync(ours, theirs, { recursive: true });
    const { plan } = await prune(repository);
    restic(theirs, ['prune']);
    assertWhole(ours);
    assert.ok(plan.repack.length > 0, 'the history makes packs that are used in part');
    assert.ok(plan.bytesUnusedAfter <= (5 / 95) * plan.bytesUsed);
    const [a, b] = [packBytesOf(ours), packBytesOf(theirs)];
    assert.ok(Math.abs(a - b) <= 0.06 * b, `${a} bytes are left, restic leaves ${b}`);
    assert.ok(Math.abs(a - plan.bytesAfter) < 10_000, `${plan.bytesAfter} bytes were announced, ${a} are left`);
    assert.match(restic(ours, ['prune']), /total prune: +0 blobs/);
  });

  it('changes nothing in a dry run, and nothing where nothing is to be done', async () => {
    using place = openWorkplace();
    const directory = join(place.path, 'r');
    const repository = await makeHistory(directory, join(place.path, 'source'));
    const listing = (): string[] => readdirSync(directory, { recursive: true, encoding: 'utf8' }).toSorted();
    const before = listing();
    const dry = await prune(repository, { dryRun: true });
    assert.equal(dry.isDone, false);
    assert.deepEqual(listing(), before);
    const done = await prune(repository);
    assert.deepEqual({ ...done.plan }, { ...dry.plan }, 'the plan that was shown is the one that is carried out');
    const after = listing();
    await prune(repository);
    assert.deepEqual(listing(), after);
  });

  it('leaves as much unused as was allowed, and repacks no more than was allowed', async () => {
    using place = openWorkplace();
    const directory = join(place.path, 'r');
    await makeHistory(directory, join(place.path, 'source'));
    const cases: readonly [PruneOptions, (result: Awaited<ReturnType<typeof prune>>) => void][] = [
      [{ maxUnused: { kind: 'unlimited' } }, ({ plan }) => assert.ok(plan.bytesUnusedAfter > 0)],
      [{ maxUnused: { kind: 'percent', percent: 0 } }, ({ plan }) => assert.equal(plan.bytesUnusedAfter, 0)],
      [{ maxUnused: { kind: 'bytes', bytes: 700_000 } }, ({ plan }) => assert.ok(plan.bytesUnusedAfter <= 700_000)],
      [{ maxRepackBytes: 0 }, ({ plan }) => assert.deepEqual(plan.repack, [])],
    ];
    for (const [options, claim] of cases) {
      const copy = join(place.path, 'copy');
      cpSync(directory, copy, { recursive: true });
      claim(await prune(await openCheapRepository(copy), options));
      assertWhole(copy);
      rmSync(copy, { recursive: true });
    }
  });

  it('merges many small packs and index files', async () => {
    using place = openWorkplace();
    const directory = join(place.path, 'r');
    const source = join(place.path, 'source');
    const repository = await makeCheapRepository(directory);
    for (let run = 0; run < 12; run++) {
      mkdirSync(source, { recursive: true });
      writeFileSync(join(source, `file ${run}`), randomBytes(3000));
      await backUp(repository, source);
    }
    await prune(repository);
    assertWhole(directory);
    assert.equal((await repository.storage.list('data')).length, 2, 'one of data, one of trees');
    assert.equal((await repository.storage.list('index')).length, 1);
    assert.equal((await listSnapshots(repository)).snapshots.length, 12);
    assert.deepEqual((await check(repository, { readData: true })).errors, []);
  });

  it('compresses what restic stored uncompressed where that is asked for, once', async () => {
    using place = openWorkplace();
    const directory = join(place.path, 'r');
    const source = join(place.path, 'source');
    const repository = await makeCheapRepository(directory);
    writeFiles(source, 1, () => true);
    writeFileSync(join(source, 'text'), 'the same line\n'.repeat(100_000));
    restic(directory, ['backup', '--compression', 'off', source]);
    const before = packBytesOf(directory);
    assert.ok((await prune(repository)).plan.repack.length <= 1, 'trees at most');
    const { plan } = await prune(repository, { repackUncompressed: true });
    assert.equal(plan.repack.length, 1);
    assertWhole(directory);
    assert.ok(packBytesOf(directory) < before - 1_000_000);
    assert.deepEqual((await prune(repository, { repackUncompressed: true })).plan.repack, []);
  });

  it('refuses repositories of version 1 (repository-version), which are read only', async () => {
    using place = openWorkplace();
    const directory = join(place.path, 'r');
    mkdirSync(directory);
    restic(directory, ['init', '--repository-version', '1']);
    const repository = await openCheapRepository(directory);
    for (const write of [prune, repairIndex, repairSnapshots])
      await assert.rejects(write(repository), { code: 'repository-version' });
    await assert.rejects(repairPacks(repository, []), { code: 'repository-version' });
  });

  it('loses nothing that a snapshot reaches in random histories of backup, forget and prune', async () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('backup' as const), seed: fc.nat(30) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('forget' as const), at: fc.nat(5) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('prune' as const), percent: fc.constantFrom(0, 5, 30) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('crash' as const), calls: fc.nat(12) }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 6, maxLength: 14 }), async (steps) => {
        using place = openWorkplace();
        const directory = join(place.path, 'r');
        const source = join(place.path, 'source');
        const repository = await makeCheapRepository(directory);
        for (const each of steps) {
          if (each.kind === 'backup') {
            mkdirSync(source, { recursive: true });
            for (let file = 0; file < 5; file++)
              if ((each.seed >> file) % 2 === 1)
                writeFileSync(
                  join(source, `file ${file}`),
                  `${each.seed} ${file} `.repeat(20_000) + randomBytes(5e4).toString('hex'),
                );
            await backUp(repository, source);
          } else if (each.kind === 'forget') {
            const { snapshots } = await listSnapshots(repository);
            const one = snapshots[each.at % Math.max(1, snapshots.length)];
            if (one !== undefined) await repository.storage.remove({ kind: 'snapshots', id: one.id });
          } else if (each.kind === 'prune') {
            const { plan } = await prune(repository, { maxUnused: { kind: 'percent', percent: each.percent } });
            assert.ok(plan.bytesUnusedAfter <= (each.percent / (100 - each.percent)) * plan.bytesUsed);
          } else {
            const failing = new FaultStorage(openLocalStorage(directory), 'read-only', each.calls + 1);
            await prune(await openCheapRepository(directory, failing), {
              maxUnused: { kind: 'bytes', bytes: 0 },
            }).catch(() => undefined);
            for (const { id } of await repository.storage.list('locks'))
              await repository.storage.remove({ kind: 'locks', id });
          }
          assert.deepEqual((await check(repository, { readData: true, workers: 1 })).errors, []);
        }
        assertWhole(directory);
      }),
      { numRuns: 3 },
    );
  });

  it('that failed at any change leaves a repository that restic calls whole, and the next run finishes', async () => {
    using place = openWorkplace();
    const directory = join(place.path, 'r');
    await makeHistory(directory, join(place.path, 'source'));
    // A pack that no index lists, so that step 1 has something to do.
    cpSync(join(directory, 'config'), join(directory, 'data', 'aa', 'a'.repeat(64)));
    const untouched = join(place.path, 'untouched');
    cpSync(directory, untouched, { recursive: true });
    const expected = (await prune(await openCheapRepository(directory), { maxUnused: { kind: 'bytes', bytes: 0 } }))
      .plan.bytesAfter;
    let failures = 0;
    for (let calls = 0; ; calls++) {
      const copy = join(place.path, 'copy');
      rmSync(copy, { recursive: true, force: true });
      cpSync(untouched, copy, { recursive: true });
      const failing = await openCheapRepository(copy, new FaultStorage(openLocalStorage(copy), 'read-only', calls + 1));
      let isDone = true;
      await prune(failing, { maxUnused: { kind: 'bytes', bytes: 0 } }).catch((error: unknown) => {
        isDone = false;
        failures += 1;
        assert.match(codesOf(error), /storage-failed/);
      });
      // The lock could not be removed either: it is of this process, which lives.
      for (const { id } of await openLocalStorage(copy).list('locks'))
        await openLocalStorage(copy).remove({ kind: 'locks', id });
      if (!isDone) {
        const again = await openCheapRepository(copy);
        assert.deepEqual((await check(again)).errors, [], `after ${calls} calls`);
        if (calls % 4 === 0) assertWhole(copy);
        await prune(again, { maxUnused: { kind: 'bytes', bytes: 0 } });
      }
      const left = packBytesOf(copy);
      assert.ok(
        Math.abs(left - expected) < 10_000,
        `after ${calls} calls ${left} bytes are left instead of ${expected}`,
      );
      if (isDone) break;
    }
    assert.ok(failures >= 10, `${failures} calls change something`);
  });

  it("that was killed leaves a repository that restic calls whole, its lock in nobody's way", async () => {
    using place = openWorkplace();
    const directory = join(place.path, 'r');
    await makeHistory(directory, join(place.path, 'source'));
    const engine = new URL('../src/index.ts', import.meta.url).href;
    const script = `
      import { openLocalStorage, openRepository, prune } from ${JSON.stringify(engine)};
      const repository = await openRepository(openLocalStorage(process.argv[1]), ${JSON.stringify(KEY)});
      await prune(repository, { maxUnused: { kind: 'bytes', bytes: 0 }, onProgress: ({ step, done }) => {
        if (step === process.argv[2] && done === 1) process.kill(process.pid, 'SIGKILL');
      } });`;
    for (const step of ['write index', 'remove index', 'delete packs']) {
      const copy = join(place.path, 'copy');
      cpSync(directory, copy, { recursive: true });
      const child = spawn(process.execPath, ['--input-type=module', '-e', script, copy, step], { stdio: 'inherit' });
      const signal = await new Promise((resolve) => child.once('exit', (_code, by) => resolve(by)));
      assert.equal(signal, 'SIGKILL');
      const repository = await openCheapRepository(copy);
      assert.equal((await repository.storage.list('locks')).length, 1);
      await prune(repository, { maxUnused: { kind: 'bytes', bytes: 0 } });
      assertWhole(copy);
      assert.match(restic(copy, ['prune', '--max-unused', '0']), /total prune: +0 blobs/);
      rmSync(copy, { recursive: true });
    }
  });

  it('does not do work twice that a killed run had listed already', async () => {
    using place = openWorkplace();
    const directory = join(place.path, 'r');
    const repository = await makeHistory(directory, join(place.path, 'source'));
    const limits: PruneOptions = { maxUnused: { kind: 'bytes', bytes: 0 } };
    const [plan] = [(await prune(repository, { ...limits, dryRun: true })).plan];
    // Two saves of packs, one of the index, and the lock: the first removal of an index file fails.
    for (let calls = 1; ; calls++) {
      const copy = join(place.path, 'copy');
      rmSync(copy, { recursive: true, force: true });
      cpSync(directory, copy, { recursive: true });
      await prune(
        await openCheapRepository(copy, new FaultStorage(openLocalStorage(copy), 'read-only', calls + 1)),
        limits,
      ).catch(() => undefined);
      const storage = openLocalStorage(copy);
      for (const { id } of await storage.list('locks')) await storage.remove({ kind: 'locks', id });
      if ((await storage.list('index')).length <= (await repository.storage.list('index')).length) continue;
      const next = await prune(await openCheapRepository(copy), limits);
      assert.ok(plan.bytesToRepack > 0);
      assert.equal(next.plan.bytesToRepack, 0, 'the new packs have all that is used: the old ones just go');
      assertWhole(copy);
      return;
    }
  });
});

describe('prune and backup', () => {
  it('exclude each other, whoever is stock restic', async () => {
    using place = openWorkplace();
    const directory = join(place.path, 'r');
    const source = join(place.path, 'source');
    const repository = await makeHistory(directory, source);
    await repository.withLock('shared', async (confirmed) => {
      await confirmed;
      await assert.rejects(prune(await openCheapRepository(directory)), { code: 'repository-locked' });
      assert.match(tryRestic(directory, ['prune']).stderr, /already locked/);
    });
    // restic backs up from a pipe that stays open: its lock is there as long.
    const env = { PATH: '/usr/bin:/bin', HOME: directory, TZ: 'UTC', RESTIC_PASSWORD: KEY };
    const child = spawn('restic', ['--no-cache', '-r', directory, 'backup', '--stdin'], {
      env,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    child.stdin.write(randomBytes(2_000_000));
    while ((await repository.storage.list('locks')).length === 0) await new Promise((resolve) => setImmediate(resolve));
    await assert.rejects(prune(repository), { code: 'repository-locked' });
    child.stdin.end();
    assert.equal(await ended, 0);
    let wasRefused = false;
    await prune(repository, {
      maxUnused: { kind: 'bytes', bytes: 0 },
      onProgress: () => {
        wasRefused ||= /already locked exclusively/.test(tryRestic(directory, ['backup', source]).stderr);
      },
    });
    assert.ok(wasRefused, 'restic may not back up while a prune runs');
    assertWhole(directory);
  });

  it('do not meet where the lock of a prune was taken away: it stops before it deletes', async () => {
    using place = openWorkplace();
    const directory = join(place.path, 'r');
    const repository = await makeHistory(directory, join(place.path, 'source'));
    const packs = new Set((await repository.storage.list('data')).map(({ id }) => id));
    const pruning = prune(repository, {
      maxUnused: { kind: 'bytes', bytes: 0 },
      onProgress: () => {
        for (const name of readdirSync(join(directory, 'locks'))) rmSync(join(directory, 'locks', name));
      },
    });
    await assert.rejects(pruning, { code: 'lock-lost' });
    const left = new Set((await repository.storage.list('data')).map(({ id }) => id));
    assert.deepEqual([...packs.difference(left)], []);
    assertWhole(directory);
  });

  it('of restic and ours alternate without loss', async () => {
    using place = openWorkplace();
    const directory = join(place.path, 'r');
    const source = join(place.path, 'source');
    const repository = await makeCheapRepository(directory);
    for (let run = 0; run < 3; run++) {
      writeFiles(source, 4, (file) => run === 0 || file === run);
      restic(directory, ['backup', source]);
      await backUp(repository, source);
      await forgetOldest(repository, run);
      await prune(repository, { maxUnused: { kind: 'bytes', bytes: 0 } });
      restic(directory, ['prune', '--max-unused', '0']);
      assertWhole(directory);
    }
  });
});

function codesOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
