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
  return parseHostTables({ passwd: readText(files.passwd), group: readText(files.group) });
}

/** The same out of the texts of the lists. */
export function parseHostTables(texts: { readonly passwd: string; readonly group: string }): HostTables {
  const users = readRows(texts.passwd).flatMap(([name = '', , uid = '', gid = '', , home = '', shell = '']) =>
    isNumber(uid) && isNumber(gid) && name !== '' ? [{ name, uid: Number(uid), gid: Number(gid), home, shell }] : [],
  );
  const groups = readRows(texts.group).flatMap(([name = '', , gid = '', members = '']) =>
    isNumber(gid) && name !== ''
      ? [{ name, gid: Number(gid), members: members.split(',').filter((member) => member !== '') }]
      : [],
  );
  return { users, groups };
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function readRows(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'));
}

function isNumber(text: string): boolean {
  return /^\d{1,10}$/.test(text);
}
