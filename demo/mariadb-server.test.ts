import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { openMariaDb } from './mariadb-server.ts';

describe('a MariaDB of our own', () => {
  it('answers over its socket in every character, and leaves nothing when it is disposed', async () => {
    const server = await openMariaDb();
    assert.equal(await server.query("SELECT 'ü', '🚢', NULL; SELECT @@skip_networking;"), 'ü\t🚢\tNULL\n1\n');
    const { pid, directory } = server;
    await server[Symbol.asyncDispose]();
    assert.equal(isAlive(pid), false);
    assert.equal(existsSync(directory), false);
  });

  it('keeps what was committed when it is killed and started again', async () => {
    await using server = await openMariaDb();
    await server.query('CREATE DATABASE a; CREATE TABLE a.t (i INT PRIMARY KEY); INSERT INTO a.t VALUES (7);');
    const { pid } = server;
    await server.kill('SIGKILL');
    assert.equal(isAlive(pid), false);
    await assert.rejects(server.query('SELECT 1'));
    await server.start();
    assert.equal(await server.query('SELECT i FROM a.t'), '7\n');
  });

  it('can be opened three times at once, each with its own data', async () => {
    const servers = await Promise.all([openMariaDb(), openMariaDb(), openMariaDb()]);
    await Promise.all(servers.map((server, at) => server.query(`CREATE DATABASE only_${at}`)));
    const lists = await Promise.all(servers.map((server) => server.query("SHOW DATABASES LIKE 'only%'")));
    await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
    assert.deepEqual(lists, ['only_0\n', 'only_1\n', 'only_2\n']);
  });

  it('does not outlive a process that is killed, nor does its directory', async () => {
    const script = `
      import { openMariaDb } from ${JSON.stringify(new URL('mariadb-server.ts', import.meta.url).href)};
      const server = await openMariaDb();
      console.log(JSON.stringify([server.pid, server.directory]));
      setInterval(() => {}, 1000);`;
    const owner = spawn(process.execPath, ['--input-type=module', '--eval', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(createInterface(owner.stdout), 'line')) as [string];
    const [pid, directory] = JSON.parse(line) as [number, string];
    assert.equal(isAlive(pid), true);
    owner.kill('SIGKILL');
    await once(owner, 'exit');
    // Nobody tells when an orphan has ended and its directory was swept.
    const deadline = Date.now() + 10_000;
    while ((isAlive(pid) || existsSync(directory)) && Date.now() < deadline) await wait(20);
    assert.equal(isAlive(pid), false);
    assert.equal(existsSync(directory), false);
  });

  it('lets another user pass to the socket but not to the data', async () => {
    await using server = await openMariaDb();
    assert.equal(statSync(server.directory).mode & 0o777, 0o755);
    assert.equal(statSync(`${server.directory}/data`).mode & 0o077, 0);
  });
});

/** Whether the process runs: one that ended and that nobody waited for does not. */
function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}/exe`);
}
