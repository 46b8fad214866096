import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { LogIn } from '../sites/account.ts';
import type { HostTables } from '../sites/host-tables.ts';
import type { Site } from '../sites/site.ts';
import { isGroupOfLogIns, requireUnserved } from './archive-point.ts';

const user = (name: string, uid: number, gid: number): HostTables['users'][number] => ({
  name,
  uid,
  gid,
  home: '/nowhere',
  shell: '/bin/sh',
});
const login = (name: string, uid: number, kind: LogIn['kind']): LogIn => ({ name, uid, kind, home: null });
const O1 = { uid: 1001, gid: 1001, logins: [login('o1.ftp', 1002, 'main'), login('o1.client', 1003, 'client')] };
const OWN = [user('o1', 1001, 1001), user('o1.ftp', 1002, 1001)];

describe('an archive in a home', () => {
  test('is its group’s to read where that is the account and its main log-in, and nobody else', () => {
    const tables = (users: HostTables['users'], members: readonly string[] = []): HostTables => ({
      users,
      groups: [{ name: 'o1', gid: 1001, members }],
    });
    assert.equal(isGroupOfLogIns(O1, tables(OWN)), true);
    assert.equal(isGroupOfLogIns(O1, tables(OWN, ['o1.ftp'])), true);
    assert.equal(isGroupOfLogIns(O1, tables([...OWN, user('o1.client', 1003, 1001)])), false);
    assert.equal(isGroupOfLogIns(O1, tables([...OWN, user('o1.client', 1003, 1003)], ['o1.client'])), false);
    assert.equal(isGroupOfLogIns(O1, tables([...OWN, user('www-data', 33, 33)], ['www-data'])), false);
    assert.equal(isGroupOfLogIns(O1, tables(OWN, ['from-ldap'])), false);
    assert.equal(isGroupOfLogIns(O1, tables([])), false);
  });

  test('is not written where a web server would hand it out', () => {
    const site = (root: string): Site => ({ path: `${root}/sites/a.example`, platform: { root } }) as Site;
    const sites = [site('/data/disk/o1/distro/001/drupal'), site('/home/shop')];
    requireUnserved('/data/disk/o1/backups', sites);
    assert.throws(() => requireUnserved('/home/shop/backups', sites), { code: 'archive-place-served' });
  });
});
