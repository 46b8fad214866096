/** Nights on a Btrfs disk. Those on LVM and ZFS, which few kernels have, are made by `npm run snapshots` in a machine of its own. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { it } from 'node:test';
import { findSource } from '../../src/lib/file-snapshots/file-snapshot.ts';
import { claimSnapshots } from './snapshot-claims.ts';

claimSnapshots(
  'Btrfs',
  ({ directory, at }, held) => {
    const image = join(directory, 'image');
    execFileSync('truncate', ['-s', '400M', image]);
    execFileSync('mkfs.btrfs', ['-q', image]);
    execFileSync('mount', ['-o', 'loop', image, at]);
    held.defer(() => void execFileSync('umount', [at]));
    const all = (): readonly string[] =>
      execFileSync('btrfs', ['subvolume', 'list', at], { encoding: 'utf8' }).split('\n').filter(Boolean);
    return {
      source: at,
      list: () => all().filter((line) => !line.endsWith('/foreign')),
      ours: / path \.salvor\/o1\/[0-9a-z]{12}\/files-0$/,
      makeForeign: () => {
        execFileSync('btrfs', ['-q', 'subvolume', 'snapshot', '-r', at, join(at, 'data/foreign')]);
        return { isThere: () => all().some((line) => line.endsWith('/foreign')) };
      },
    };
  },
  (hosted) => {
    it('reads a home as it changes where another subvolume lies in it', async () => {
      const { host, site, disk, night } = hosted();
      const signal = new AbortController().signal;
      const inner = join(host.home, 'own');
      execFileSync('btrfs', ['-q', 'subvolume', 'create', inner]);
      assert.equal(await findSource(host.home, signal), null);
      assert.equal((await findSource(site.path, signal))?.name, disk.source);
      assert.equal((await night()).state, 'succeeded');
      execFileSync('btrfs', ['-q', 'subvolume', 'delete', inner]);
    });
  },
);
