/** A home out of a night's snapshot: whole at its place or not at all, and never over what lies there. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  type Repository,
  type Snapshot,
  backup,
  entriesOfPaths,
  findSnapshot,
  openMemoryStorage,
} from '@salvor/engine';
import { initRepository } from '@salvor/engine';
import { identify, recoverHome, recoverWithin } from './recover-home.ts';

const place = mkdtempSync(join(tmpdir(), 'salvor-home-'));
const top = join(place, 'disk');
const home = join(top, 'o1');
after(() => rmSync(place, { recursive: true, force: true }));

let repository: Repository;
let snapshot: Snapshot;
before(async () => {
  mkdirSync(join(home, 'sites/a'), { recursive: true });
  mkdirSync(join(home, 'sites/b'));
  for (const name of ['a', 'b']) writeFileSync(join(home, 'sites', name, 'settings.php'), name);
  symlinkSync('/etc', join(home, 'link'));
  chmodSync(top, 0o711);
  chmodSync(home, 0o2750);
  if (process.getuid?.() === 0) chownSync(join(home, 'sites/a'), 60_777, 60_777);
  repository = await initRepository(openMemoryStorage(), { kind: 'key', text: 'ab'.repeat(32) });
  const { snapshots } = await backup({ source: entriesOfPaths([home]), repositories: [repository], paths: [home] });
  snapshot = await findSnapshot(repository, snapshots[0]?.id ?? '');
});

function options(without: readonly string[] = []): Parameters<typeof recoverHome>[1] & { readonly placed: string[] } {
  const placed: string[] = [];
  return {
    repository,
    snapshot,
    without: new Set(without),
    workers: 1,
    signal: new AbortController().signal,
    onProgress: () => {},
    onPlacing: (identity) => placed.push(identity),
    placed,
  };
}

describe('a home', () => {
  it('that lies there is left alone; where there is none it comes whole, with owners and modes, and what is above it', async () => {
    await assert.rejects(recoverHome(home, options()), { code: 'place-taken' });
    renameSync(top, join(place, 'away'));
    // Left half by one that was killed.
    mkdirSync(join(top, '.salvor-recovery-o1', 'half'), { recursive: true });
    rmSync(top, { recursive: true });
    const wanted = options([join(home, 'sites/b')]);
    await recoverHome(home, wanted);
    assert.deepEqual(wanted.placed, [identify(home)]);
    assert.equal(statSync(top).mode & 0o7777, 0o711);
    assert.equal(statSync(home).mode & 0o7777, 0o2750);
    if (process.getuid?.() === 0) assert.equal(statSync(join(home, 'sites/a')).uid, 60_777);
    assert.deepEqual(readdirSync(join(home, 'sites')), ['a']);
    assert.deepEqual(readdirSync(top), ['o1']);
  });

  it('gets what it was recovered without later, and nothing through a link that a tenant has put in the way', async () => {
    await recoverWithin(home, join(home, 'sites/b'), options());
    assert.equal(readFileSync(join(home, 'sites/b/settings.php'), 'utf8'), 'b');
    await assert.rejects(recoverWithin(home, join(home, 'sites/b'), options()), { code: 'place-taken' });
    const elsewhere = join(place, 'elsewhere');
    renameSync(join(home, 'sites'), elsewhere);
    rmSync(join(elsewhere, 'b'), { recursive: true });
    symlinkSync(elsewhere, join(home, 'sites'));
    await assert.rejects(recoverWithin(home, join(home, 'sites/b'), options()));
    assert.equal(existsSync(join(elsewhere, 'b')), false);
  });

  it(
    'that is a mount of its own is refused with a code',
    { skip: process.getuid?.() !== 0 && 'mounts need root' },
    async () => {
      rmSync(top, { recursive: true });
      mkdirSync(home, { recursive: true });
      execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', home]);
      try {
        await assert.rejects(recoverHome(home, options()), { code: 'place-mounted' });
      } finally {
        execFileSync('umount', [home]);
      }
    },
  );
});
