/** Nights on a classic logical volume with ext4: its snapshots take their room out of the volume group, and may run full. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { runRestic, runSalvor } from '../../../demo/salvor-command.ts';
import { findSource } from '../../src/lib/file-snapshots/file-snapshot.ts';
import { claimSnapshots, killNight, recover } from '../e2e/snapshot-claims.ts';
import { GROUP, assertAllRuns, command, isRunning, openVolumeDisk } from './volume-disk.ts';

claimSnapshots(
  'a logical volume',
  (places, held) =>
    openVolumeDisk(places, held, () => {
      command('lvcreate', '--quiet', '--yes', '--size', '400M', '--name', 'home', GROUP);
      command('mkfs.ext4', '-q', `/dev/${GROUP}/home`);
    }),
  (hosted) => {
    it('leaves no volume suspended, and no snapshot, when it is killed while LVM makes one', async () => {
      const { host, night } = hosted();
      await killNight(host, () => isRunning('lvcreate'));
      await recover(host);
      await assertAllRuns();
      assert.equal((await night()).state, 'succeeded');
    });

    it('reads all files again, as they change, where its snapshot runs full, and names it', async () => {
      const { host, site, disk, night, changing, stored } = hosted();
      // Two extents are left: 8 MB.
      command('lvcreate', '--quiet', '--yes', '--extents', `${freeExtents() - 2}`, '--name', 'filler', GROUP);
      const much = join(host.directory, 'much');
      const done = await night(() => {
        const file = openSync(changing, 'w');
        writeSync(file, 'after');
        closeSync(file);
        const large = openSync(much, 'w');
        writeSync(large, randomBytes(48 * 1024 * 1024));
        fsyncSync(large);
        closeSync(large);
      });
      rmSync(much);
      assert.deepEqual([done.state, done.problems.map(({ code }) => code)], ['warned', ['snapshot-full']]);
      assert.equal(await stored(), 'after');
      const { output } = await runRestic(host, ['ls', '--recursive', '--tag', 'holds:files', 'latest', site.path]);
      const inPoint = new Set(output.split('\n'));
      const inSite = command('find', join(site.path, 'modules'), join(site.path, 'files/pictures')).trim().split('\n');
      assert.ok(inSite.length > 10);
      assert.deepEqual(
        inSite.filter((path) => !inPoint.has(path)),
        [],
      );
      await assertAllRuns();
      assert.deepEqual(disk.list(), []);
    });

    it('reads homes as they change where the volume group has no room, and the doctor says so', async () => {
      const { host, night, changing, stored } = hosted();
      command('lvextend', '--quiet', '--extents', '+100%FREE', `${GROUP}/filler`);
      const lacks = (await findSource(host.home, new AbortController().signal))?.lacks;
      assert.equal(lacks, `volume group ${GROUP} has no free room for a snapshot of home`);
      const done = await night(() => {
        const file = openSync(changing, 'w');
        writeSync(file, 'after');
        closeSync(file);
      });
      assert.equal(done.state, 'succeeded', JSON.stringify(done.problems));
      assert.equal(await stored(), 'after');
      const { document } = await runSalvor(host, ['doctor']);
      const { findings } = document as { findings: readonly { code: string; message: string }[] };
      assert.ok(findings.find(({ code }) => code === 'home-not-frozen')?.message.includes(lacks));
    });
  },
);

function freeExtents(): number {
  return Number(command('vgs', '--noheadings', '-o', 'vg_free_count', GROUP));
}
