import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { type ArchiveLook, inspectArchive } from './inspect-archive.ts';
import { memberOf, tarOf } from './tar/test-tar.ts';
import { TIME, makeTestSite, writeTestArchive } from './test-archive.ts';
import { zipOf } from './test-zip.ts';

async function look(name: string, bytes: Uint8Array, info: string | null = null): Promise<ArchiveLook> {
  const file = { name, bytes: bytes.length, read: async (at: number, count: number) => bytes.subarray(at, at + count) };
  return inspectArchive(file, { info });
}

const BOTH = { files: true, databases: true };

test('ours is known by what it says of itself, whatever it is called', async () => {
  using made = makeTestSite();
  const { name } = await writeTestArchive(made);
  const found = await look('renamed', readFileSync(join(made.out, name)));
  assert.deepEqual(
    [found.kind, found.compression, found.uri, found.time, found.holds, found.description],
    ['site-archive', 'gzip', 'example.com', TIME, BOTH, 'a test'],
  );
  assert.equal(found.platform?.name, 'drupal-7-prod');
});

test('Aegir’s is known by its name and its drushrc.php; of a large one what was not seen is not known', async () => {
  using made = makeTestSite();
  execFileSync('sh', ['-c', `cd '${made.site}' && echo '-- dump' > database.sql && tar czf '${made.out}/a' .`]);
  const found = await look('example.com-20260102.030405.tar.gz', readFileSync(join(made.out, 'a')));
  assert.deepEqual(
    [found.kind, found.uri, found.time?.toISOString(), found.holds],
    ['site-archive', 'example.com', '2026-01-02T03:04:05.000Z', BOTH],
  );
  writeFileSync(join(made.site, 'files/a-large-one'), randomBytes(3_000_000));
  execFileSync('sh', ['-c', `cd '${made.site}' && tar cf '${made.out}/b' ./files ./database.sql`]);
  const large = await look('example.com-20260102.030405', readFileSync(join(made.out, 'b')));
  assert.deepEqual([large.kind, large.holds, large.problems], ['site-archive', { files: true, databases: null }, []]);
});

test('dumps, Backup and Migrate’s files and mydumper’s pieces are told apart', async () => {
  const info = 'description = "before the update"\ndatestamp = "1700000000"\nsiteurl = "https://www.example.org/"\n';
  const dump = await look('x.mysql.gz', gzipSync('# Backup and Migrate (Drupal) MySQL Dump\nSET NAMES utf8;\n'), info);
  assert.deepEqual(
    [dump.kind, dump.uri, dump.time?.getTime(), dump.description, dump.holds],
    ['dump', 'www.example.org', 1.7e12, 'before the update', { files: false, databases: true }],
  );
  const whole = await look(
    'x.sitearchive.tar',
    tarOf([
      { member: memberOf({ name: 'MANIFEST.ini' }) },
      { member: memberOf({ name: 'database.sql' }) },
      { member: memberOf({ name: 'docroot/index.php' }) },
    ]),
  );
  assert.deepEqual([whole.kind, whole.holds], ['site-export', BOTH]);
  const pieces = await look(
    'db-261126-0115.tar',
    tarOf([{ member: memberOf({ name: 'db/metadata' }) }, { member: memberOf({ name: 'db/db.node-schema.sql' }) }]),
  );
  assert.deepEqual([pieces.kind, pieces.problems[0]?.code], ['mydumper', 'archive-unsupported']);
  const zip = await look('x.mysql.zip', zipOf('x.mysql', Buffer.from('-- Backup and Migrate (Drupal) MySQL Dump\n')));
  assert.deepEqual([zip.kind, zip.compression, zip.problems], ['dump', 'zip', []]);
  assert.equal((await look('x.tar.gz', Buffer.from('%PDF'))).kind, 'unknown');
});

test('any bytes under any name give an answer (seed 77)', async () => {
  const heads = [[], [0x1f, 0x8b, 8, 0], [0x28, 0xb5, 0x2f, 0xfd], [0x50, 0x4b, 3, 4]];
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...heads), fc.uint8Array({ maxLength: 1500 }), async (head, tail) => {
      assert.ok((await look('a.tar.gz', Buffer.from([...head, ...tail]))).kind !== undefined);
    }),
    { seed: 77, numRuns: 150 },
  );
});
