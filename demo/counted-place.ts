/** A place whose kernel counts what is used and refuses more with EDQUOT, as a hoster's quotas do: a Btrfs in a file. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeTemporaryDirectory } from './temporary-directory.ts';

export type CountedPlace = AsyncDisposable & { readonly path: string };

/**
 * Mounts one beneath `mount`, an empty directory; `path` is what may hold so many MiB. Null where none can be mounted: without
 * root, or in a container without loop devices.
 */
export async function mountWithQuota(mount: string, mebibytes: number): Promise<CountedPlace | null> {
  await using made = new AsyncDisposableStack();
  const { path: directory } = made.use(await makeTemporaryDirectory('salvor-quota'));
  const image = join(directory, 'image');
  writeFileSync(image, '');
  truncateSync(image, IMAGE_BYTES);
  if (spawnSync('mkfs.btrfs', ['-q', '--mixed', image]).status !== 0) return null;
  if (spawnSync('mount', ['-o', 'loop', image, mount]).status !== 0) return null;
  made.defer(() => {
    execFileSync('umount', [mount]);
    rmSync(image);
  });
  const path = join(mount, 'counted');
  const btrfs = (...args: readonly string[]): void => void execFileSync('btrfs', args, { stdio: 'pipe' });
  btrfs('quota', 'enable', mount);
  btrfs('subvolume', 'create', path);
  btrfs('qgroup', 'limit', `${mebibytes}M`, path);
  mkdirSync(join(path, 'inner'));
  const resources = made.move();
  return { path: join(path, 'inner'), [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

/** The least that Btrfs takes is 109 MiB, of which the file's own disk gives only what is written. */
const IMAGE_BYTES = 128 * 1024 * 1024;
