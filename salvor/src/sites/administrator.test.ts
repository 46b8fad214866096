import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { ServerAddress } from '../databases/mariadb/connect.ts';
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

const ask = (server?: ServerAddress) => findAdministrator({ homes: [home], optionFile, defaultSocket: SOCKET, server });

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
    await assert.rejects(ask({ host: '127.0.0.1', port: 3307 }), { code: 'administrator-unknown' });
  });

  test('of the option file goes to the server that it names and to this machine, never to one that a site’s settings name', async () => {
    writeFileSync(optionFile, '[client]\nuser=admin\npassword=pw\n');
    assert.equal((await ask({ socket: SOCKET })).password, 'pw');
    await assert.rejects(ask({ host: 'evil.test', port: 3306 }), { code: 'administrator-unknown' });
    writeFileSync(optionFile, '[client]\nuser=admin\npassword=pw\nhost=db.test\n');
    assert.deepEqual((await ask({ host: 'db.test', port: 3306 })).address, { host: 'db.test', port: 3306 });
    await assert.rejects(ask({ host: 'db.test', port: 3307 }), { code: 'administrator-unknown' });
  });

  test('of the option file is told to no socket that a tenant has put up', async () => {
    writeFileSync(optionFile, '[client]\nuser=admin\npassword=pw\n');
    const trap = join(home, 'mysqld.sock');
    const listener = createServer().listen(trap);
    await once(listener, 'listening');
    try {
      assert.equal((await ask({ socket: trap })).password, 'pw', 'one of root or of a user of the system');
      chownSync(trap, 60_801, 60_801);
      assert.deepEqual(await ask({ socket: trap }), { address: { socket: trap }, user: 'root', password: '' });
    } finally {
      listener.close();
    }
  });

  test('is secured as the option file says, else as the site’s own connection to that server', async () => {
    const tls = {
      ca: '/home/ca.pem',
      caPath: null,
      cert: null,
      key: null,
      verify: null,
      reader: { homes: [], gids: [] },
    };
    server('server_master', 'mysql://root:pw@db.test');
    assert.deepEqual((await ask({ host: 'db.test', port: 3306, tls })).address, { host: 'db.test', port: 3306, tls });
    rmSync(join(home, '.drush', 'server_master.alias.drushrc.php'));
    writeFileSync(
      optionFile,
      '[client]\nuser=admin\nhost=db.test\nssl_ca=/etc/mysql/ca.pem\nssl-cert=/etc/mysql/c.pem\nssl-verify-server-cert=0\n',
    );
    assert.deepEqual((await ask({ host: 'db.test', port: 3306, tls })).address, {
      host: 'db.test',
      port: 3306,
      tls: { ca: '/etc/mysql/ca.pem', caPath: null, cert: '/etc/mysql/c.pem', key: null, verify: false, reader: null },
    });
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
