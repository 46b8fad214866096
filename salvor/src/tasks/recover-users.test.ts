import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseHostTables } from '../sites/host-tables.ts';
import { makeUsers, planUsers, readPasswords } from './recover-users.ts';

const saved = {
  ...parseHostTables({
    passwd: [
      'root:x:0:0:root:/root:/bin/bash',
      'www-data:x:33:33::/var/www:/usr/sbin/nologin',
      'o1:x:1101:1101::/data/disk/o1:/bin/sh',
      'o1.ftp:x:1102:1101::/home/o1.ftp:/usr/bin/lshell',
      'o2:x:1201:1101::/data/disk/o2:/bin/sh',
    ].join('\n'),
    group: ['root:x:0:', 'www-data:x:33:o1', 'o1:x:1101:', 'lshellg:x:1500:o1.ftp', 'others:x:1600:o2'].join('\n'),
  }),
  passwords: readPasswords('o1:$6$a$b:1:2\no1.ftp:!:1:2\nroot:$6$root:1\n'),
};
const bare = parseHostTables({
  passwd: 'root:x:0:0::/root:/bin/sh\nwww-data:x:33:33::/var/www:',
  group: 'root:x:0:\nwww-data:x:33:',
});
const account = { name: 'o1', uid: 1101 };

describe('the users of an account that a machine lacks', () => {
  it('are the account’s and its log-ins’, with their groups, passwords and memberships, and nobody else’s', () => {
    const plan = planUsers(account, saved, bare);
    assert.deepEqual(plan.obstacles, []);
    assert.deepEqual(
      plan.users.map(({ name, uid, gid, password }) => [name, uid, gid, password]),
      [
        ['o1', 1101, 1101, '$6$a$b'],
        ['o1.ftp', 1102, 1101, '!'],
      ],
    );
    assert.deepEqual(
      plan.groups.map(({ name, gid }) => [name, gid]),
      [
        ['o1', 1101],
        ['lshellg', 1500],
      ],
    );
    assert.deepEqual(plan.members, [
      ['o1', 'www-data'],
      ['o1.ftp', 'lshellg'],
    ]);
  });

  it('are none where all of them are there: a recovery that is called again makes nothing twice', () => {
    const { users, groups, members, obstacles } = planUsers(account, saved, saved);
    assert.deepEqual([users, groups, members, obstacles], [[], [], [], []]);
  });

  it('are not made where somebody else has a number or a name', async () => {
    for (const line of ['eve:x:1101:100::/home/eve:', 'o1:x:1300:100::/home/o1:']) {
      const here = { ...bare, users: [...bare.users, ...parseHostTables({ passwd: line, group: '' }).users] };
      const plan = planUsers(account, saved, here);
      assert.equal(plan.obstacles.length, 1, line);
      await assert.rejects(makeUsers(plan, AbortSignal.timeout(1000)), { code: 'id-taken' });
    }
    const here = parseHostTables({ passwd: '', group: 'games:x:1101:' });
    assert.match(planUsers(account, saved, here).obstacles[0]?.message ?? '', /games/);
  });
});
