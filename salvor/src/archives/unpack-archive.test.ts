import assert from 'node:assert/strict';
import { createReadStream, lstatSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { observeTree } from '../../../demo/observe-site.ts';
import { openArchive } from './open-archive.ts';
import { memberOf, streamOf, tarOf, bytesOf } from './tar/test-tar.ts';
import { makeTestSite, writeTestArchive } from './test-archive.ts';
import { unpackArchive } from './unpack-archive.ts';

async function unpack(source: AsyncIterable<Uint8Array>, root: string): Promise<string[]> {
  const dumps: string[] = [];
  await unpackArchive(openArchive(source, { name: 'a.tar', onProblem: () => undefined }), {
    root,
    directory: join(root, 'unpacked'),
    ownerOf: ({ uid, gid }) => ({ uid, gid }),
    onDump: async (_, content) => {
      dumps.push((await bytesOf(content)).toString());
    },
  });
  return dumps;
}

test('an archive that is unpacked is the site, with its dump beside', async () => {
  using made = makeTestSite();
  const { name } = await writeTestArchive(made);
  const dumps = await unpack(createReadStream(join(made.out, name)), made.scratch);
  assert.match(dumps[0] ?? '', /^-- a dump/);
  const [before, after] = [observeTree(made.site), observeTree(join(made.scratch, 'unpacked'))];
  assert.deepEqual([...after.keys()].toSorted(), [...before.keys()].toSorted());
  for (const [path, was] of before) {
    const isStripped = path === 'settings.php' || path === 'drushrc.php';
    assert.deepEqual({ ...after.get(path), content: '' }, { ...was, content: '' }, path);
    if (!isStripped) assert.equal(after.get(path)?.content, was.content, path);
  }
});

test('of a hostile or a cut-off archive nothing is left, and nothing outside was touched', async () => {
  using made = makeTestSite();
  const outside = join(made.top, 'site/local.settings.php');
  const text = readFileSync(outside, 'utf8');
  const first = { member: memberOf({ name: './a/b' }), content: Buffer.from('made') };
  const hostile = [
    [
      first,
      { member: memberOf({ name: './l', type: 'symlink', linkName: join(made.top, 'site') }) },
      { member: memberOf({ name: './l/local.settings.php' }), content: Buffer.from('changed') },
    ],
    [first, { member: memberOf({ name: '../site/local.settings.php' }), content: Buffer.from('changed') }],
    [first, { member: memberOf({ name: './h', type: 'hardlink', linkName: outside }) }],
  ];
  for (const members of hostile)
    await assert.rejects(unpack(streamOf(tarOf(members)), made.scratch), { code: 'archive-hostile' });
  await assert.rejects(unpack(streamOf(tarOf([first]).subarray(0, 700)), made.scratch), { code: 'archive-damaged' });
  assert.deepEqual(readdirSync(made.scratch), []);
  assert.equal(readFileSync(outside, 'utf8'), text);
});

test('directories that an archive does not name are whose their first member is, for everyone to pass; what it says of one later holds', async () => {
  using made = makeTestSite();
  const members = [
    { member: memberOf({ name: './a/b/c.txt', uid: 1001, gid: 33, mode: 0o600 }), content: Buffer.from('c') },
    { member: memberOf({ name: './a/b/d.txt', uid: 1003, gid: 1003 }) },
    {
      member: memberOf({ name: './a/', type: 'directory', uid: 1002, gid: 33, mode: 0o2750, mtimeNs: 5_000_000_000n }),
    },
  ];
  await unpack(streamOf(tarOf(members)), made.scratch);
  const seen = ['', 'a', 'a/b', 'a/b/c.txt'].map((path) => {
    const { mode, uid, gid, mtimeNs } = lstatSync(join(made.scratch, 'unpacked', path), { bigint: true });
    return [Number(mode & 0o7777n).toString(8), Number(uid), Number(gid), mtimeNs];
  });
  const ordinary = memberOf({ name: '' }).mtimeNs;
  assert.deepEqual(seen, [
    ['755', 1001, 33, ordinary],
    ['2750', 1002, 33, 5_000_000_000n],
    ['755', 1001, 33, ordinary],
    ['600', 1001, 33, ordinary],
  ]);
});
