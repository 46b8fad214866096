import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { findAdministrator, parseMasterDb } from './administrator.ts';
import { parseMyCnf } from './my-cnf.ts';

const SOCKET = '/run/test/mysqld.sock';
let home: string;
let optionFile: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'salvor-administrator-'));
  optionFile = join(home, 'my.cnf');
  mkdirSync(join(home, '.drush'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

function server(name: string, url: string): void {
  writeFileSync(
    join(home, '.drush', `${name}.alias.drushrc.php`),
    `<?php\n$aliases['${name}'] = array(\n  'context_type' => 'server',\n  'master_db' => '${url}',\n);\n`,
  );
}

const ask = (server?: { host: string; port: number } | { socket: string }) =>
  findAdministrator({ homes: [home], optionFile, defaultSocket: SOCKET, server });

describe('the administrator’s log-in', () => {
  test('comes from the master server’s context, url-decoded, before any other', async () => {
    server('server_aaa', 'mysql://x:y@localhost');
    server('server_master', 'mysql://aegir%5Froot:p%40s%25s@localhost');
    writeFileSync(optionFile, '[client]\nuser=root\npassword=other\n');
    assert.deepEqual(await ask(), { address: { socket: SOCKET }, user: 'aegir_root', password: 'p@s%s' });
  });

  test('comes only from a context for the server that is meant', async () => {
    server('server_master', 'mysql://root:trap@evil.test');
    writeFileSync(optionFile, '[client]\nuser=admin\npassword="p # w"\n');
    assert.deepEqual(await ask({ socket: SOCKET }), { address: { socket: SOCKET }, user: 'admin', password: 'p # w' });
  });

  test('counts the socket and the loop-back address of one machine as one server', async () => {
    server('server_master', 'mysql://root:pw@localhost');
    assert.equal((await ask({ host: '127.0.0.1', port: 3306 })).password, 'pw');
    assert.equal((await ask({ host: '127.0.0.1', port: 3307 })).password, '');
  });

  test('is root over the socket where nothing else is said, also where the option file is a link', async () => {
    symlinkSync('/etc/passwd', optionFile);
    assert.deepEqual(await ask({ socket: '/other.sock' }), {
      address: { socket: '/other.sock' },
      user: 'root',
      password: '',
    });
  });
});

test('a master_db with unencoded signs in its password is read up to the last @', () => {
  assert.deepEqual(parseMasterDb('mysql://root:a@b:c%@db.test:3310'), {
    address: { host: 'db.test', port: 3310 },
    user: 'root',
    password: 'a@b:c%',
  });
  assert.equal(parseMasterDb('pgsql://root:x@db'), null);
  assert.equal(parseMasterDb(''), null);
});

test('an option file gives its client section, quotes and escapes undone', () => {
  const text = `# mine\n[mysqld]\nuser=mysql\n[client]\nuser = root\npassword='it"s \\\\ 100%' \nsocket=/run/x.sock # there\n;port=1\n[mysqldump]\nuser=dumper\n`;
  assert.deepEqual(parseMyCnf(text), { user: 'root', password: 'it"s \\ 100%', socket: '/run/x.sock' });
});
