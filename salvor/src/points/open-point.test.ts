import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  type Repository,
  type Snapshot,
  type SourceEntry,
  backup,
  findSnapshot,
  generateKey,
  initRepository,
  openLocalStorage,
} from '@salvor/engine';
import { openPoint, readBackPoint } from './open-point.ts';

const FILE = { name: '000001-a.sql', kind: 'table', table: 'a', rows: 1, bytes: 3, sha256: 'ab'.repeat(32) };
const MANIFEST = {
  format: 'salvor-point',
  version: 1,
  point: 'ab'.repeat(16),
  time: '2026-01-02T03:04:05.678Z',
  origin: 'task',
  reason: null,
  safety: false,
  task: null,
  host: 'h1',
  account: { name: 'o1', home: '/data/disk/o1', uid: 1001, gid: 1001 },
  site: { uri: 'x.test', path: '/data/disk/o1/p/sites/x.test', cms: 'drupal', version: null },
  platform: { name: 'p', root: '/data/disk/o1/p', version: null },
  files: { count: 1, bytes: 1 },
  databases: [
    {
      engine: 'mariadb',
      name: 'x',
      user: 'x',
      prefix: '',
      charset: 'utf8mb4',
      collation: 'utf8mb4_bin',
      server: '10.11',
      time: '2026-01-02T03:04:05Z',
      views: [],
      files: [FILE],
    },
  ],
  seconds: 0,
  owners: { users: [], groups: [] },
  tools: {},
  complete: true,
  problems: [],
};

describe('a point that is not what it should be', () => {
  let top: string;
  let repository: Repository;
  before(async () => {
    top = mkdtempSync(join(tmpdir(), 'salvor-point-'));
    mkdirSync(join(top, 'site'));
    writeFileSync(join(top, 'site/index.php'), 'x');
    const storage = openLocalStorage(join(top, 'repository'));
    repository = await initRepository(storage, { kind: 'key', text: generateKey() });
  });
  after(() => rmSync(top, { recursive: true }));

  const stream = (name: string, text: string): SourceEntry => ({ kind: 'stream', name, open: () => bytesOf(text) });
  const store = async (...entries: SourceEntry[]): Promise<Snapshot> => {
    const { snapshots } = await backup({
      source: entries,
      repositories: [repository],
      paths: ['/x'],
      tags: ['salvor'],
    });
    return await findSnapshot(repository, snapshots[0]?.id ?? '');
  };
  const databases = (...files: SourceEntry[]): SourceEntry => ({
    kind: 'directory',
    name: 'databases',
    entries: [{ kind: 'directory', name: 'x', entries: files }],
  });
  const site = (): SourceEntry => ({ kind: 'tree', name: 'site', path: join(top, 'site') });
  const manifest = (change: object = {}): SourceEntry =>
    stream('manifest.json', JSON.stringify({ ...MANIFEST, ...change }));

  it('is not opened without a manifest, or with one that is none', async () => {
    for (const entries of [[site()], [site(), stream('manifest.json', '')], [site(), manifest({ version: 2 })]]) {
      const snapshot = await store(...entries);
      await assert.rejects(openPoint(repository, snapshot), { code: 'point-incomplete' });
    }
  });

  it('is not taken for complete where a dump is missing, cut off or more than was written, or the files are missing', async () => {
    const part = stream(FILE.name, 'abc');
    const right = await openPoint(repository, await store(databases(part), site(), manifest()));
    await readBackPoint(right);
    for (const entries of [
      [databases(), site(), manifest()],
      [databases(stream(FILE.name, 'ab')), site(), manifest()],
      [databases(part, stream('000002-b.sql', 'x')), site(), manifest()],
    ]) {
      const point = await openPoint(repository, await store(...entries));
      await assert.rejects(readBackPoint(point), { code: 'point-incomplete' });
    }
    const withoutSite = await openPoint(repository, await store(databases(part), manifest()));
    await assert.rejects(readBackPoint(withoutSite), { code: 'path-unknown' });
  });
});

async function* bytesOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}
