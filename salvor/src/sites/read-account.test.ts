import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { ownersOf } from './account-owners.ts';
import { homesOf } from './account.ts';
import type { HostTables, HostUser } from './host-tables.ts';
import { readHostTables } from './host-tables.ts';
import { readAccount } from './read-account.ts';

let top: string;
let home: string;

beforeEach(() => {
  top = realpathSync(mkdtempSync(join(tmpdir(), 'salvor-account-')));
  home = join(top, 'disk/o1');
  mkdirSync(home, { recursive: true });
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

const user = (name: string, uid: number, at: string): HostUser => ({
  name,
  uid,
  gid: uid,
  home: at,
  shell: '/bin/bash',
});

function account(tables: Partial<HostTables>, path = home, webGroup: string | null = null) {
  const read = readAccount(path, { tables: { users: [], groups: [], ...tables }, homes: [home], webGroup });
  return 'refused' in read ? assert.fail(read.refused) : read;
}

test('a home is called after its user, else after its last directory, else by its whole path', () => {
  const www = join(top, 'var/www');
  mkdirSync(www, { recursive: true });
  assert.equal(account({ users: [user('tenant', 61_001, home)] }).name, 'tenant');
  assert.equal(account({}).name, 'o1');
  assert.equal(account({ users: [user('o1', 61_001, '/elsewhere')] }).name, home.slice(1).replaceAll('/', '-'));
  assert.equal(account({}, www).name, www.slice(1).replaceAll('/', '-'));
  assert.equal(account({ users: [user('www-data', 33, www)] }, www).name, 'www-data');
});

test('of a home that root owns the user is who it is for', () => {
  const read = account({ users: [user('o1', 61_001, home)] });
  assert.deepEqual([read.uid, read.gid], [61_001, 61_001]);
});

test('a name that can name no repository is refused', () => {
  const odd = join(top, 'line\nbreak');
  mkdirSync(odd);
  assert.match(
    JSON.stringify(readAccount(odd, { tables: { users: [], groups: [] }, homes: [], webGroup: null })),
    /refused/,
  );
});

test('a log-in whose home is /, /etc, another account’s or behind a link brings no home', () => {
  const real = join(top, 'home/o1.ftp');
  mkdirSync(real, { recursive: true });
  symlinkSync('/etc', join(top, 'home/o1.link'));
  const users = [
    user('o1', 61_001, home),
    user('o1.ftp', 61_002, real),
    user('o1.root', 61_003, '/'),
    user('o1.etc', 61_004, '/etc'),
    user('o1.link', 61_005, join(top, 'home/o1.link')),
    user('o1.own', 61_006, home),
    user('o11.ftp', 61_007, real),
  ];
  const read = account({ users });
  assert.deepEqual(
    read.logins.map(({ name, home: at, kind }) => [name, at, kind]),
    [
      ['o1.ftp', real, 'main'],
      ['o1.etc', null, 'client'],
      ['o1.link', null, 'client'],
      ['o1.root', null, 'client'],
    ],
  );
  assert.deepEqual(homesOf(read), [home, real]);
});

test('a context’s web group counts where it is one that web servers have, or the account is in it', () => {
  const groups = [
    { name: 'www-data', gid: 33, members: [] },
    { name: 'shadow', gid: 42, members: [] },
    { name: 'sites', gid: 4000, members: ['o1'] },
  ];
  assert.deepEqual(account({ groups }, home, 'shadow').webGroup, { name: 'www-data', gid: 33 });
  assert.deepEqual(account({ groups }, home, 'sites').webGroup, { name: 'sites', gid: 4000 });
  assert.equal(account({}, home, 'www-data').webGroup, null);
});

test('files may belong to the account, its log-ins, PHP’s users, their groups and the web server, and to nobody else', () => {
  const users = [
    user('o1', 61_001, home),
    user('o1.ftp', 61_002, '/home/o1.ftp'),
    user('o1.81.web', 61_003, '/home/o1.81.web'),
    user('o12', 61_012, '/data/disk/o12'),
    user('www-data', 33, '/var/www'),
  ];
  const groups = [
    { name: 'users', gid: 100, members: ['o1.ftp'] },
    { name: 'docker', gid: 999, members: ['o12'] },
    { name: 'www-data', gid: 33, members: [] },
  ];
  const owners = ownersOf({ ...account({ users, groups }), home: join(top, 'gone') }, { users, groups });
  assert.deepEqual(owners.uids, new Set([61_001, 61_002, 61_003, 33]));
  assert.deepEqual(owners.gids, new Set([61_001, 61_002, 61_003, 100, 33]));
});

test('the host’s lists are read as data, and lines that are none are passed over', () => {
  const { users, groups } = readHostTables();
  assert.equal(users.find(({ name }) => name === 'root')?.uid, 0);
  assert.ok(groups.some(({ name }) => name === 'www-data'));
  assert.deepEqual(readHostTables({ passwd: join(top, 'none'), group: join(top, 'none') }), { users: [], groups: [] });
});
