import { statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { DoctorFinding } from '@salvor/contract';
import {
  type CopyName,
  copiesOf,
  hasRepository,
  isKnownAccount,
  keyFileOf,
  repositoryUrlOf,
} from '../../points/repositories.ts';
import { listLocalLocks } from '../../points/local-locks.ts';
import { HOST_ACCOUNT } from '../host-account.ts';
import type { Check, DoctorRoom } from './examine-host.ts';
import { finding, findingOfError } from './findings.ts';

/** As old as restic's own are when they count for nothing. */
const OLD_LOCK_MS = 30 * 60_000;

/** Whether each account's repositories open with their keys, one in each place can be written, and no disk holds all there is. */
export const checkRepositories: Check = async (room, { accounts }, signal) => {
  const { config } = room;
  const findings: DoctorFinding[] = config.remote === null ? [finding('one-copy')] : [];
  findings.push(
    ...findSharedDisks(
      config,
      accounts.map(({ home }) => home),
    ),
  );
  const names = accounts.map(({ name }) => name);
  if (isKnownAccount(config, HOST_ACCOUNT)) names.push(HOST_ACCOUNT);
  for (const copy of copiesOf(config)) {
    let isTried = false;
    for (const account of names) {
      signal?.throwIfAborted();
      const met = await examine(room, account, copy, isTried);
      findings.push(...met);
      isTried ||= met.length === 0;
      // The others lie at the same place: who waits is not made to wait for each.
      if (copy === 'remote' && met.some(({ code }) => code.startsWith('storage-'))) break;
    }
  }
  return findings;
};

async function examine(
  { config, points, clock }: DoctorRoom,
  account: string,
  copy: CopyName,
  isTried: boolean,
): Promise<readonly DoctorFinding[]> {
  const url = repositoryUrlOf(config, account, copy);
  try {
    await points.repositories.open(account, copy);
    if (!isTried) await points.repositories.tryPlace(account, copy);
  } catch (error) {
    const met = findingOfError(error, 'error', url);
    const isMissing = met.code === 'repository-missing' || (copy === 'local' && !hasRepository(config, account));
    if (isMissing && points.repositories.isMade(account, copy))
      return [finding('repository-lost', { account, copy, url }, url)];
    return [isMissing ? finding('account-without-repository', { account, copy }, url) : met];
  }
  if (!url.startsWith('/')) return [];
  return listLocalLocks(url)
    .filter((writtenAt) => clock().getTime() - writtenAt.getTime() > OLD_LOCK_MS)
    .map((writtenAt) => {
      const time = writtenAt.toISOString();
      return finding('repository-lock-old', { account, copy, time, url, key: keyFileOf(config, account, copy) }, url);
    });
}

/** A copy on the disk that it is a copy of goes with it. */
export function findSharedDisks(
  { local, remote }: { readonly local: string; readonly remote: { readonly url: string } | null },
  homes: readonly string[],
): readonly DoctorFinding[] {
  const disk = diskOf(local);
  if (disk === null) return [];
  const hasRemote = remote === null ? 'no' : 'yes';
  const shared = homes.filter((home) => diskOf(home) === disk);
  const findings: DoctorFinding[] =
    shared.length === 0 ? [] : [finding('home-shares-disk', { homes: sayHomes(shared), hasRemote }, local)];
  if (remote !== null && diskOf(remote.url) === disk)
    findings.push(finding('copies-share-disk', { remote: remote.url }, remote.url));
  return findings;
}

/** All of them, those of one directory together: `/data/disk/{o1,o2}, /home/web`. */
function sayHomes(homes: readonly string[]): string {
  const shown = ([above, beside]: [string, string[]]): string => {
    const names = beside.map((home) => basename(home)).join(',');
    return join(above, beside.length === 1 ? names : `{${names}}`);
  };
  return [...Map.groupBy(homes, dirname)].map(shown).join(', ');
}

/** Of a directory of this machine that is there. */
function diskOf(path: string): number | null {
  return path.startsWith('/') ? (statSync(path, { throwIfNoEntry: false })?.dev ?? null) : null;
}
