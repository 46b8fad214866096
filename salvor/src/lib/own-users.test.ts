import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { OWN_USERS, findMissingUsers, findOwnUser, makeOwnUsers, removeOwnUsers } from './own-users.ts';

const root = mkdtempSync('/tmp/salvor-own-users-');
after(() => rmSync(root, { recursive: true, force: true }));
const passwd = join(root, 'etc/passwd');

describe('a user of our own', () => {
  test('is the host’s where it has one, else nobody, and never root', () => {
    mkdirSync(join(root, 'etc'));
    const of = (text: string): number => {
      writeFileSync(passwd, text);
      return findOwnUser('salvor-load', passwd).uid;
    };
    assert.equal(of('root:x:0:0::/root:/bin/sh\n'), 65_534);
    assert.equal(of('xsalvor-load:x:7:7:::\nsalvor-load:x:998:997::/:/bin/false\n'), 998);
    assert.equal(of('salvor-load:x:0:0::/:/bin/false\n'), 65_534);
    assert.equal(of('salvor-load:broken\n'), 65_534);
  });

  test('is made without a log-in where it is missing, and goes again', async () => {
    assert.deepEqual(await makeOwnUsers(join(root, 'nowhere')), []);
    for (const name of ['passwd', 'group', 'shadow', 'gshadow']) writeFileSync(join(root, 'etc', name), '');
    assert.deepEqual(findMissingUsers(root), OWN_USERS);
    assert.deepEqual(await makeOwnUsers(root), OWN_USERS);
    assert.deepEqual(await makeOwnUsers(root), []);
    const lines = readFileSync(passwd, 'utf8').trim().split('\n');
    for (const line of lines)
      assert.match(line, /^salvor-\w+:x:[1-9]\d*:[1-9]\d*::\/nonexistent:\/usr\/sbin\/nologin$/);
    assert.equal(new Set(OWN_USERS.map((name) => findOwnUser(name, passwd).uid)).size, OWN_USERS.length);
    assert.match(readFileSync(join(root, 'etc/shadow'), 'utf8'), /^salvor-load:!/m);
    assert.equal((await removeOwnUsers([...OWN_USERS, 'stranger'], root)).size, 0);
    assert.equal(readFileSync(passwd, 'utf8'), '');
  });
});
