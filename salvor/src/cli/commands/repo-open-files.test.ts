/** A restore on a host that lets a process open few files. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type SourceEntry, backup, openLocalStorage, openRepository } from '@salvor/engine';
import { SALVOR, runCli } from '../../../test/cli/run-cli.ts';

test('six hundred files of the same content are restored by a process that may open four hundred', async (context) => {
  const room = mkdtempSync(join(tmpdir(), 'salvor-open-files-'));
  context.after(() => rmSync(room, { recursive: true, force: true }));
  const passwordFile = join(room, 'password');
  writeFileSync(passwordFile, 'correct horse\n', { mode: 0o600 });
  const repository = join(room, 'alike');
  const flags = ['--repo', repository, '--password-file', passwordFile];
  assert.equal((await runCli(['repo', 'init', ...flags])).exit, 0);
  const opened = await openRepository(openLocalStorage(repository), { kind: 'password', text: 'correct horse' });
  const fileOf = (name: string, ...pieces: readonly string[]): SourceEntry => ({
    kind: 'stream',
    name,
    cut: 'given',
    open: async function* () {
      for (const piece of pieces) yield Buffer.from(piece);
    },
  });
  const names = Array.from({ length: 600 }, (_, number) => String(number).padStart(4, '0'));
  const source = names.flatMap((name) => [fileOf(`${name}-one`, 'alike'), fileOf(`${name}-two`, 'begins,', 'ends')]);
  await backup({ source, repositories: [opened], paths: ['/alike'], host: 'web' });
  const target = join(room, 'alike-restored');
  execFileSync('prlimit', ['--nofile=400', SALVOR, 'repo', 'restore', 'latest', '--target', target, ...flags], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  for (const name of names)
    assert.deepEqual(
      ['one', 'two'].map((kind) => readFileSync(join(target, `${name}-${kind}`), 'utf8')),
      ['alike', 'begins,ends'],
    );
});
