import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';

const script = join(import.meta.dirname, 'set-up.mjs');

/** A project with nothing installed, on a machine with these commands and no others. */
function makeMachine(t: TestContext, commands: Readonly<Record<string, string>>): { script: string; path: string } {
  const directory = mkdtempSync(join(tmpdir(), 'salvor-set-up-'));
  t.after(() => rmSync(directory, { recursive: true }));
  chmodSync(directory, 0o755);
  const path = join(directory, 'bin');
  mkdirSync(join(directory, 'scripts'));
  mkdirSync(path);
  copyFileSync(script, join(directory, 'scripts/set-up.mjs'));
  copyFileSync(join(import.meta.dirname, '../package-lock.json'), join(directory, 'package-lock.json'));
  for (const [name, text] of Object.entries(commands)) {
    writeFileSync(join(path, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  }
  return { script: join(directory, 'scripts/set-up.mjs'), path };
}

test('where all is set up, set-up says nothing and installs nothing', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script], { encoding: 'utf8', timeout: 20_000 });
  assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: '', stderr: '' });
});

test('on a machine that is not of Debian, set-up names what it cannot install and exits 1', (t) => {
  const { script: copy, path } = makeMachine(t, {});
  const run = spawnSync(process.execPath, [copy], { encoding: 'utf8', env: { PATH: path } });
  assert.equal(run.status, 1);
  assert.match(run.stderr, /not a Debian or Ubuntu machine[^]*mariadb-server[^]*restic/);
});

test('a user without root and sudo is told the command that an administrator may run', (t) => {
  const { script: copy, path } = makeMachine(t, { 'dpkg-query': 'exit 1', 'apt-get': 'exit 0', 'apt-cache': 'exit 0' });
  const node = join(path, 'node');
  copyFileSync(process.execPath, node);
  const run = spawnSync(node, [copy], { encoding: 'utf8', env: { PATH: path }, uid: 65534, gid: 65534 });
  assert.equal(run.status, 1, run.stderr);
  assert.match(run.stderr, /not root and there is no sudo[^]*apt-get install --no-install-recommends mariadb-server/);
});

test('npm packages that cannot be fetched end set-up with what npm said and what to do', (t) => {
  const installed = 'for name in "$@"; do echo "$name ii "; done';
  const npm = 'echo "npm error network request failed" >&2; exit 7';
  const { script: copy, path } = makeMachine(t, { 'dpkg-query': installed, npm });
  const run = spawnSync(process.execPath, [copy], { encoding: 'utf8', env: { PATH: path } });
  assert.equal(run.status, 1);
  assert.match(run.stderr, /exit code 7[^]*network request failed[^]*check the network/);
});
