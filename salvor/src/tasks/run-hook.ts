/**
 * Commands of the hoster's around a restore (before anything is touched, and when the site is the new one) and around the
 * updates of a database on other code. They run
 * as the account's user, or as the one that is named: what they start may run the tenant's code.
 */
import { lstatSync } from 'node:fs';
import type { OsUser } from '../lib/run.ts';
import type { Policy } from '../policies/settings.ts';
import type { Account } from '../sites/account.ts';
import { readHostTables } from '../sites/host-tables.ts';
import { runConfigured } from './configured-command.ts';
import type { Journal } from './journal.ts';
import { usersOfAccount } from './known-owners.ts';
import type { TaskRun } from './task-run.ts';

export type HookName = 'preRestore' | 'postRestore' | 'preUpdate' | 'postUpdate';

/** The site that a hook is told of. What is null is not known. */
export type HookPlace = {
  readonly operation: Journal['operation'];
  /** Null where the host has none of that name any more. */
  readonly account: Account | null;
  readonly accountName: string;
  readonly uri: string;
  readonly path: string;
  readonly platform: string | null;
  readonly cms: string | null;
};

/** Null where there is none or it ended well, else why not. `signal` is for a hook that may still stop the task; `told` is put into its environment. */
export async function runHook(
  hook: HookName,
  place: HookPlace,
  policy: Policy,
  run: Pick<TaskRun, 'id' | 'say'>,
  signal?: AbortSignal,
  told: Readonly<Record<string, string>> = {},
): Promise<string | null> {
  const words = policy[hook];
  if (words === null) return null;
  const found = findHookUser(policy.hookUser, place.account);
  if ('why' in found) return found.why;
  const { user, name, home } = found;
  const isThere = lstatSync(place.path, { throwIfNoEntry: false })?.isDirectory() === true;
  return await runConfigured(
    {
      title: `hook ${hook}`,
      words,
      user,
      directory: isThere ? place.path : '/',
      env: {
        ...describePlace(place),
        ...told,
        SALVOR_HOOK: hook,
        SALVOR_TASK: run.id,
        HOME: home,
        USER: name,
        LOGNAME: name,
      },
      withinMs: policy.hookWithinMs,
      tree: run.id,
      ...(signal === undefined ? {} : { signal }),
    },
    run,
  );
}

function describePlace({ operation, accountName, uri, path, platform, cms }: HookPlace): Record<string, string> {
  return {
    SALVOR_OPERATION: operation,
    SALVOR_ACCOUNT: accountName,
    SALVOR_SITE: uri,
    SALVOR_SITE_PATH: path,
    ...(platform === null ? {} : { SALVOR_PLATFORM: platform }),
    ...(cms === null ? {} : { SALVOR_CMS: cms }),
  };
}

/** `user` is null where it is who we are. Root runs a tenant's code for nobody who did not write so. */
export function findHookUser(
  name: string | null,
  account: Account | null,
): { readonly user: OsUser | null; readonly name: string; readonly home: string } | { readonly why: string } {
  const { users, groups } = readHostTables();
  const own = process.getuid?.();
  if (name === null) {
    if (account === null) return { why: 'its account is none of this host any more' };
    const [user] = usersOfAccount(account).filter(({ uid }) => uid === account.uid);
    if (user === undefined || user.uid === 0)
      return { why: `account ${account.name} is root’s: name the user of its hooks (hooks: user:)` };
    const row = users.find(({ uid }) => uid === user.uid);
    return change(user, row?.name ?? account.name, account.home);
  }
  const row = users.find((user) => user.name === name);
  if (row === undefined) return { why: `there is no user ${name} on this host` };
  const others = groups.filter(({ members }) => members.includes(name)).map(({ gid }) => gid);
  return change({ uid: row.uid, gid: row.gid, groups: others }, name, row.home);

  function change(user: OsUser, shown: string, home: string): ReturnType<typeof findHookUser> {
    if (user.uid === own) return { user: null, name: shown, home };
    if (own !== 0) return { why: `only root can run it as ${shown}` };
    return { user, name: shown, home };
  }
}
