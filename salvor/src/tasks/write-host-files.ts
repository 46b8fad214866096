import { existsSync, renameSync, rmSync } from 'node:fs';
import { type Repository, listSnapshots, restore } from '@salvor/engine';
import { halfOf } from '../points/account-point.ts';

/** Writes the newest files of a host, but for its agent's state, into a directory; one that is there stays. False where there are none. */
export async function writeHostFiles(repository: Repository, target: string, state: string): Promise<boolean> {
  if (existsSync(target)) return true;
  const { snapshots } = await listSnapshots(repository, { tags: ['salvor'] });
  const snapshot = snapshots.findLast((one) => halfOf(one) === 'files');
  if (snapshot === undefined) return false;
  const beside = `${target}.new`;
  rmSync(beside, { recursive: true, force: true });
  const include = (path: string): boolean => path !== state;
  // Whatever its ids are here: it is to be looked at by root.
  await restore({ repository, snapshot, target: beside, include, verify: true, sync: true });
  renameSync(beside, target);
  return true;
}
