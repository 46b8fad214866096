import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ownerOfMember } from './member-owner.ts';

const IDS = {
  account: { uid: 1001, gid: 1001 },
  uids: new Set([1001, 33]),
  gids: new Set([1001, 33]),
  users: new Map([
    ['o1', 1001],
    ['www-data', 33],
  ]),
  groups: new Map([['www-data', 33]]),
};

test('what comes out of an archive is whose name it bears here, else whose number, else the account’s', () => {
  const owner = (user: string, group: string, uid: number, gid: number): readonly number[] => {
    const found = ownerOfMember({ user, group, uid, gid }, IDS);
    return [found.uid, found.gid];
  };
  assert.deepEqual(owner('o1', 'www-data', 500, 501), [1001, 33]);
  assert.deepEqual(owner('', '', 33, 33), [33, 33]);
  assert.deepEqual(owner('root', 'root', 0, 0), [1001, 1001]);
  assert.deepEqual(owner('stranger', 'stranger', 1002, 1002), [1001, 1001]);
});
