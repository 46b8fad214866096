/** What a killed process leaves, its lock above all, is in nobody's way. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { backup, entriesOfPaths, forget, openLocalStorage, openRepository, prune } from '../src/index.ts';
import type { BackupResult, Repository } from '../src/index.ts';
import { encodeLock } from '../src/format/lock-file.ts';
import { sealUnpacked } from '../src/format/unpacked.ts';
import { saveHashed } from '../src/storage/load-verified.ts';
import { KEY, makeCheapRepository, openWorkplace, restic } from './cheap-repository.ts';

/** Opening, looking at locks, 200 ms for the own one to settle, and the work; the rest is for a busy machine. */
const AT_ONCE_MS = 20_000;

const backUp = async (repository: Repository, source: string): Promise<BackupResult> =>
  backup({ source: entriesOfPaths([source]), repositories: [repository], paths: [source], workers: 1 });

/** A repository with something to prune. */
async function makePlace(path: string): Promise<{ directory: string; source: string; repository: Repository }> {
  const [directory, source] = [join(path, 'repository'), join(path, 'source')];
  mkdirSync(source);
  const repository = await makeCheapRepository(directory);
  for (const _ of [1, 2]) {
    for (const name of ['a', 'b']) writeFileSync(join(source, name), randomBytes(700_000));
    writeFileSync(join(source, 'stays'), 'stays');
    await backUp(repository, source);
  }
  await forget(repository, { policy: { keep: { last: 1 } } });
  return { directory, source, repository };
}

describe('the next backup', () => {
  for (const verb of ['backup', 'prune']) {
    it(`after a ${verb} that was killed in the middle begins at once: its lock is not in the way`, async (context) => {
      using place = openWorkplace();
      const { directory, source } = await makePlace(place.path);
      const script = join(import.meta.dirname, 'fault', 'hold-lock.ts');
      const child = spawn(process.execPath, [script, verb, directory, KEY], { stdio: ['ignore', 'pipe', 'inherit'] });
      try {
        await once(child.stdout, 'data');
        assert.equal(readdirSync(join(directory, 'locks')).length, 1);
      } finally {
        const gone = once(child, 'exit');
        child.kill('SIGKILL');
        await gone;
      }
      assert.equal(readdirSync(join(directory, 'locks')).length, 1, 'it could not remove its lock');
      const began = performance.now();
      const repository = await openRepository(openLocalStorage(directory), KEY);
      const { snapshots } = await backUp(repository, source);
      const tookMs = performance.now() - began;
      context.diagnostic(`${Math.round(tookMs)} ms from the kill of a ${verb} to the next snapshot`);
      assert.equal(snapshots.length, 1);
      assert.ok(tookMs < AT_ONCE_MS);
      assert.deepEqual(readdirSync(join(directory, 'locks')), []);
      // Who works alone is let in as well, and tidies up what was left.
      await prune(repository, { maxUnused: { kind: 'bytes', bytes: 0 } });
      assert.match(restic(directory, ['check', '--read-data']), /no errors were found/);
    });
  }

  it('waits for a machine that may be at work until its lock was not renewed for 30 minutes, and says who it is', async () => {
    using place = openWorkplace();
    const { directory, source, repository } = await makePlace(place.path);
    const time = new Date().toISOString();
    const lock = { time, exclusive: true, hostname: 'another.example', username: 'root', pid: 4711 };
    await saveHashed(repository.storage, 'locks', sealUnpacked(repository.key, encodeLock(lock)));
    const after = async (minutes: number): Promise<BackupResult> => {
      const clock = (): Date => new Date(Date.parse(time) + minutes * 60_000);
      return backUp(await openRepository(openLocalStorage(directory), KEY, { clock }), source);
    };
    for (const minutes of [0, 29])
      await assert.rejects(after(minutes), (error: Error & { code: string; hint: string }) => {
        assert.equal(error.code, 'repository-locked');
        assert.equal(error.message, `The repository is locked by root@another.example, process 4711, since ${time}.`);
        assert.match(error.hint, /30 minutes.*unlock --remove-all/);
        return true;
      });
    assert.equal((await after(31)).snapshots.length, 1);
    assert.deepEqual(readdirSync(join(directory, 'locks')), []);
  });
});
