/** Nights on a dataset of ZFS. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { claimSnapshots } from '../e2e/snapshot-claims.ts';
import { command } from './volume-disk.ts';

const POOL = 'salvor-test';

claimSnapshots(
  'a dataset',
  ({ directory, at }, held) => {
    const image = join(directory, 'image');
    command('truncate', '-s', '800M', image);
    command('zpool', 'create', '-m', 'none', POOL, image);
    held.defer(() => void command('zpool', 'destroy', POOL));
    command('zfs', 'create', '-o', `mountpoint=${at}`, `${POOL}/home`);
    const all = (): readonly string[] => readdirSync(join(at, '.zfs/snapshot'));
    return {
      source: `${POOL}/home`,
      list: () => all().filter((name) => name !== 'salvor-foreign'),
      ours: /^salvor-[0-9a-z]{12}-0$/,
      makeForeign: () => {
        command('zfs', 'snapshot', `${POOL}/home@salvor-foreign`);
        return { isThere: () => all().includes('salvor-foreign') };
      },
    };
  },
  (hosted) => {
    it('is good although somebody holds its snapshot, which goes with the hold', async () => {
      const { disk, night } = hosted();
      let held = '';
      const done = await night(() => {
        held = `${POOL}/home@${disk.list()[0] ?? ''}`;
        command('zfs', 'hold', 'somebody', held);
      });
      assert.equal(done.state, 'succeeded', JSON.stringify(done.problems));
      assert.equal(disk.list().length, 1);
      command('zfs', 'release', 'somebody', held);
      assert.deepEqual(disk.list(), []);
    });

    it('is good although somebody has gone into its snapshot, which is named where it can’t be removed', async () => {
      const { disk, night } = hosted();
      const done = await night(() => {
        command(
          'sh',
          '-c',
          `cd "${hosted().host.directory}/.zfs/snapshot/${disk.list()[0] ?? ''}" && sleep 600 >/dev/null 2>&1 &`,
        );
      });
      const codes = done.problems.map(({ code }) => code);
      assert.ok(codes.length === 0 || (codes.length === 1 && codes[0] === 'snapshot-left'), codes.join());
      assert.equal(disk.list().length, codes.length);
    });
  },
);
