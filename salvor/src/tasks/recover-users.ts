/**
 * System users and groups of an account on a machine that lacks them: with the numbers that its files have, the password
 * that they had and the groups that they were in. A number or a name that somebody else has stops the account.
 */
import type { Problem } from '@salvor/contract';
import { SalvorError } from '../errors.ts';
import { run } from '../lib/run.ts';
import { type HostTables, readHostTables } from '../sites/host-tables.ts';

/** The lists of the lost host. */
export type SavedTables = HostTables & { readonly passwords: ReadonlyMap<string, string> };

export type UsersPlan = {
  readonly groups: readonly { readonly name: string; readonly gid: number }[];
  readonly users: readonly (HostTables['users'][number] & { readonly password: string | null })[];
  /** User, group: to be added to a group that is there, or will be. */
  readonly members: readonly (readonly [string, string])[];
  readonly obstacles: readonly Problem[];
};

/** What an account's users lack here: its own, its log-ins (`o1.ftp`, `o1.client`) and those that PHP runs as. Pure. */
export function planUsers(
  account: { readonly name: string; readonly uid: number },
  saved: SavedTables,
  here: HostTables = readHostTables(),
): UsersPlan {
  const own = saved.users.filter(
    ({ name, uid }) =>
      uid !== 0 && (uid === account.uid || name === account.name || name.startsWith(`${account.name}.`)),
  );
  const obstacles: Problem[] = [];
  const refuse = (what: string): void => {
    obstacles.push({ code: 'id-taken', message: `${what}: its files would be somebody else’s`, path: account.name });
  };
  const users = own.filter(({ name, uid }) => {
    const named = here.users.find((user) => user.name === name);
    const numbered = here.users.find((user) => user.uid === uid);
    if (named !== undefined && named.uid !== uid)
      refuse(`user ${name} has the number ${named.uid} here, and had ${uid}`);
    else if (named === undefined && numbered !== undefined)
      refuse(`user ${name} had the number ${uid}, which ${numbered.name} has here`);
    return named === undefined;
  });
  const names = new Set(own.map(({ name }) => name));
  const primary = new Set(own.map(({ gid }) => gid));
  const wanted = saved.groups.filter(({ gid, members }) => primary.has(gid) || members.some((name) => names.has(name)));
  const groups = wanted.filter(({ name, gid }) => {
    const named = here.groups.find((group) => group.name === name);
    const numbered = here.groups.find((group) => group.gid === gid);
    if (named !== undefined && named.gid !== gid && primary.has(gid))
      refuse(`group ${name} has the number ${named.gid} here, and had ${gid}`);
    else if (named === undefined && numbered !== undefined)
      refuse(`group ${name} had the number ${gid}, which ${numbered.name} has here`);
    return named === undefined;
  });
  const members = wanted.flatMap(({ name: group, members: had }) => {
    const has = here.groups.find(({ name }) => name === group)?.members ?? [];
    return had.filter((user) => names.has(user) && !has.includes(user)).map((user) => [user, group] as const);
  });
  return {
    groups,
    users: users.map((user) => ({ ...user, password: saved.passwords.get(user.name) ?? null })),
    members,
    obstacles,
  };
}

/** Makes them with the system's own tools. Throws `command-failed`, `command-missing`; what was made by then stays. */
export async function makeUsers({ groups, users, members, obstacles }: UsersPlan, signal: AbortSignal): Promise<void> {
  const [obstacle] = obstacles;
  if (obstacle !== undefined) throw new SalvorError('id-taken', { problem: obstacle.message });
  for (const { name, gid } of groups) await run('groupadd', { args: ['--gid', String(gid), name], signal });
  for (const { name, uid, gid, home, shell } of users) {
    const place = ['--home-dir', home, ...(shell === '' ? [] : ['--shell', shell])];
    const ids = ['--uid', String(uid), '--gid', String(gid), '--no-create-home', '--no-user-group'];
    // BOA's names have dots, which the tool refuses by default.
    await run('useradd', { args: ['--badname', ...ids, ...place, name], signal });
  }
  const known = users.filter(({ password }) => password !== null);
  const lines = known.map(({ name, password }) => `${name}:${password}\n`).join('');
  const stdin = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.from(lines);
  };
  if (known.length > 0)
    await run('chpasswd', {
      args: ['--encrypted'],
      stdin: stdin(),
      secrets: known.map((user) => user.password ?? ''),
      signal,
    });
  for (const [user, group] of members) await run('usermod', { args: ['--append', '--groups', group, user], signal });
}

/** The second field of each line of `/etc/shadow`; what locks a log-in is a password too. */
export function readPasswords(shadow: string): ReadonlyMap<string, string> {
  const rows = shadow.split('\n').map((line) => line.split(':'));
  return new Map(rows.flatMap(([name = '', hash = '']) => (name === '' || hash === '' ? [] : [[name, hash]])));
}
