import { ownersOf } from '../sites/account-owners.ts';
import type { Account } from '../sites/account.ts';
import type { HelperUser } from '../lib/account-helper/open-helper.ts';
import { readHostTables } from '../sites/host-tables.ts';
import type { Manifest } from '../points/manifest.ts';

export type Ids = { readonly uids: readonly number[]; readonly gids: readonly number[] };

/** Who may own a restored file: the numbers that a manifest names and that belong to the account. */
export type KnownOwners = Ids & {
  /** Who its ACL may name: those of the account. A manifest lists owners only. */
  readonly acl: Ids;
};

/**
 * What both name. The account's are its own ids, its log-ins (`o1.ftp`, `o1.client`) with their groups, the groups
 * that it is in, and the web server's. Everything else in a point would let a restore hand files to a stranger.
 */
export function knownOwners(account: Account, manifest: Manifest): KnownOwners {
  const { uids, gids } = idsOfAccount(account);
  return {
    uids: manifest.owners.users.map(({ id }) => id).filter((id) => uids.includes(id)),
    gids: manifest.owners.groups.map(({ id }) => id).filter((id) => gids.includes(id)),
    acl: { uids, gids },
  };
}

/** Users and groups that files of the account may belong to, as the system knows them now. Root's only where it is root's. */
export function idsOfAccount(account: Account): Ids {
  const { uids, gids } = ownersOf(account, readHostTables());
  const isAllowed = (id: number): boolean => id !== 0 || account.uid === 0;
  return { uids: [...uids].filter(isAllowed), gids: [...gids].filter(isAllowed) };
}

/** The users of an account, each with the groups that it is in: itself and its log-ins. They need no entry in a table. */
export function usersOfAccount(account: Account): readonly HelperUser[] {
  const { users, groups } = readHostTables();
  const ids = new Set([account.uid, ...account.logins.map(({ uid }) => uid)]);
  const known = users
    .filter(({ uid }) => ids.has(uid))
    .map(({ name, uid, gid }) => ({
      uid,
      gid,
      groups: groups.filter(({ members }) => members.includes(name)).map((group) => group.gid),
    }));
  return known.some(({ uid }) => uid === account.uid) ? known : [{ uid: account.uid, gid: account.gid }, ...known];
}
