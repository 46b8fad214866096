import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { ErrorDocument, InitDocument } from '@salvor/contract';
import { runCli, spawnCli } from '../../test/cli/run-cli.ts';
import { SalvorError } from '../errors.ts';

describe('wrong usage exits with 2, a code and a hint', () => {
  const rows: readonly (readonly [claim: string, args: readonly string[], says: RegExp])[] = [
    [
      'a command that is not there names the nearest',
      ['bakup', 'a.com'],
      /unknown command 'bakup'; the nearest is backup/,
    ],
    ['a verb of repo that is not there', ['repo', 'snapshot'], /unknown command 'snapshot'; the nearest is snapshots/],
    [
      'an option that is not there names the nearest',
      ['restore', 'a.com', '--dryrun'],
      /'--dryrun'; the nearest is --dry-run/,
    ],
    ['an argument that is missing', ['backup'], /missing required argument 'site'/],
    ['an argument too many', ['points', 'a.com', 'b.com'], /too many arguments/],
    ['an option without its value', ['backup', 'a.com', '--reason'], /argument missing/],
    ['a choice that is none', ['restore', 'a.com', '--only', 'tables'], /Allowed choices are files, databases/],
    ['a repository that is not named', ['repo', 'check'], /--repo URL, or \$RESTIC_REPOSITORY/],
    ['a repository without its password', ['repo', 'check', '--repo', '/nowhere'], /--password-file FILE/],
    [
      'an account that is a path',
      ['repo', 'check', '--repo', 'local', '--account', '../a'],
      /can't be the name of an account/,
    ],
  ];
  for (const [claim, args, says] of rows) {
    test(claim, async () => {
      const { exit, out, err } = await runCli(args);
      assert.equal(exit, 2);
      assert.equal(out, '');
      assert.match(err, says);
      assert.match(err, /^salvor: .*\(usage\)\n {2}\S/);
    });
    test(`${claim}, as one document with --json`, async () => {
      const { exit, out } = await runCli([
        ...args.filter((arg) => arg !== '--reason'),
        '--json',
        ...args.filter((arg) => arg === '--reason'),
      ]);
      assert.equal(exit, 2);
      assert.equal(ErrorDocument.parse(JSON.parse(out)).error.code, 'usage');
    });
  }
});

describe('what needs something that is not there', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'salvor-run-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  test('a configuration: says which place was looked at and what to type', async () => {
    const config = join(directory, 'none.yaml');
    const { exit, err } = await runCli(['sites', '--config', config]);
    assert.equal(exit, 2);
    assert.ok(err.includes(config));
    assert.match(err, /salvor init/);
  });

  test('a configuration: $SALVOR_CONFIG is looked at before the usual places', async () => {
    const config = join(directory, 'none.yaml');
    const { exit, err } = await spawnCli(['sites'], { cwd: directory, env: { SALVOR_CONFIG: config } });
    assert.equal(exit, 2);
    assert.ok(err.includes(config) && !err.includes('/etc'), err);
  });

  test('a configuration without a fault: file, line and column are named', async () => {
    const config = join(directory, 'salvor.yaml');
    writeFileSync(config, 'state: /s\nhoems: [/a]\n');
    const { exit, err } = await runCli(['sites', '--config', config]);
    assert.equal(exit, 2);
    assert.ok(err.includes(`${config}:2:1: unknown key 'hoems'`), err);
  });

  test('a remote place that no storage has: refused before anything is written', async () => {
    const config = join(directory, 'salvor.yaml');
    const { exit, out } = await runCli(['init', '--config', config, '--remote', 's3:bucket', '--json']);
    assert.equal(exit, 2);
    assert.equal(ErrorDocument.parse(JSON.parse(out)).error.code, 'usage');
    assert.throws(() => writeFileSync(config, '', { flag: 'r' }), { code: 'ENOENT' });
  });

  test('the remote repository where the configuration names none: told with the command that names one', async () => {
    const config = join(directory, 'salvor.yaml');
    writeFileSync(config, `state: ${directory}/state\n`);
    const flags = ['--repo', 'remote', '--account', 'o1', '--config', config, '--json'];
    const { exit, out } = await runCli(['repo', 'snapshots', ...flags]);
    assert.equal(exit, 2);
    assert.equal(ErrorDocument.parse(JSON.parse(out)).error.code, 'remote-unnamed');
  });

  test('a remote place to which there is no key: told, and the local repositories are made', () => {
    const config = join(directory, 'salvor.yaml');
    const home = join(directory, 'o1');
    mkdirSync(home);
    writeFileSync(config, `state: ${directory}/state\nlocal: ${directory}/local\nhomes: [${home}]\n`);
    const main = join(import.meta.dirname, 'main.ts');
    const flags = ['--config', config, '--remote', 'sftp:b@127.0.0.1:/x', '--json'];
    // A home without ~/.ssh.
    const { stdout, status } = spawnSync(process.execPath, [main, 'init', ...flags], {
      env: { HOME: directory, TZ: 'UTC' },
      encoding: 'utf8',
    });
    assert.equal(status, 3);
    const document = InitDocument.parse(JSON.parse(stdout));
    assert.ok(document.problems.some(({ code }) => code === 'remote-login-missing'));
    assert.equal(document.accounts[0]?.repository.created, true);
    assert.equal(document.accounts[0]?.remote, null);
  });

  test('a home that was mistyped: refused before anything is written', async () => {
    const config = join(directory, 'salvor.yaml');
    const { exit, out } = await runCli(['init', '--config', config, '--home', join(directory, 'o1'), '--json']);
    assert.deepEqual([exit, ErrorDocument.parse(JSON.parse(out)).error.code], [2, 'home-missing']);
    assert.throws(() => writeFileSync(config, '', { flag: 'r' }), { code: 'ENOENT' });
  });

  test('consent: without a terminal and --yes neither restore nor undo begins', async () => {
    for (const args of [
      ['restore', 'a.com'],
      ['undo', '0mb8zr1kabcd'],
    ]) {
      const { exit, out } = await runCli([...args, '--config', join(directory, 'none.yaml'), '--json']);
      const { error } = ErrorDocument.parse(JSON.parse(out));
      assert.deepEqual([exit, error.code], [2, 'consent-missing']);
      assert.match(error.hint ?? '', /--yes/);
    }
  });
});

describe('a run', () => {
  test('that was stopped before it began does nothing and says so', async () => {
    const signal = AbortSignal.abort(new SalvorError('cancelled', { what: 'stopped by SIGINT' }));
    const { exit, err } = await runCli(['sites'], { signal });
    assert.equal(exit, 1);
    assert.match(err, /^salvor: Cancelled: stopped by SIGINT. \(cancelled\)/);
  });

  test('writes control characters of arguments as text', async () => {
    const { err } = await runCli(['restore', 'a\u001b[31m\u202e.com']);
    assert.ok(!err.includes('\u001b') && !err.includes('\u202e'), JSON.stringify(err));
    assert.match(err, /a\\x1b\[31m\\u\{202e\}\.com/);
  });

  test('from a shell has the same exit codes, and its version', async () => {
    assert.equal((await spawnCli(['nothing'])).exit, 2);
    assert.match((await spawnCli(['--version'])).out, /^\d+\.\d+\.\d+\n$/);
  });
});
