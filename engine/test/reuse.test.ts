/** A restore that takes from another directory what is there already. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  cpSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  statfsSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type RestoreResult, type Snapshot, backup, findSnapshot, restore } from '../src/index.ts';
import type { Repository } from '../src/index.ts';
import { cloneFile, makeNode } from '../src/libc.ts';
import { makeRepository, openWorkplace } from './fixtures.ts';

/** More than the largest piece: it always has several. */
const BIG = 9 * 1024 * 1024;

type Stage = {
  readonly place: string;
  readonly repository: Repository;
  readonly snapshot: Snapshot;
  readonly live: string;
  readonly run: (target: string, existing?: string) => Promise<RestoreResult>;
};

async function stage(place: string): Promise<Stage> {
  const source = join(place, 'source');
  mkdirSync(join(source, 'sub'), { recursive: true });
  writeFileSync(join(source, 'big'), randomBytes(BIG));
  for (let n = 0; n < 20; n++) writeFileSync(join(source, 'sub', `small ${n} \u00e4`), randomBytes(3000));
  writeFileSync(Buffer.from(join(source, 'sub', 'byte \u00ff'), 'latin1'), 'a name that is no text');
  writeFileSync(join(source, 'empty'), '');
  const repository = await makeRepository(join(place, 'repository'));
  await backup({
    source: [{ kind: 'tree', name: 'source', path: source }],
    repositories: [repository],
    paths: [source],
  });
  const snapshot = await findSnapshot(repository, 'latest');
  const live = join(place, 'live');
  cpSync(source, live, { recursive: true, preserveTimestamps: true });
  const run = (target: string, existing = live): Promise<RestoreResult> =>
    restore({ repository, snapshot, subtree: '/source', target: join(place, target), existing, verify: true });
  return { place, repository, snapshot, live, run };
}

test('what is there already is not read from the repository, and shares no inode with it', async () => {
  using work = openWorkplace();
  const { place, live, run } = await stage(work.path);
  const { bytesRead, reused, bytes, problems } = await run('out');
  assert.deepEqual([bytesRead, reused, problems], [0, { files: 22, bytes }, []]);
  execFileSync('diff', ['-r', live, join(place, 'out')]);
  assert.notEqual(statSync(join(live, 'big')).ino, statSync(join(place, 'out/big')).ino);
  assert.equal(statSync(join(place, 'out/big')).nlink, 1);
  assert.equal(statSync(join(place, 'out/big')).mtimeMs, statSync(join(place, 'source/big')).mtimeMs);
  writeFileSync(join(live, 'big'), 'written to later');
  execFileSync('diff', ['-r', join(place, 'source'), join(place, 'out')]);
});

test('of a file that differs in a few bytes only those pieces are read, also where time and size are the same', async () => {
  using work = openWorkplace();
  const { place, live, run } = await stage(work.path);
  const big = readFileSync(join(live, 'big'));
  const { mtime } = statSync(join(live, 'big'));
  big[big.length - 5] = (big[big.length - 5] ?? 0) ^ 1;
  writeFileSync(join(live, 'big'), big);
  utimesSync(join(live, 'big'), mtime, mtime);
  const { bytesRead, reused, bytes } = await run('out');
  assert.ok(bytesRead > 0 && bytesRead < BIG, String(bytesRead));
  assert.ok(reused.bytes > 0 && reused.bytes < bytes);
  execFileSync('diff', ['-r', join(place, 'source'), join(place, 'out')]);
});

test('nothing is taken from what is no plain file of that size, and nothing of it waits or is led elsewhere', async (t) => {
  using work = openWorkplace();
  const { place, live, run } = await stage(work.path);
  const [a = '', b = '', c = '', d = '', e = ''] = readdirSync(join(live, 'sub')).filter((name) =>
    name.startsWith('small'),
  );
  const at = (name: string): string => join(live, 'sub', name);
  renameSync(at(a), join(place, 'elsewhere'));
  symlinkSync(join(place, 'elsewhere'), at(a));
  rmSync(at(b));
  execFileSync('mkfifo', [at(b)]);
  writeFileSync(at(c), 'another size');
  rmSync(at(d));
  mkdirSync(at(d));
  rmSync(at(e));
  if (process.getuid?.() === 0) makeNode(at(e), 0o020600, 0x0103n);
  else t.diagnostic('not root: no device was tried');
  const { reused } = await run('out');
  assert.equal(reused.files, 22 - 5);
  execFileSync('diff', ['-r', join(place, 'source'), join(place, 'out')]);
});

test('a directory of files that are all different, or none, costs nothing but the reading', async () => {
  using work = openWorkplace();
  const { place, live, run } = await stage(work.path);
  for (const name of readdirSync(join(live, 'sub')))
    if (name.startsWith('small')) writeFileSync(join(live, 'sub', name), randomBytes(3000));
  rmSync(join(live, 'big'));
  linkSync(join(live, 'empty'), join(live, 'big'));
  const { reused } = await run('out');
  assert.equal(reused.files, 1);
  execFileSync('diff', ['-r', join(place, 'source'), join(place, 'out')]);
  mkdirSync(join(place, 'nothing'));
  assert.deepEqual((await run('other', join(place, 'nothing'))).reused, { files: 0, bytes: 0 });
  execFileSync('diff', ['-r', join(place, 'source'), join(place, 'other')]);
});

test('where the file system can, the blocks are shared', async (t) => {
  using work = openWorkplace();
  const mount = mountBtrfs(work.path);
  if (mount === null) {
    t.diagnostic('no Btrfs could be mounted here');
    return assert.equal(cloneFile(0, 0), false);
  }
  try {
    const { place, live, run } = await stage(mount);
    const before = bytesUsed(mount);
    const { bytesRead } = await run('out');
    execFileSync('sync', ['-f', mount]);
    assert.equal(bytesRead, 0);
    assert.ok(bytesUsed(mount) - before < BIG / 2, String(bytesUsed(mount) - before));
    execFileSync('diff', ['-r', live, join(place, 'out')]);
    writeFileSync(join(live, 'big'), 'written to later');
    execFileSync('diff', ['-r', join(place, 'source'), join(place, 'out')]);
  } finally {
    execFileSync('umount', [mount]);
  }
});

/** Null where that is not possible: without root, or in a container that has no loop devices. */
function mountBtrfs(place: string): string | null {
  const [image, mount] = [join(place, 'image'), join(place, 'mount')];
  mkdirSync(mount);
  writeFileSync(image, '');
  truncateSync(image, 200 * 1024 * 1024);
  const isDone = (command: string, ...args: readonly string[]): boolean => spawnSync(command, args).status === 0;
  return isDone('mkfs.btrfs', '-q', image) && isDone('mount', '-o', 'loop', image, mount) ? mount : null;
}

function bytesUsed(mount: string): number {
  execFileSync('sync', ['-f', mount]);
  const { blocks, bfree, bsize } = statfsSync(mount);
  return (blocks - bfree) * bsize;
}
