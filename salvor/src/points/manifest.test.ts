import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Manifest, bytesOfManifest, dumpPathOf, parseManifest, serialiseManifest } from './manifest.ts';

const MANIFEST: Manifest = {
  format: 'salvor-point',
  version: 1,
  point: 'ab'.repeat(16),
  time: '2026-01-02T03:04:05.678Z',
  origin: 'task',
  reason: 'before the “big” change\n',
  safety: false,
  task: 'mwtud5ya6orn',
  host: 'h1',
  account: { name: 'o1', home: '/data/disk/o1', uid: 1001, gid: 1001 },
  site: { uri: 'x.test', path: '/data/disk/o1/p/sites/x.test', cms: 'drupal', version: null, schema: 10201 },
  platform: { name: 'p', root: '/data/disk/o1/p', version: '10.1' },
  files: { count: 3, bytes: 1000 },
  moved: [],
  databases: [
    {
      engine: 'mariadb',
      name: 'x',
      user: 'x',
      prefix: '',
      charset: 'utf8mb4',
      collation: 'utf8mb4_general_ci',
      server: '10.11',
      time: '2026-01-02T03:04:05.678Z',
      views: [],
      files: [{ name: '000000-head.sql', kind: 'head', table: null, rows: null, bytes: 24, sha256: 'ab'.repeat(32) }],
    },
  ],
  seconds: 1.5,
  owners: { users: [{ id: 1001, name: 'o1' }], groups: [{ id: 33, name: null }] },
  tools: { node: 'v26' },
  complete: true,
  leftOut: { files: ['files/css'], rows: ['cache_page'] },
  problems: [],
};

test('a manifest that was written is read back as it was', () => {
  assert.deepEqual(parseManifest(serialiseManifest(MANIFEST)), { manifest: MANIFEST });
  assert.equal(bytesOfManifest(MANIFEST), 1024);
});

test('a database’s directory is below /databases and nowhere else: one that leads out makes the manifest unreadable', () => {
  const withDirectory = (directory: string): Uint8Array =>
    Buffer.from(JSON.stringify({ ...MANIFEST, databases: [{ ...MANIFEST.databases[0], name: 'a/b', directory }] }));
  const read = parseManifest(withDirectory('a%2Fb')).manifest?.databases[0];
  assert.ok(read !== undefined);
  assert.equal(dumpPathOf(read), '/databases/a%2Fb');
  assert.equal(dumpPathOf({ name: 'old' }), '/databases/old');
  for (const directory of ['', '.', '..', '../x', 'a/b', '/etc', 'x\n'])
    assert.equal(parseManifest(withDirectory(directory)).manifest, null, directory);
});

test('what is no manifest of a known version is refused and says why', () => {
  for (const text of [
    '',
    '{',
    '[]',
    '{"format":"salvor-point","version":2}',
    JSON.stringify({ ...MANIFEST, version: 2 }),
  ]) {
    const parsed = parseManifest(Buffer.from(text));
    assert.equal(parsed.manifest, null, text);
    assert.match('why' in parsed ? parsed.why : '', /manifest/);
  }
  assert.equal(parseManifest(Uint8Array.of(0xff, 0xfe)).manifest, null);
});
