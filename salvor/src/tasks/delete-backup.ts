/**
 * Removes one point because a person names it: its archives, then its snapshot. What the snapshot alone held is free after
 * a prune; a copy in the remote repository stays for as long as its rules say.
 */
import { forgetNamed, type Repository } from '@salvor/engine';
import type { BackupDeleteDocument, BackupDeletePlan } from '@salvor/contract';
import { SalvorError } from '../errors.ts';
import { openHelper } from '../lib/account-helper/open-helper.ts';
import { openRoot } from '../lib/beneath/open-directory.ts';
import { parseSafePath } from '../lib/beneath/safe-path.ts';
import { lookAt, spotBeneath, unlinkAt } from '../lib/beneath/spot.ts';
import type { FoundArchive } from '../points/archive-catalogue.ts';
import type { Policy } from '../policies/settings.ts';
import { listHooks } from '../policies/task-steps.ts';
import type { Account } from '../sites/account.ts';
import { usersOfAccount } from './known-owners.ts';
import type { TaskRun } from './task-run.ts';

export type DeletedBackup = {
  readonly id: string;
  readonly account: Account;
  readonly archives: readonly FoundArchive[];
  /** In the account's local repository; null where it has none. */
  readonly snapshot: string | null;
};

/** What is known of a point beside what would be removed. */
export type KnownOfPoint = {
  readonly account: string;
  readonly uri: string;
  readonly time: string;
  /** Whether the remote repository has it too. */
  readonly isRemote: boolean;
  /** Why it must stay: reasons of `point-held`. */
  readonly held: readonly string[];
  readonly policy: Policy;
};

/** What would go, as a value. */
export function planDeleteBackup(
  { id, archives, snapshot }: DeletedBackup,
  { account, uri, time, isRemote, held, policy }: KnownOfPoint,
): BackupDeletePlan {
  const message = 'its copy in the remote repository stays for as long as the rules say';
  return {
    account,
    uri,
    point: id,
    pointTime: time,
    archives: archives.map(({ file: { path, bytes } }) => ({ path, bytes })),
    snapshot,
    hooks: listHooks(policy, 'backup-delete'),
    obstacles: held.map((why) => ({ code: 'point-held', message: why, path: null })),
    notes: isRemote ? [{ code: 'copy-stays', message, path: null }] : [],
  };
}

type Removed = BackupDeleteDocument['removed'][number];

/** Throws what the home and the repository say; what was removed before stays removed, and is asked for again. */
export async function deleteBackup(
  { id, account, archives, snapshot }: DeletedBackup,
  repository: Repository | null,
  run: TaskRun,
): Promise<readonly Removed[]> {
  run.record({ point: id });
  const removed: Removed[] = [];
  for (const { file } of archives) {
    await run.step('remove the archive', () =>
      run.audit('remove-archive', file.path, () =>
        removeFile(account, file.home, file.path.slice(file.home.length + 1)),
      ),
    );
    removed.push({ kind: 'archive', path: file.path, bytes: file.type === 'file' ? file.bytes : null });
  }
  if (snapshot !== null && repository !== null) {
    const forgotten = await run.step('forget the snapshot', () =>
      run.audit('forget-point', id, () => forgetNamed(repository, [snapshot], { signal: run.signal })),
    );
    run.note(...forgotten.problems.map(({ code, message, path }) => ({ code, message, path })));
    removed.push(...forgotten.removed.map((one): Removed => ({ kind: 'snapshot', path: one, bytes: null })));
  }
  return removed;
}

/** By the account's user, whose it is; what root has put there root removes, and follows nothing on the way. */
async function removeFile(account: Account, home: string, below: string): Promise<void> {
  const path = parseSafePath(below);
  if (account.uid !== 0) {
    try {
      const user = usersOfAccount(account).find(({ uid }) => uid === account.uid) ?? account;
      await using helper = await openHelper(user, home);
      return await helper.remove(path);
    } catch (error) {
      if (!(error instanceof SalvorError) || error.code !== 'home-refused') throw error;
    }
  }
  using root = openRoot(home);
  using spot = spotBeneath(root, path);
  if (lookAt(spot)?.isFile() === true) unlinkAt(spot);
}
