/** The repo verbs against Debian's OpenSSH, as they are typed. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ErrorDocument, RepoBackupDocument, RepoConnectionDocument } from '@salvor/contract';
import { startSshd } from '../../../../engine/test/storage/test-sshd.ts';
import type { TestSshd } from '../../../../engine/test/storage/test-sshd.ts';
import { runCli } from '../../../test/cli/run-cli.ts';
import type { Ran } from '../../../test/cli/run-cli.ts';

let place: string;
let sshd: TestSshd;
let password: string;
let site: string;
let cache: string;

before(async () => {
  place = mkdtempSync(join(tmpdir(), 'salvor-remote-'));
  sshd = await startSshd();
  password = join(place, 'password');
  site = join(place, 'site');
  cache = join(place, 'cache');
  writeFileSync(password, 'correct horse\n');
  mkdirSync(site);
  for (let i = 0; i < 20; i++) writeFileSync(join(site, `f${i}`), `file ${i}\n`.repeat(1000));
});
after(async () => {
  await sshd[Symbol.asyncDispose]();
  rmSync(place, { recursive: true, force: true });
});

const urlOf = (directory: string): string => `sftp://${sshd.login.user}@127.0.0.1:${sshd.port}/${directory}`;
const login = (): readonly string[] => [
  '--identity-file',
  sshd.login.privateKeyFile,
  '--known-hosts',
  sshd.login.trust.knownHostsFile,
];

/** A verb on a directory of the server. */
async function remote(directory: string, verb: string, ...args: readonly string[]): Promise<Ran> {
  return runCli([
    'repo',
    verb,
    '--repo',
    urlOf(directory),
    '--password-file',
    password,
    '--cache-dir',
    cache,
    ...login(),
    ...args,
  ]);
}

async function testConnection(directory: string, flags = login()): Promise<Ran> {
  return runCli(['repo', 'test-connection', '--repo', urlOf(directory), '--json', ...flags]);
}

describe('a repository on an SFTP server', () => {
  it('is made, filled, listed, checked, dumped and restored from, and stock restic finds it right', async () => {
    const directory = join(place, 'whole');
    for (const args of [
      ['init'],
      ['backup', site],
      ['check', '--read-data'],
      ['snapshots'],
      ['restore', `latest:${site}`, '--target', join(place, 'restored')],
    ] as const) {
      const [verb, ...more] = args;
      const ran = await remote(directory, verb, ...more);
      assert.equal(ran.exit, 0, `${verb}: ${ran.err}`);
    }
    assert.equal(readFileSync(join(place, 'restored/f7'), 'utf8'), readFileSync(join(site, 'f7'), 'utf8'));
    assert.equal(
      (await remote(directory, 'dump', 'latest', join(site, 'f7'))).out,
      readFileSync(join(site, 'f7'), 'utf8'),
    );
    execFileSync('restic', ['--no-cache', '-r', directory, '--password-file', password, 'check', '--read-data']);
    // What is read again and again is kept near.
    const [repository = ''] = readdirSync(cache);
    assert.ok(readdirSync(join(cache, repository, 'index')).length > 0);
  });

  it('keeps no copies where none are wanted', async () => {
    const directory = join(place, 'uncached');
    const none = [...login(), '--no-cache', '--repo', urlOf(directory), '--password-file', password];
    rmSync(cache, { recursive: true, force: true });
    assert.equal((await runCli(['repo', 'init', ...none])).exit, 0);
    assert.equal((await runCli(['repo', 'ls', ...none, 'latest'])).exit, 1);
    assert.equal(existsSync(cache), false);
  });

  it('takes the second copy of a pass, and is told as behind when the server is away', async () => {
    const [local, directory] = [join(place, 'local'), join(place, 'second')];
    const ofLocal = ['--repo', local, '--password-file', password];
    assert.equal((await runCli(['repo', 'init', ...ofLocal])).exit, 0);
    const like = ['--copy-chunker-params', '--from-repo', local, '--from-password-file', password];
    assert.equal((await remote(directory, 'init', ...like)).exit, 0);
    const both = await runCli([
      'repo',
      'backup',
      ...ofLocal,
      '--also-repo',
      urlOf(directory),
      '--no-cache',
      ...login(),
      '--json',
      site,
    ]);
    assert.equal(both.exit, 0, both.err);
    const { copies } = RepoBackupDocument.parse(JSON.parse(both.out));
    assert.ok(copies.length === 2 && copies.every(({ snapshot, behind }) => snapshot !== null && behind === null));
    execFileSync('restic', ['--no-cache', '-r', directory, '--password-file', password, 'check', '--read-data']);
    const untrusted = await runCli([
      'repo',
      'backup',
      ...ofLocal,
      '--also-repo',
      urlOf(directory),
      ...login().slice(0, 2),
      '--known-hosts',
      password,
      '--json',
      site,
    ]);
    assert.equal(untrusted.exit, 3);
    const document = RepoBackupDocument.parse(JSON.parse(untrusted.out));
    assert.deepEqual(
      document.copies.map(({ behind }) => behind?.code ?? null),
      [null, 'storage-untrusted'],
    );
  });
});

describe('the test of a connection', () => {
  it('says that a place works and whether there is a repository, and leaves nothing there', async () => {
    const directory = join(place, 'new');
    const ran = await testConnection(directory);
    assert.equal(ran.exit, 0, ran.out);
    const { state, hasRepository, failed } = RepoConnectionDocument.parse(JSON.parse(ran.out));
    assert.deepEqual([state, hasRepository, failed], ['succeeded', false, null]);
    assert.deepEqual(
      readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()),
      [],
    );
    const said = await runCli(['repo', 'test-connection', '--repo', urlOf(directory), ...login()]);
    assert.match(said.out, /^The connection works: .*\nThere is no repository yet/);
    const local = await runCli(['repo', 'test-connection', '--repo', join(place, 'whole')]);
    assert.match(local.out, /There is a repository\./);
  });

  it('names the step that failed, why, and what to do', async () => {
    const wrongKey = join(place, 'wrong-key');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', wrongKey]);
    const hosts = login().slice(2);
    for (const [code, flags] of [
      ['storage-refused', ['--identity-file', wrongKey, ...hosts]],
      ['storage-refused', ['--identity-file', join(place, 'none'), ...hosts]],
      ['storage-untrusted', [...login().slice(0, 2), '--known-hosts', password]],
    ] as const) {
      const ran = await testConnection(join(place, 'x'), flags);
      const { failed } = RepoConnectionDocument.parse(JSON.parse(ran.out));
      assert.deepEqual([ran.exit, failed?.step, failed?.code], [1, 'connect', code], ran.out);
      assert.notEqual(failed?.hint, '');
    }
    const file = join(place, 'a-file');
    writeFileSync(file, '');
    const ran = await testConnection(join(file, 'below'));
    assert.equal(RepoConnectionDocument.parse(JSON.parse(ran.out)).state, 'failed', ran.out);
  });

  it('refuses an address that is none', async () => {
    const { exit, out } = await runCli(['repo', 'test-connection', '--repo', 'ftp://x/y', '--json']);
    assert.deepEqual([exit, ErrorDocument.parse(JSON.parse(out)).error.code], [2, 'storage-url']);
  });
});
