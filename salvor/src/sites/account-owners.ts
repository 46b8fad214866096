import { statSync } from 'node:fs';
import type { Account } from './account.ts';
import type { HostTables } from './host-tables.ts';
import { WEB_NAMES } from './read-account.ts';

/** Whose files may lie in an account's homes, by the host's own lists. */
export type AccountOwners = { readonly uids: ReadonlySet<number>; readonly gids: ReadonlySet<number> };

/**
 * The account's own user and whoever owns its home, its log-ins and the users that PHP runs as (`o1.web`), with their
 * groups and those that they are in; the web server's. A file of anybody else in the account's homes is a stranger's.
 */
export function ownersOf(account: Account, { users, groups }: HostTables): AccountOwners {
  const own = users.filter(
    ({ name, uid }) => uid === account.uid || name === account.name || name.startsWith(`${account.name}.`),
  );
  const names = new Set(own.map(({ name }) => name));
  const home = statSync(account.home, { throwIfNoEntry: false });
  const web = users.filter(({ name }) => WEB_NAMES.includes(name));
  return {
    uids: new Set([account.uid, ...(home === undefined ? [] : [home.uid]), ...[...own, ...web].map(({ uid }) => uid)]),
    gids: new Set([
      account.gid,
      ...(home === undefined ? [] : [home.gid]),
      ...own.map(({ gid }) => gid),
      ...groups
        .filter(({ name, members }) => WEB_NAMES.includes(name) || members.some((member) => names.has(member)))
        .map(({ gid }) => gid),
    ]),
  };
}

/**
 * Whose files may have more than one name in the account's homes: the account's own users. Not the web server's, which is
 * the same for all tenants, and not root: a tenant could link to another one's file and have it in his backup.
 */
export function linkOwnersOf(account: Account, tables: HostTables): readonly number[] {
  const web = new Set(tables.users.filter(({ name }) => WEB_NAMES.includes(name)).map(({ uid }) => uid));
  const { uids } = ownersOf(account, tables);
  return [...uids].filter((uid) => uid === account.uid || (uid !== 0 && !web.has(uid)));
}
