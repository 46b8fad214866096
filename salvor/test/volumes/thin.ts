/** Nights on a thin logical volume with XFS, which shares its pool with its snapshots. */
import { it } from 'node:test';
import { claimSnapshots } from '../e2e/snapshot-claims.ts';
import { GROUP, assertAllRuns, command, openVolumeDisk } from './volume-disk.ts';

claimSnapshots(
  'a thin volume',
  (places, held) =>
    openVolumeDisk(places, held, () => {
      command('lvcreate', '--quiet', '--yes', '--type', 'thin-pool', '--size', '600M', '--name', 'pool', GROUP);
      command('lvcreate', '--quiet', '--yes', '--thin', '--virtualsize', '600M', '--name', 'home', `${GROUP}/pool`);
      command('mkfs.xfs', '-q', `/dev/${GROUP}/home`);
    }),
  () => {
    it('leaves no volume suspended', assertAllRuns);
  },
);
