import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { arrange } from './arrange.ts';
import { backup } from './backup.ts';
import { openView } from './browse/snapshot-view.ts';
import { EngineError } from './errors.ts';
import type { Snapshot } from './format/snapshot-file.ts';
import { initRepository } from './repository.ts';
import type { Repository } from './repository.ts';
import { restore } from './restore.ts';
import { generateKey } from './seal/password.ts';
import { findSnapshot, listSnapshots } from './snapshots.ts';
import { openMemoryStorage } from './storage/memory-storage.ts';
import type { SourceEntry } from './tree/source.ts';

const stream = (name: string, text: string): SourceEntry => ({
  kind: 'stream',
  name,
  open: async function* () {
    yield Buffer.from(text);
  },
});
const directory = (name: string, entries: readonly SourceEntry[]): SourceEntry => ({
  kind: 'directory',
  name,
  entries,
  mode: 0o750,
});

async function twoSnapshots(): Promise<{ repository: Repository; files: Snapshot; dumps: Snapshot }> {
  const repository = await initRepository(openMemoryStorage(), { kind: 'key', text: generateKey() });
  const take = async (source: readonly SourceEntry[], path: string): Promise<Snapshot> => {
    const result = await backup({ source, repositories: [repository], paths: [path], workers: 1 });
    return findSnapshot(repository, result.snapshots[0]?.id ?? '');
  };
  const site = directory('example.com', [stream('settings.php', '<?php'), directory('files', [stream('é', 'x')])]);
  return {
    repository,
    files: await take([directory('home', [site, stream('other', 'y')])], '/home'),
    dumps: await take([directory('databases', [directory('db', [stream('t', 'rows')])])], '/databases'),
  };
}

async function pathsOf(repository: Repository, snapshot: Snapshot): Promise<readonly string[]> {
  const paths: string[] = [];
  for await (const { path, entry } of (await openView(repository, snapshot)).walk('/'))
    paths.push(`${path} ${entry.type} ${entry.size} ${entry.mode.toString(8)}`);
  return paths;
}

describe('parts of snapshots, arranged', () => {
  it('are seen and restored as one snapshot, and stored nowhere', async () => {
    const { repository, files, dumps } = await twoSnapshots();
    const arranged = await arrange(
      repository,
      [
        { name: 'site', from: files, path: '/home/example.com' },
        { name: 'databases', entries: [{ name: 'mine', from: dumps, path: '/databases/db' }] },
        { name: 'one', from: dumps, path: '/databases/db/t' },
      ],
      files,
    );
    assert.deepEqual(await pathsOf(arranged.repository, arranged.snapshot), [
      '/databases dir 0 755',
      '/databases/mine dir 0 750',
      '/databases/mine/t file 4 644',
      '/one file 4 644',
      '/site dir 0 750',
      '/site/files dir 0 750',
      '/site/files/é file 1 644',
      '/site/settings.php file 5 644',
    ]);
    const target = mkdtempSync(join(tmpdir(), 'arrange-'));
    try {
      await restore({ ...arranged, target, workers: 1 });
      assert.equal(readFileSync(join(target, 'databases/mine/t'), 'utf8'), 'rows');
      assert.equal(readFileSync(join(target, 'site/files/é'), 'utf8'), 'x');
    } finally {
      rmSync(target, { recursive: true });
    }
    assert.equal((await listSnapshots(repository)).snapshots.length, 2);
    await assert.rejects(
      pathsOf(repository, arranged.snapshot),
      (error) => error instanceof EngineError && error.code === 'blob-missing',
    );
  });

  it('of what is not there is told', async () => {
    const { repository, files } = await twoSnapshots();
    await assert.rejects(
      arrange(repository, [{ name: 'site', from: files, path: '/home/gone' }], files),
      (error) => error instanceof EngineError && error.code === 'path-unknown',
    );
  });
});
