import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Manifest } from '../points/manifest.ts';
import { idsOfAccount, knownOwners } from './known-owners.ts';

const ACCOUNT = { name: 'o61001', home: '/data/disk/o61001', uid: 61_001, gid: 61_001, logins: [], webGroup: null };
const id = (name: string): number =>
  Number(
    readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .find((line) => line.startsWith(`${name}:`))
      ?.split(':')[2],
  );

function manifestOf(users: readonly number[], groups: readonly number[]): Manifest {
  const named = (ids: readonly number[]): readonly { id: number; name: string }[] =>
    ids.map((id) => ({ id, name: '' }));
  return { owners: { users: named(users), groups: named(groups) } } as unknown as Manifest;
}

test('a restored file belongs to ids that manifest and account both name, and to nobody else', () => {
  const web = id('www-data');
  const known = knownOwners(ACCOUNT, manifestOf([0, 61_001, 61_002, web], [0, 61_001, 61_002]));
  assert.deepEqual(known.uids, [61_001, web]);
  assert.deepEqual(known.gids, [61_001]);
  assert.deepEqual(knownOwners(ACCOUNT, manifestOf([], [])).uids, []);
});

test('an account’s ids are its own and the web server’s: root, its groups and other tenants are none of them', () => {
  const { uids, gids } = idsOfAccount(ACCOUNT);
  for (const stranger of [0, 61_002, id('daemon'), id('nobody')]) assert.ok(!uids.includes(stranger), String(stranger));
  for (const stranger of [0, 61_002, 42]) assert.ok(!gids.includes(stranger), String(stranger));
  assert.ok(uids.includes(61_001) && gids.includes(61_001));
});

test('an account that is root’s own, as a host’s files are, gives nobody else’s ids', () => {
  const { uids } = idsOfAccount({ ...ACCOUNT, uid: 0, gid: 0 });
  assert.ok(!uids.includes(61_001));
});
