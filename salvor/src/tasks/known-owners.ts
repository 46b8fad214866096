import { readFileSync } from 'node:fs';
import type { Account } from '../sites/site.ts';
import type { Manifest } from '../points/manifest.ts';

export type Ids = { readonly uids: readonly number[]; readonly gids: readonly number[] };

/** Who may own a restored file: the numbers that a manifest names and that belong to the account. */
export type KnownOwners = Ids & {
  /** Who its ACL may name: those of the account. A manifest lists owners only. */
  readonly acl: Ids;
};

/** The web server's users and groups of Debian and of hosts that came from elsewhere: sites are served by them. */
const WEB_NAMES = new Set(['www-data', 'nginx', 'apache', 'http', 'www']);

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

/** Users and groups that files of the account may belong to, as the system knows them now. */
export function idsOfAccount(account: Account): Ids {
  const passwd = readTable('/etc/passwd').map(([name = '', , uid, gid]) => ({
    name,
    uid: Number(uid),
    gid: Number(gid),
  }));
  const groups = readTable('/etc/group').map(([name = '', , gid, members = '']) => ({
    name,
    gid: Number(gid),
    members: members.split(','),
  }));
  const own = passwd.filter(
    ({ name, uid }) => uid === account.uid || name === account.name || name.startsWith(`${account.name}.`),
  );
  const names = new Set(own.map(({ name }) => name));
  const web = passwd.filter(({ name }) => WEB_NAMES.has(name));
  const uids = new Set([account.uid, ...own.map(({ uid }) => uid), ...web.map(({ uid }) => uid)]);
  const gids = new Set([
    account.gid,
    ...own.map(({ gid }) => gid),
    ...groups
      .filter(({ name, members }) => WEB_NAMES.has(name) || members.some((member) => names.has(member)))
      .map(({ gid }) => gid),
  ]);
  return { uids: [...uids], gids: [...gids] };
}

function readTable(file: string): string[][] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(':'));
}
