/** The host's own lists of users and groups, read as data: `/etc/passwd` and `/etc/group`. */
import { readFileSync } from 'node:fs';

export type HostUser = {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly shell: string;
};
export type HostGroup = { readonly name: string; readonly gid: number; readonly members: readonly string[] };
export type HostTables = { readonly users: readonly HostUser[]; readonly groups: readonly HostGroup[] };

/** Users that come from elsewhere (LDAP) are not in them; a list that is missing is empty. */
export function readHostTables(files = { passwd: '/etc/passwd', group: '/etc/group' }): HostTables {
  const users = readRows(files.passwd).flatMap(([name = '', , uid = '', gid = '', , home = '', shell = '']) =>
    isNumber(uid) && isNumber(gid) && name !== '' ? [{ name, uid: Number(uid), gid: Number(gid), home, shell }] : [],
  );
  const groups = readRows(files.group).flatMap(([name = '', , gid = '', members = '']) =>
    isNumber(gid) && name !== ''
      ? [{ name, gid: Number(gid), members: members.split(',').filter((member) => member !== '') }]
      : [],
  );
  return { users, groups };
}

function readRows(file: string): string[][] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return [];
  }
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'));
}

function isNumber(text: string): boolean {
  return /^\d{1,10}$/.test(text);
}
