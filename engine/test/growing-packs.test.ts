/** Packs that go to a local repository piece by piece: what is written is whole, and what fails leaves nothing. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { EngineError, backup, entriesOfPaths, openLocalStorage } from '../src/index.ts';
import type { Repository, Storage } from '../src/index.ts';
import { Repository as Opened } from '../src/repository.ts';
import type { CallOptions, GrowingFile } from '../src/storage/storage.ts';
import { makeRepository, openWorkplace, restic } from './fixtures.ts';

const MiB = 1024 * 1024;

const temporary = (directory: string): string[] =>
  readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) => name.includes('-tmp-'));

/** The save of a small pack that another one's failure cancelled ends by itself, a moment behind the backup. */
async function nothingUnderWay(directory: string): Promise<void> {
  const begun = Date.now();
  while (temporary(directory).length > 0 && Date.now() < begun + 10_000) await setTimeout(5);
  assert.deepEqual(temporary(directory), []);
}

/** More than a worker's pieces, with blobs that are larger than one. */
function makeSource(path: string): void {
  mkdirSync(path);
  writeFileSync(join(path, 'large'), randomBytes(10 * MiB));
  for (let n = 0; n < 60; n++) writeFileSync(join(path, `small-${n}`), randomBytes(200_000 + n));
}

async function run(path: string, repository: Repository): ReturnType<typeof backup> {
  return backup({ source: entriesOfPaths([path]), repositories: [repository], paths: [path], workers: 2 });
}

/** A local repository whose growing files fail at the step that `isBad` says, counted from 1. */
function failing(repository: Repository, isBad: (step: 'append' | 'finish', count: number) => boolean): Repository {
  const local = openLocalStorage(repository.location);
  let count = 0;
  const wrap = (file: GrowingFile): GrowingFile => {
    const step = async (name: 'append' | 'finish', work: () => Promise<void>): Promise<void> => {
      if (isBad(name, ++count)) throw new EngineError('storage-full', { location: local.location });
      await work();
    };
    return {
      append: async (bytes) => step('append', async () => file.append(bytes)),
      finish: async (handle) => step('finish', async () => file.finish(handle)),
      discard: async () => file.discard(),
    };
  };
  const beginFile = (options?: CallOptions): GrowingFile => {
    const file = openLocalStorage(repository.location).beginFile?.(options);
    assert.ok(file !== undefined);
    return wrap(file);
  };
  const storage: Storage = Object.assign(local, { beginFile });
  return new Opened(storage, repository.key, repository, () => new Date());
}

describe('packs in pieces', () => {
  it('are whole by the check of all data of stock restic, and few', async () => {
    using place = openWorkplace();
    const [source, directory] = [join(place.path, 'source'), join(place.path, 'repository')];
    makeSource(source);
    const result = await run(source, await makeRepository(directory));
    assert.equal(result.problems.length, 0);
    assert.match(restic(directory, ['check', '--read-data']), /no errors were found/);
    assert.deepEqual(temporary(directory), []);
    const packs = readdirSync(join(directory, 'data'), { recursive: true, encoding: 'utf8' }).filter(
      (name) => name.length > 60,
    );
    assert.ok(packs.length >= 2 && packs.length <= 6, `${packs.length} packs`);
  });

  it('that fail at any step fail the backup, leave no file behind, and the next one is whole', async () => {
    using place = openWorkplace();
    const [source, directory] = [join(place.path, 'source'), join(place.path, 'repository')];
    makeSource(source);
    const repository = await makeRepository(directory);
    for (const isBad of [
      (_: string, count: number) => count === 1,
      (_: string, count: number) => count >= 3,
      (step: string) => step === 'finish',
    ]) {
      await assert.rejects(run(source, failing(repository, isBad)), { code: 'storage-full' });
      await nothingUnderWay(directory);
    }
    await run(source, repository);
    assert.match(restic(directory, ['check']), /no errors were found/);
  });
});
