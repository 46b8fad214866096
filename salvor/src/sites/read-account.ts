/**
 * Makes an account of a home: its name, its system user, its log-ins and the web server's group. All of it comes from
 * the host's own lists, which only root writes; a tenant's files are asked for nothing but a hint.
 */
import { realpathSync, statSync } from 'node:fs';
import type { Account, LogIn } from './account.ts';
import type { HostTables, HostUser } from './host-tables.ts';
import { isBeneath } from './read-beneath.ts';

/** The web server's groups of Debian and of hosts that came from elsewhere. */
export const WEB_NAMES: readonly string[] = ['www-data', 'nginx', 'apache', 'http', 'www'];

/** Last components that say nothing about whose home it is. */
const COMMON_NAMES = new Set(['html', 'htdocs', 'httpdocs', 'public', 'public_html', 'sites', 'vhosts', 'web', 'www']);

export type AccountOptions = {
  readonly tables: HostTables;
  /** All homes that are accounts' on this host: the user of one is no log-in of another. */
  readonly homes: readonly string[];
  /** What Aegir's context calls the web server's group. */
  readonly webGroup: string | null;
};

/** The reason why a home can be no account's, for people. */
export type AccountRefusal = { readonly refused: string };

export function readAccount(path: string, options: AccountOptions): Account | AccountRefusal {
  const { tables } = options;
  let home: string;
  let owner: { readonly uid: number; readonly gid: number };
  try {
    home = realpathSync(path);
    const stat = statSync(home);
    if (!stat.isDirectory() || home === '/') return { refused: 'a home that is not a directory' };
    owner = stat;
  } catch {
    return { refused: 'a home that can not be read or does not exist' };
  }
  const user = userOf(home, owner.uid, tables);
  const name = user?.name ?? nameOf(home, tables);
  if (!isName(name))
    return { refused: 'a home whose name can not name an account: it has blanks or control characters' };
  const { uid, gid } = user ?? owner;
  return { name, home, uid, gid, logins: loginsOf(name, home, user, options), webGroup: webGroupOf(name, options) };
}

/** Whose home the host's list says that it is; of several users the one that owns the directory, or bears its name. */
function userOf(home: string, ownerUid: number, { users }: HostTables): HostUser | undefined {
  const named = users.filter((user) => withoutSlash(user.home) === home);
  const last = home.slice(home.lastIndexOf('/') + 1);
  return (
    named.find(({ uid }) => uid === ownerUid) ??
    named.find(({ name }) => name === last) ??
    (named.length === 1 ? named[0] : undefined)
  );
}

/** The name must not change when another home comes or goes, so it depends on this path and the users only. */
function nameOf(home: string, { users }: HostTables): string {
  const last = home.slice(home.lastIndexOf('/') + 1);
  const isTaken = COMMON_NAMES.has(last) || users.some(({ name }) => name === last);
  return isTaken ? nameByHome(home) : last;
}

/** A name that no other home has: its path, `srv-www`. */
export function nameByHome(home: string): string {
  return home.slice(1).replaceAll('/', '-');
}

// It becomes a directory's name, a tag of restic's and a part of ACCOUNT/URI.
function isName(name: string): boolean {
  return /^[^\s/,\p{Cc}\p{Cf}\ufffd]{1,128}$/u.test(name) && !/^[-.]/.test(name);
}

function loginsOf(name: string, home: string, user: HostUser | undefined, options: AccountOptions): LogIn[] {
  const dotted = options.tables.users.filter(
    (other) =>
      other.name.startsWith(`${name}.`) && !isService(other) && !options.homes.includes(withoutSlash(other.home)),
  );
  const main = dotted.find((other) => other.name === `${name}.ftp`) ?? user;
  const clients = dotted.filter((other) => other !== main).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return [
    ...(main === undefined ? [] : [{ ...loginOf(main, home), kind: 'main' as const }]),
    ...clients.map((client) => ({ ...loginOf(client, home), kind: 'client' as const })),
  ];
}

/** BOA's users that PHP runs as (`o1.web`, `o1.81.web`): nobody logs in by them, but files may be theirs. */
function isService({ name }: HostUser): boolean {
  return name.endsWith('.web');
}

function loginOf(user: HostUser, accountHome: string): Omit<LogIn, 'kind'> {
  return { name: user.name, uid: user.uid, home: loginHome(user, accountHome) };
}

// A list that names `/` or `/var/lib` as somebody's home must not make all of it the account's.
function loginHome(user: HostUser, accountHome: string): string | null {
  const named = withoutSlash(user.home);
  const isOwn = named.slice(named.lastIndexOf('/') + 1) === user.name || isBeneath(named, accountHome);
  if (!isOwn) return null;
  try {
    const real = realpathSync(named);
    return real === named && statSync(real).isDirectory() ? real : null;
  } catch {
    return null;
  }
}

function webGroupOf(name: string, { tables, webGroup }: AccountOptions): Account['webGroup'] {
  const found = tables.groups.find(
    (group) => group.name === webGroup && (WEB_NAMES.includes(group.name) || group.members.includes(name)),
  );
  const usual = WEB_NAMES.flatMap((wanted) => tables.groups.filter((group) => group.name === wanted))[0];
  const group = found ?? usual;
  return group === undefined ? null : { name: group.name, gid: group.gid };
}

function withoutSlash(path: string): string {
  return path.length > 1 ? path.replace(/\/+$/, '') : path;
}
