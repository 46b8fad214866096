import type { SafeMember } from '../archives/guard-members.ts';
import { readHostTables } from '../sites/host-tables.ts';
import type { Account } from '../sites/account.ts';
import { idsOfAccount } from './known-owners.ts';

/** Who may own what comes out of an archive of an account, by number and by the name that they have on this host. */
export type HostIds = {
  readonly account: Pick<Account, 'uid' | 'gid'>;
  readonly uids: ReadonlySet<number>;
  readonly gids: ReadonlySet<number>;
  readonly users: ReadonlyMap<string, number>;
  readonly groups: ReadonlyMap<string, number>;
};

export function readHostIds(account: Account): HostIds {
  const { users, groups } = readHostTables();
  const { uids, gids } = idsOfAccount(account);
  return {
    account,
    uids: new Set(uids),
    gids: new Set(gids),
    users: new Map(users.filter(({ uid }) => uids.includes(uid)).map(({ name, uid }) => [name, uid])),
    groups: new Map(groups.filter(({ gid }) => gids.includes(gid)).map(({ name, gid }) => [name, gid])),
  };
}

/** By name first, as tar does: numbers are another host's. What is nobody's of the account's becomes the account's. */
export function ownerOfMember(
  { user, group, uid, gid }: Pick<SafeMember, 'user' | 'group' | 'uid' | 'gid'>,
  ids: HostIds,
): { readonly uid: number; readonly gid: number } {
  return {
    uid: ids.users.get(user) ?? (ids.uids.has(uid) ? uid : ids.account.uid),
    gid: ids.groups.get(group) ?? (ids.gids.has(gid) ? gid : ids.account.gid),
  };
}
