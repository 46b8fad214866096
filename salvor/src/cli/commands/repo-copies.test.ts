import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ErrorDocument, RepoBackupDocument, RepoCopyDocument, RepoHealDocument } from '@salvor/contract';
import { spawnCli } from '../../../test/cli/run-cli.ts';
import type { Ran } from '../../../test/cli/run-cli.ts';

describe('repo copy and heal', () => {
  const place = mkdtempSync(join(tmpdir(), 'salvor-copies-'));
  const [one, two] = [join(place, 'one'), join(place, 'two')];
  const [key, otherKey] = [join(place, 'key'), join(place, 'other-key')];
  const into = ['--repo', two, '--password-file', otherKey, '--from-repo', one, '--from-password-file', key];

  before(async () => {
    writeFileSync(key, 'the first password\n');
    writeFileSync(otherKey, 'the other password\n');
    mkdirSync(join(place, 'site'));
    for (let i = 0; i < 30; i++) writeFileSync(join(place, 'site', `f${i}`), `file ${i}`);
    for (const args of [
      ['init', '--repo', one, '--password-file', key],
      ['backup', '--repo', one, '--password-file', key, join(place, 'site')],
      ['init', '--repo', two, '--password-file', otherKey],
    ]) {
      assert.equal((await spawnCli(['repo', ...args])).exit, 0);
    }
  });
  after(() => rmSync(place, { recursive: true, force: true }));

  it('copy brings what is not there yet, and nothing the second time', async () => {
    const first = await spawnCli(['repo', 'copy', ...into, '--json']);
    assert.equal(first.exit, 0, first.err);
    assert.equal(RepoCopyDocument.parse(JSON.parse(first.out)).copied.length, 1);
    const again = RepoCopyDocument.parse(JSON.parse((await spawnCli(['repo', 'copy', ...into, '--json'])).out));
    assert.deepEqual([again.copied.length, again.skipped, again.blobs], [0, 1, 0]);
    assert.match((await spawnCli(['repo', 'copy', ...into, 'latest'])).out, /1 were here already/);
  });

  it('copy takes only what is chosen, and refuses a snapshot that is not there', async () => {
    const other = RepoCopyDocument.parse(
      JSON.parse((await spawnCli(['repo', 'copy', ...into, '--host', 'nobody', '--json'])).out),
    );
    assert.deepEqual([other.copied.length, other.skipped], [0, 0]);
    const { exit, out } = await spawnCli(['repo', 'copy', ...into, 'abcdef', '--json']);
    assert.deepEqual([exit, ErrorDocument.parse(JSON.parse(out)).error.code], [1, 'snapshot-unknown']);
  });

  it('heal mends this copy with the other one and says what it found', async () => {
    const packs = readdirSync(join(two, 'data'), { recursive: true, encoding: 'utf8' }).filter(
      (name) => name.length > 60,
    );
    assert.ok(packs.length > 0);
    for (const pack of packs) {
      chmodSync(join(two, 'data', pack), 0o600);
      writeFileSync(join(two, 'data', pack), 'damaged');
    }
    const { exit, out, err } = await spawnCli(['repo', 'heal', ...into, '--json']);
    assert.equal(exit, 0, err);
    const document = RepoHealDocument.parse(JSON.parse(out));
    assert.equal(document.found.length, packs.length);
    assert.deepEqual(document.left, []);
    const whole = await spawnCli(['repo', 'heal', ...into]);
    assert.match(whole.out, /Nothing was damaged\.\nThe repository is whole\./);
  });
});

describe('one pass over two repositories', () => {
  const place = mkdtempSync(join(tmpdir(), 'salvor-also-'));
  const [one, two, site] = [join(place, 'one'), join(place, 'two'), join(place, 'site')];
  const [key, otherKey] = [join(place, 'key'), join(place, 'other-key')];
  const ofOne = ['--repo', one, '--password-file', key];
  const backup = async (...more: readonly string[]): Promise<Ran> =>
    spawnCli(['repo', 'backup', ...ofOne, ...more, '--json', site]);
  const restic = (repository: string, password: string, ...args: readonly string[]): string =>
    execFileSync('restic', ['--no-cache', '--repo', repository, '--password-file', password, ...args], {
      encoding: 'utf8',
    });

  before(async () => {
    writeFileSync(key, 'the first password\n');
    writeFileSync(otherKey, 'the other password\n');
    mkdirSync(site);
    for (let i = 0; i < 30; i++) writeFileSync(join(site, `f${i}`), `file ${i}`.repeat(1000));
    assert.equal((await spawnCli(['repo', 'init', ...ofOne])).exit, 0);
    const like = ['--copy-chunker-params', '--from-repo', one, '--from-password-file', key];
    assert.equal((await spawnCli(['repo', 'init', '--repo', two, '--password-file', otherKey, ...like])).exit, 0);
  });
  after(() => rmSync(place, { recursive: true, force: true }));

  it('makes a snapshot of the same tree in each, and stock restic finds both right', async () => {
    const { exit, out, err } = await backup('--also-repo', two, '--also-password-file', otherKey, '--tag', 'both');
    assert.equal(exit, 0, err);
    const { state, copies, tree, snapshot } = RepoBackupDocument.parse(JSON.parse(out));
    assert.deepEqual(
      [state, copies.map((copy) => [copy.repository, copy.behind])],
      [
        'succeeded',
        [
          [one, null],
          [two, null],
        ],
      ],
    );
    assert.equal(copies[0]?.snapshot, snapshot);
    for (const [repository, password, copy] of [
      [one, key, copies[0]],
      [two, otherKey, copies[1]],
    ] as const) {
      restic(repository, password, 'check', '--read-data');
      const [saved] = JSON.parse(restic(repository, password, 'snapshots', '--json')) as Record<string, unknown>[];
      assert.deepEqual([saved?.['id'], saved?.['tree'], saved?.['tags']], [copy?.snapshot, tree, ['both']]);
    }
  });

  it('saves the first where another is away, with exit 3, and says which is behind and why', async () => {
    const gone = join(place, 'gone');
    const more = ['--also-repo', gone, '--also-repo', two, '--also-password-file', otherKey];
    const { exit, out } = await backup(...more);
    const document = RepoBackupDocument.parse(JSON.parse(out));
    assert.deepEqual([exit, document.state], [3, 'warned']);
    assert.deepEqual(
      document.copies.map((copy) => [copy.repository, copy.snapshot !== null, copy.behind?.code ?? null]),
      [
        [one, true, null],
        [two, true, null],
        [gone, false, 'repository-missing'],
      ],
    );
    const said = await spawnCli(['repo', 'backup', ...ofOne, ...more, site]);
    assert.match(said.out, /Snapshot [0-9a-f]{8} is saved in .*\/two\.\nNot saved in .*\/gone: There is no repository/);
  });

  it('refuses what was typed wrong before anything is done', async () => {
    for (const [code, more] of [
      ['usage', ['--also-repo', two, '--also-password-file', key, '--also-password-file', otherKey]],
      ['password-file-unreadable', ['--also-repo', two, '--also-password-file', join(place, 'none')]],
      ['storage-url', ['--also-repo', 's3:bucket']],
    ] as const) {
      const { exit, out } = await backup(...more);
      assert.deepEqual([exit, ErrorDocument.parse(JSON.parse(out)).error.code], [2, code]);
    }
    const [other, unlike] = [join(place, 'unlike'), ['--also-repo', join(place, 'unlike')]];
    assert.equal((await spawnCli(['repo', 'init', '--repo', other, '--password-file', key])).exit, 0);
    const { exit, out } = await backup(...unlike);
    assert.deepEqual([exit, ErrorDocument.parse(JSON.parse(out)).error.code], [1, 'polynomial-differs']);
  });
});
