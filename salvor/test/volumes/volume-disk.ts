import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readVolumes } from '../../src/lib/file-snapshots/read-volumes.ts';
import type { SnapshotDisk } from '../e2e/snapshot-claims.ts';

export const GROUP = 'salvor-test';

/** Runs a command as root, and gives what it prints. */
export function command(file: string, ...args: readonly string[]): string {
  return execFileSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

/** A volume group of 800 MB on a file; `fill` makes the volume `home` in it. A dash in its name is doubled by the device mapper. */
export function openVolumeDisk(
  { directory, at }: { readonly directory: string; readonly at: string },
  held: AsyncDisposableStack,
  fill: () => void,
): SnapshotDisk {
  const image = join(directory, 'image');
  command('truncate', '-s', '800M', image);
  const loop = command('losetup', '--find', '--show', image).trim();
  held.defer(() => void command('losetup', '--detach', loop));
  command('vgcreate', '--quiet', GROUP, loop);
  held.defer(() => void command('vgremove', '--quiet', '--yes', '--force', GROUP));
  fill();
  command('mount', `/dev/${GROUP}/home`, at);
  held.defer(() => void command('umount', at));
  const all = (): readonly string[] => (existsSync(`/dev/${GROUP}`) ? readdirSync(`/dev/${GROUP}`) : []);
  return {
    source: `${GROUP}/home`,
    list: () => all().filter((name) => !['home', 'pool', 'filler', 'salvor-foreign'].includes(name)),
    ours: /^salvor-[0-9a-z]{12}-0$/,
    makeForeign: () => {
      const size = existsSync(`/dev/mapper/${GROUP.replace('-', '--')}-pool_tdata`) ? [] : ['--size', '32M'];
      command('lvcreate', '--quiet', '--snapshot', ...size, '--name', 'salvor-foreign', `${GROUP}/home`);
      return {
        isThere: () => {
          const names = command('lvs', '--noheadings', '-o', 'lv_name', GROUP);
          command('lvremove', '--quiet', '--yes', `${GROUP}/salvor-foreign`);
          return names.includes('salvor-foreign');
        },
      };
    },
  };
}

/** No volume of the group stands still, and none of ours is left. */
export async function assertAllRuns(): Promise<void> {
  const left = (await readVolumes()).filter(({ tags }) => tags.includes('salvor'));
  assert.deepEqual(left, []);
  assert.ok(!command('dmsetup', 'info', '--columns', '--noheadings', '-o', 'name,suspended').includes('Suspended'));
}

/** Whether a command of this name runs. */
export function isRunning(name: string): boolean {
  return readdirSync('/proc').some((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === name;
    } catch {
      return false;
    }
  });
}
