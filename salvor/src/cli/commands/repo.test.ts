import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  ErrorDocument,
  LsDocument,
  RepoBackupDocument,
  RepoCheckDocument,
  RepoInitDocument,
  RepoRestoreDocument,
  RepoSnapshotsDocument,
} from '@salvor/contract';
import { runCli, spawnCli } from '../../../test/cli/run-cli.ts';

let room: string;
let site: string;
let passwordFile: string;

before(() => {
  room = mkdtempSync(join(tmpdir(), 'salvor-repo-'));
  site = join(room, 'site');
  passwordFile = join(room, 'password');
  writeFileSync(passwordFile, '  correct horse \n', { mode: 0o600 });
  mkdirSync(join(site, 'files/deep'), { recursive: true });
  writeFileSync(join(site, 'index.php'), '<?php echo 1;');
  writeFileSync(join(site, 'files/deep/Bild ü.bin'), Buffer.alloc(3_000_000, 'salvor'));
  writeFileSync(join(site, 'files/empty'), '');
  symlinkSync('../index.php', join(site, 'files/link'));
  chmodSync(join(site, 'files/deep'), 0o2750);
});
after(() => rmSync(room, { recursive: true, force: true }));

function flagsOf(repository: string): readonly string[] {
  return ['--repo', repository, '--password-file', passwordFile];
}

/** Runs a verb with --json, and gives its document after the schema has kept every key of it. */
async function document<T>(
  schema: { parse: (value: unknown) => T },
  exit: number,
  args: readonly string[],
): Promise<T> {
  const ran = await runCli(['repo', ...args, '--json']);
  assert.equal(ran.exit, exit, ran.out + ran.err);
  const value: unknown = JSON.parse(ran.out);
  const parsed = schema.parse(value);
  assert.deepEqual(parsed, value);
  return parsed;
}

function restic(repository: string, ...args: readonly string[]): string {
  return execFileSync('restic', ['--no-cache', '--quiet', ...flagsOf(repository), ...args], {
    encoding: 'utf8',
    cwd: room,
    maxBuffer: 2 ** 26,
  });
}

/** Path, type, mode, time and content of everything below a directory. */
function inventory(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .toSorted()
    .map((name) => {
      const path = join(directory, name);
      const stat = lstatSync(path, { bigint: true });
      const content = stat.isFile() ? readFileSync(path).toString('base64').slice(0, 4000) : '';
      return `${name} ${stat.mode} ${stat.uid} ${stat.isDirectory() ? 0 : stat.size} ${stat.mtimeNs} ${content}`;
    });
}

describe('what the repo verbs wrote', () => {
  let repository: string;
  let snapshot: string;
  before(async () => {
    repository = join(room, 'ours');
    const made = await document(RepoInitDocument, 0, ['init', ...flagsOf(repository)]);
    assert.equal(made.version, 2);
    const saved = await document(RepoBackupDocument, 0, [
      'backup',
      site,
      '--tag',
      'one',
      '--tag',
      'two',
      '--host',
      'web1',
      ...flagsOf(repository),
    ]);
    assert.deepEqual(saved.files, { new: 3, changed: 0, unmodified: 0 });
    snapshot = saved.snapshot;
  });

  test('stock restic finds right to the last byte', () => {
    assert.doesNotThrow(() => restic(repository, 'check', '--read-data'));
  });

  test('stock restic restores as it was', () => {
    const target = join(room, 'by-restic');
    restic(repository, 'restore', snapshot, '--target', target);
    assert.deepEqual(inventory(join(target, site)), inventory(site));
  });

  test('stock restic lists with tags, host and paths, and so do we', async () => {
    const [theirs] = JSON.parse(restic(repository, 'snapshots', '--json')) as {
      id: string;
      tags: string[];
      hostname: string;
      paths: string[];
    }[];
    const { snapshots } = await document(RepoSnapshotsDocument, 0, ['snapshots', ...flagsOf(repository)]);
    const [ours] = snapshots;
    assert.equal(snapshots.length, 1);
    assert.deepEqual([ours?.id, ours?.tags, ours?.hostname, ours?.paths], [snapshot, ['one', 'two'], 'web1', [site]]);
    assert.deepEqual(
      [theirs?.id, theirs?.tags, theirs?.hostname, theirs?.paths],
      [snapshot, ['one', 'two'], 'web1', [site]],
    );
  });

  test('is restored, listed and checked by us, too', async () => {
    const target = join(room, 'by-us');
    const restored = await document(RepoRestoreDocument, 0, [
      'restore',
      'latest',
      '--target',
      target,
      '--verify',
      ...flagsOf(repository),
    ]);
    assert.equal(restored.state, 'succeeded');
    assert.deepEqual(inventory(join(target, site)), inventory(site));
    const listed = await document(LsDocument, 0, [
      'ls',
      snapshot.slice(0, 8),
      site,
      '--recursive',
      ...flagsOf(repository),
    ]);
    assert.ok(
      listed.some(
        ({ path, type, bytes }) => path === `${site}/files/deep/Bild ü.bin` && type === 'file' && bytes === 3_000_000,
      ),
    );
    assert.ok(listed.some(({ path, mode }) => path === `${site}/files/deep` && mode === '2750'));
    const checked = await document(RepoCheckDocument, 0, ['check', '--read-data', ...flagsOf(repository)]);
    assert.deepEqual([checked.state, checked.snapshots, checked.errors.length], ['succeeded', 1, 0]);
  });

  test('gives one file as it is, as restic does', async () => {
    const file = join(site, 'files/deep/Bild ü.bin');
    const ours = await spawnCli(['repo', 'dump', 'latest', file, ...flagsOf(repository)], { cwd: room });
    assert.equal(ours.exit, 0, ours.err);
    assert.equal(ours.out, restic(repository, 'dump', 'latest', file));
    assert.equal(ours.out, readFileSync(file, 'utf8'));
    const empty = await runCli([
      'repo',
      'dump',
      snapshot.slice(0, 8),
      join(site, 'files/empty'),
      ...flagsOf(repository),
    ]);
    assert.deepEqual(empty, { exit: 0, out: '', err: '' });
  });

  test('is restored in part where only a part is wanted', async () => {
    const target = join(room, 'part');
    await document(RepoRestoreDocument, 0, [
      'restore',
      `latest:${site}`,
      '--target',
      target,
      '--include',
      '/files/deep',
      ...flagsOf(repository),
    ]);
    assert.deepEqual(readdirSync(target, { recursive: true, encoding: 'utf8' }).toSorted(), [
      'files',
      'files/deep',
      'files/deep/Bild ü.bin',
    ]);
  });

  test('is added to without reading again what did not change', async () => {
    const again = await document(RepoBackupDocument, 0, ['backup', site, '--host', 'web1', ...flagsOf(repository)]);
    assert.deepEqual([again.files.unmodified, again.bytesRead, again.dataBlobs], [3, 0, 0]);
    const forced = await document(RepoBackupDocument, 0, [
      'backup',
      site,
      '--force',
      '--host',
      'web1',
      ...flagsOf(repository),
    ]);
    assert.deepEqual([forced.files.new, forced.dataBlobs], [3, 0]);
  });

  test('is found damaged after a pack lost its end: exit 1, and the pack is named', async () => {
    const copy = join(room, 'damaged');
    cpSync(repository, copy, { recursive: true });
    const [pack = ''] = readdirSync(join(copy, 'data'), { recursive: true, encoding: 'utf8' }).filter(
      (name) => name.length > 60,
    );
    chmodSync(join(copy, 'data', pack), 0o600);
    truncateSync(join(copy, 'data', pack), 100);
    const checked = await document(RepoCheckDocument, 1, ['check', '--read-data', ...flagsOf(copy)]);
    assert.equal(checked.state, 'failed');
    const name = pack.split('/').at(-1) ?? '';
    assert.ok(
      checked.errors.some(({ path, message }) => `${path ?? ''} ${message}`.includes(name.slice(0, 8))),
      JSON.stringify(checked.errors),
    );
  });

  test('is checked in parts that are all of it together, with the shares that restic takes', async () => {
    const read = async (share: string, ...more: readonly string[]): Promise<RepoCheckDocument> =>
      document(RepoCheckDocument, 0, ['check', '--read-data-subset', share, ...more, ...flagsOf(repository)]);
    const [one, two, all] = [await read('1/2'), await read('2/2'), await read('100%')];
    assert.equal(one.packsRead + two.packsRead, all.packs);
    assert.deepEqual([all.packsRead, all.dataRead, one.seed], [all.packs, false, null]);
    const some = await read('50K');
    assert.ok(some.seed !== null && some.packsRead >= 1 && some.bytesRead > 0);
    assert.deepEqual(await read('50K', '--seed', some.seed), some);
    for (const share of ['1/2', '100%', '50K']) {
      const said = restic(repository, 'check', `--read-data-subset=${share}`);
      assert.doesNotMatch(said, /error/i);
    }
    for (const share of ['0/2', '3/2', '1/257', '0%', '101%', '0', '5 %', 'x']) {
      const { error } = await document(ErrorDocument, 2, [
        'check',
        '--read-data-subset',
        share,
        ...flagsOf(repository),
      ]);
      assert.equal(error.code, 'usage', share);
    }
  });

  test('is read by people in tables that name what was done', async () => {
    const listed = await runCli(['repo', 'snapshots', ...flagsOf(repository)]);
    assert.match(listed.out, /^ID {8}TIME .*HOST .*TAGS .*PATHS/);
    assert.match(listed.out, /web1 +one,two/);
    const checked = await runCli(['repo', 'check', ...flagsOf(repository)]);
    assert.match(checked.out, /No damage found\.\n$/);
    assert.equal(checked.err, '');
  });
});

describe('what stock restic wrote', () => {
  let repository: string;
  before(() => {
    repository = join(room, 'theirs');
    restic(repository, 'init', '--repository-version', '2');
    restic(repository, 'backup', site, '--host', 'web2');
  });

  test('is listed, checked and restored by us', async () => {
    const { snapshots } = await document(RepoSnapshotsDocument, 0, [
      'snapshots',
      '--host',
      'web2',
      ...flagsOf(repository),
    ]);
    assert.deepEqual(snapshots[0]?.paths, [site]);
    await document(RepoCheckDocument, 0, ['check', '--read-data', ...flagsOf(repository)]);
    const target = join(room, 'theirs-restored');
    await document(RepoRestoreDocument, 0, ['restore', 'latest', '--target', target, ...flagsOf(repository)]);
    assert.deepEqual(inventory(join(target, site)), inventory(site));
  });

  test('has every block already that our backup would add', async () => {
    const saved = await document(RepoBackupDocument, 0, ['backup', site, '--force', ...flagsOf(repository)]);
    assert.equal(saved.dataBlobs, 0);
  });

  test('has the same layout for a relative path as ours', async () => {
    restic(repository, 'backup', 'site/files', './site/index.php', '--host', 'web3');
    const theirs = restic(repository, 'ls', 'latest').trim().split('\n');
    const saved = await spawnCli(
      ['repo', 'backup', 'site/files', './site/index.php', '--json', ...flagsOf(repository)],
      { cwd: room },
    );
    assert.equal(saved.exit, 0, saved.err);
    const { snapshot } = RepoBackupDocument.parse(JSON.parse(saved.out));
    const ours = await document(LsDocument, 0, ['ls', snapshot, ...flagsOf(repository)]);
    assert.deepEqual(
      ours
        .map(({ path }) => path)
        .filter((path) => path !== '/')
        .toSorted(),
      theirs.toSorted(),
    );
  });
});

describe('bad input to a repo verb is a coded error', () => {
  let repository: string;
  before(async () => {
    repository = join(room, 'small');
    await document(RepoInitDocument, 0, ['init', ...flagsOf(repository)]);
  });

  const cases: readonly (readonly [claim: string, code: string, exit: number, args: () => readonly string[]])[] = [
    [
      'a wrong password',
      'wrong-password',
      1,
      () => ['snapshots', '--repo', repository, '--password-file', join(room, 'site/index.php')],
    ],
    ['no repository', 'repository-missing', 1, () => ['snapshots', ...flagsOf(join(room, 'nothing'))]],
    ['a repository where one is to be made', 'repository-exists', 1, () => ['init', ...flagsOf(repository)]],
    [
      'a password file that is not there',
      'password-file-unreadable',
      2,
      () => ['check', '--repo', repository, '--password-file', join(room, 'none')],
    ],
    [
      'a password file that is empty',
      'password-file-unreadable',
      2,
      () => ['check', '--repo', repository, '--password-file', join(site, 'files/empty')],
    ],
    ['an address of no storage', 'storage-url', 2, () => ['check', ...flagsOf('ftp://host/x')]],
    [
      'all of the data and a part of it at once',
      'usage',
      2,
      () => ['check', '--read-data', '--read-data-subset', '1/2', ...flagsOf(repository)],
    ],
    ['a rate that is none', 'usage', 2, () => ['check', '--limit-upload', '1.5M', ...flagsOf(repository)]],
    [
      'a cache that is wanted and not',
      'usage',
      2,
      () => ['check', '--no-cache', '--cache-dir', room, ...flagsOf(repository)],
    ],
    [
      'cuts of a repository that is not named',
      'usage',
      2,
      () => ['init', '--copy-chunker-params', ...flagsOf(join(room, 'new'))],
    ],
    [
      'a directory where a file is wanted',
      'path-unknown',
      1,
      () => ['dump', 'latest', site, ...flagsOf(join(room, 'ours'))],
    ],
    ['a snapshot that is not there', 'snapshot-unknown', 1, () => ['ls', 'latest', ...flagsOf(repository)]],
    [
      'a target that is not empty',
      'target-not-empty',
      1,
      () => ['restore', 'latest', '--target', site, ...flagsOf(join(room, 'ours'))],
    ],
    ['a source that is not there', 'source-missing', 1, () => ['backup', join(room, 'none'), ...flagsOf(repository)]],
    [
      'a path that the snapshot has not',
      'path-unknown',
      1,
      () => ['ls', 'latest', '/none', ...flagsOf(join(room, 'ours'))],
    ],
  ];
  for (const [claim, code, exit, args] of cases) {
    test(claim, async () => {
      const { error } = await document(ErrorDocument, exit, args());
      assert.equal(error.code, code);
      assert.ok(error.hint !== null && error.hint !== '');
      assert.doesNotMatch(JSON.stringify(error), /correct horse/);
    });
  }

  test('an empty repository says how to make the first snapshot', async () => {
    const { exit, out } = await runCli(['repo', 'snapshots', ...flagsOf(repository)]);
    assert.equal(exit, 0);
    assert.match(out, /^No snapshots yet\. Make one with: salvor repo backup/);
  });
});
