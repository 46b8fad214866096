import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, writeFile } from 'node:fs/promises';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { observePage } from './observe-site.ts';
import { makeTemporaryDirectory } from './temporary-directory.ts';

const DEMO = fileURLToPath(new URL('demo.ts', import.meta.url));

describe('the demo', { concurrency: 2 }, () => {
  it('says in one line of JSON where all is, stays up, and leaves nothing at the end', async () => {
    using demo = start(['--json']);
    const told = text(demo.stderr as NodeJS.ReadableStream);
    const exited = once(demo, 'exit');
    const [line] = (await Promise.race([
      once(createInterface(demo.stdout as NodeJS.ReadableStream), 'line'),
      exited.then(async () => assert.fail(await told)),
    ])) as [string];
    const ready = JSON.parse(line) as {
      home: string;
      config: string;
      stateDir: string;
      sites: { uri: string; url: string }[];
      mariadb: { socket: string };
    };
    assert.deepEqual(Object.keys(ready), ['home', 'config', 'stateDir', 'sites', 'mariadb']);
    assert.equal(ready.sites.length, 3);
    for (const { url } of ready.sites) assert.equal((await observePage(url)).status, 200);
    for (const path of [ready.home, ready.config, ready.stateDir, ready.mariadb.socket])
      assert.ok(existsSync(path), path);
    const directory = dirname(dirname(ready.config));
    assert.ok(ready.home.startsWith(`${directory}/`));
    // Not at the top of the file system, where it is on a host.
    assert.ok(existsSync(`${directory}/salvor/staging/o1`));
    assert.ok(processesOf(directory).length >= 4);

    demo.kill('SIGINT');
    assert.deepEqual(await exited, [0, null]);
    assert.deepEqual(processesOf(directory), []);
    assert.equal(existsSync(directory), false);
  });

  it('ends with 1 where restic finds an error, and says so', async () => {
    await using tools = await makeTemporaryDirectory('salvor-demo-tools');
    await writeFile(
      `${tools.path}/restic`,
      '#!/bin/sh\ncase "$*" in *" check"*) echo "pack is damaged" >&2; exit 1 ;; esac\nexec /usr/bin/restic "$@"\n',
    );
    await chmod(`${tools.path}/restic`, 0o755);
    using demo = start(['--once'], { ...process.env, PATH: `${tools.path}:${process.env['PATH'] ?? ''}` });
    const [said, [code]] = await Promise.all([
      text(demo.stdout as NodeJS.ReadableStream),
      once(demo, 'exit') as Promise<[number]>,
    ]);
    assert.equal(code, 1, said);
    assert.match(said, /✗ restic check/);
    assert.match(said, /pack is damaged/);
    assert.doesNotMatch(said, /Every claim/);
  });

  it('refuses a flag that it does not know before it builds anything', async () => {
    using demo = start(['--twice']);
    const [said, [code]] = await Promise.all([
      text(demo.stderr as NodeJS.ReadableStream),
      once(demo, 'exit') as Promise<[number]>,
    ]);
    assert.equal(code, 2);
    assert.match(said, /--twice[^]*Usage: npm run demo/);
  });
});

/** A demo that a failed test leaves behind is killed; what it started dies with it. */
function start(args: readonly string[], env: NodeJS.ProcessEnv = process.env): ChildProcess {
  return spawn(process.execPath, [DEMO, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Command lines of the processes that name the directory. */
function processesOf(directory: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      } catch {
        return '';
      }
    })
    .filter((line) => line.includes(directory));
}
