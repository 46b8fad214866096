import assert from 'node:assert/strict';
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import {
  backup,
  check,
  copy,
  entriesOfPaths,
  findSnapshot,
  openLocalStorage,
  openRepository,
  restore,
} from '../src/index.ts';
import { PASSWORD, describeTree, makeHostileTree, makeRepository, openWorkplace, restic } from './fixtures.ts';

describe('a repository of version 1', () => {
  it('is checked, restored and copied from, and never written', async () => {
    using place = openWorkplace();
    const [source, directory] = [join(place.path, 'source'), join(place.path, 'old')];
    makeHostileTree(source);
    restic(directory, ['init', '--repository-version', '1']);
    restic(directory, ['backup', source]);
    const repository = await openRepository(openLocalStorage(directory), PASSWORD);
    assert.equal(repository.version, 1);
    assert.deepEqual((await check(repository, { readData: true })).errors, []);
    const snapshot = await findSnapshot(repository, 'latest');
    await restore({ repository, snapshot, subtree: source, target: join(place.path, 'out'), verify: true });
    assert.deepEqual(describeTree(join(place.path, 'out')), describeTree(source));
    const writing = backup({ source: entriesOfPaths([source]), repositories: [repository], paths: [source] });
    await assert.rejects(writing, { code: 'repository-version' });
    const newer = await makeRepository(join(place.path, 'new'));
    await copy({ from: repository, to: newer });
    assert.match(restic(join(place.path, 'new'), ['check', '--read-data']), /no errors/);
    assert.match(restic(directory, ['check', '--read-data']), /no errors/);
  });
});

describe('a key file', () => {
  it('as rustic writes it, without names and times, opens the repository', async () => {
    using place = openWorkplace();
    await makeRepository(place.path);
    const [name = ''] = readdirSync(join(place.path, 'keys'));
    const key = JSON.parse(readFileSync(join(place.path, 'keys', name), 'utf8')) as Record<string, unknown>;
    const { kdf, N, r, p, salt, data } = key;
    const text = JSON.stringify({ kdf, N, r, p, data, salt });
    rmSync(join(place.path, 'keys', name));
    writeFileSync(join(place.path, 'keys', createHash('sha256').update(text).digest('hex')), text);
    assert.equal((await openRepository(openLocalStorage(place.path), PASSWORD)).version, 2);
  });
});
