import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  ErrorDocument,
  RepoBackupDocument,
  RepoKeyDocument,
  RepoKeysDocument,
  RepoPruneDocument,
  RepoRepairIndexDocument,
  RepoRepairPacksDocument,
  RepoRepairSnapshotsDocument,
  RepoUnlockDocument,
} from '@salvor/contract';
import { runCli } from '../../../test/cli/run-cli.ts';

let room: string;
let passwordFile: string;
let newPasswordFile: string;
let whole: string;
let old: string;

const flagsOf = (repository: string, password = passwordFile): readonly string[] => [
  '--repo',
  repository,
  '--password-file',
  password,
];

/** Runs a verb with --json, and gives its document after the schema has kept every key of it. */
async function document<T>(
  schema: { parse: (value: unknown) => T },
  exit: number,
  ...args: readonly string[]
): Promise<T> {
  const ran = await runCli(['repo', ...args, '--json']);
  assert.equal(ran.exit, exit, ran.out + ran.err);
  const value: unknown = JSON.parse(ran.out);
  const parsed = schema.parse(value);
  assert.deepEqual(parsed, value);
  return parsed;
}

async function codeOf(exit: number, ...args: readonly string[]): Promise<string> {
  return (await document(ErrorDocument, exit, ...args)).error.code;
}

function restic(repository: string, ...args: readonly string[]): string {
  return execFileSync('restic', ['--no-cache', '--quiet', ...flagsOf(repository), ...args], { encoding: 'utf8' });
}

const copyOf = (name: string): string => {
  const copy = join(room, name);
  cpSync(whole, copy, { recursive: true });
  return copy;
};

/** Ids of the files of a kind. */
const idsOf = (repository: string, kind: string): readonly string[] =>
  readdirSync(join(repository, kind), { recursive: true, encoding: 'utf8' })
    .map((name) => name.slice(-64))
    .filter((name) => /^[0-9a-f]{64}$/.test(name));

before(async () => {
  room = mkdtempSync(join(tmpdir(), 'salvor-upkeep-'));
  passwordFile = join(room, 'password');
  newPasswordFile = join(room, 'new-password');
  writeFileSync(passwordFile, 'correct horse');
  writeFileSync(newPasswordFile, 'battery staple');
  whole = join(room, 'whole');
  const site = join(room, 'site');
  mkdirSync(site);
  await runCli(['repo', 'init', ...flagsOf(whole)]);
  writeFileSync(join(site, 'a'), 'first content');
  old = (await document(RepoBackupDocument, 0, 'backup', ...flagsOf(whole), site)).snapshot;
  writeFileSync(join(site, 'a'), 'second content');
  await document(RepoBackupDocument, 0, 'backup', ...flagsOf(whole), site);
});
after(() => rmSync(room, { recursive: true, force: true }));

describe('repo prune', () => {
  test('asks before it removes, shows in a dry run, and removes what no snapshot needs', async () => {
    const repository = copyOf('prune');
    rmSync(join(repository, 'snapshots', old));
    const packs = idsOf(repository, 'data').length;
    assert.equal(await codeOf(2, 'prune', ...flagsOf(repository)), 'consent-missing');
    const dry = await document(RepoPruneDocument, 0, 'prune', ...flagsOf(repository), '--dry-run');
    assert.deepEqual([dry.dryRun, idsOf(repository, 'data').length], [true, packs]);
    const done = await document(RepoPruneDocument, 0, 'prune', ...flagsOf(repository), '--yes', '--max-unused', '0');
    assert.equal(done.packs.removed, dry.packs.removed);
    assert.ok(done.packs.removed > 0 && done.bytesAfter < done.bytesBefore);
    restic(repository, 'check', '--read-data');
    const text = await runCli(['repo', 'prune', ...flagsOf(repository), '--yes']);
    assert.match(text.out, /0 packs removed/);
  });

  test('takes limits as restic writes them and refuses others before it opens anything', async () => {
    const nowhere = flagsOf(join(room, 'nowhere'));
    for (const limits of [
      ['--max-unused', '100%'],
      ['--max-unused', 'much'],
      ['--max-repack-size', '5x'],
      ['--max-repack-size', '-1'],
    ])
      assert.equal(await codeOf(2, 'prune', ...nowhere, '--yes', ...limits), 'usage', limits.join(' '));
    for (const limits of [
      ['--max-unused', 'unlimited'],
      ['--max-unused', '2.5%'],
      ['--max-unused', '10M', '--max-repack-size', '1g'],
      ['--repack-cacheable-only', '--repack-small', '--repack-uncompressed'],
    ])
      await document(RepoPruneDocument, 0, 'prune', ...flagsOf(whole), '--dry-run', ...limits);
  });
});

describe('repo key', () => {
  test('adds, lists, changes and removes passwords, and never the one in use', async () => {
    const repository = copyOf('key');
    const added = await document(
      RepoKeyDocument,
      0,
      'key',
      'add',
      ...flagsOf(repository),
      '--new-password-file',
      newPasswordFile,
      '--user',
      'anna',
      '--host',
      'x',
    );
    const list = await document(RepoKeysDocument, 0, 'key', 'list', ...flagsOf(repository));
    assert.deepEqual(
      list.keys
        .filter(({ id }) => id === added.added)
        .map(({ username, hostname, current }) => [username, hostname, current]),
      [['anna', 'x', false]],
    );
    const own = list.keys.find(({ current }) => current)?.id ?? '';
    assert.equal(await codeOf(1, 'key', 'remove', ...flagsOf(repository), own), 'key-in-use');
    assert.equal(await codeOf(1, 'key', 'remove', ...flagsOf(repository), 'feed'), 'key-unknown');
    await document(RepoKeyDocument, 0, 'key', 'remove', ...flagsOf(repository, newPasswordFile), own.slice(0, 20));
    assert.equal(await codeOf(1, 'snapshots', ...flagsOf(repository)), 'wrong-password');
    await document(
      RepoKeyDocument,
      0,
      'key',
      'passwd',
      ...flagsOf(repository, newPasswordFile),
      '--new-password-file',
      passwordFile,
    );
    restic(repository, 'snapshots');
    assert.match((await runCli(['repo', 'key', 'list', ...flagsOf(repository)])).out, /\*/);
    assert.equal(await codeOf(2, 'key', 'add', ...flagsOf(repository)), 'usage');
  });

  test('shows none of the passwords', async () => {
    const repository = copyOf('silent');
    const ran = await runCli(['repo', 'key', 'add', ...flagsOf(repository), '--new-password-file', newPasswordFile]);
    assert.doesNotMatch(ran.out + ran.err, /battery|horse/);
  });
});

describe('repo unlock', () => {
  test('leaves what it can not judge, and removes all where that is asked for', async () => {
    const repository = copyOf('unlock');
    writeFileSync(join(repository, 'locks', 'c'.repeat(64)), 'no lock');
    const left = await document(RepoUnlockDocument, 0, 'unlock', ...flagsOf(repository));
    assert.deepEqual([left.removed.length, left.left.map(({ time }) => time)], [0, [null]]);
    assert.match((await runCli(['repo', 'unlock', ...flagsOf(repository)])).out, /--remove-all/);
    const all = await document(RepoUnlockDocument, 0, 'unlock', ...flagsOf(repository), '--remove-all');
    assert.equal(all.removed.length, 1);
    restic(repository, 'check');
  });
});

describe('repo repair', () => {
  test('lists again what an index file listed that is gone', async () => {
    const repository = copyOf('index');
    for (const id of idsOf(repository, 'index')) rmSync(join(repository, 'index', id));
    const mended = await document(RepoRepairIndexDocument, 0, 'repair', 'index', ...flagsOf(repository));
    assert.equal(mended.packsRelisted.length, idsOf(repository, 'data').length);
    const again = await document(
      RepoRepairIndexDocument,
      0,
      'repair',
      'index',
      ...flagsOf(repository),
      '--read-all-packs',
    );
    assert.equal(again.packsRelisted.length, mended.packsRelisted.length);
    restic(repository, 'check', '--read-data');
  });

  test('drops a damaged pack, keeps its bytes aside, and then mends the snapshots that needed it', async () => {
    const repository = copyOf('packs');
    const index = JSON.parse(restic(repository, 'cat', 'index', idsOf(repository, 'index')[0] ?? '')) as {
      packs: { id: string; blobs: { type: string }[] }[];
    };
    const pack = index.packs.find(({ blobs }) => blobs[0]?.type === 'data')?.id ?? '';
    const path = join(repository, 'data', pack.slice(0, 2), pack);
    const bytes = readFileSync(path);
    bytes[3] = (bytes[3] ?? 0) ^ 1;
    rmSync(path);
    writeFileSync(path, bytes);
    const working = process.cwd();
    process.chdir(room);
    try {
      const saved = await document(RepoRepairPacksDocument, 3, 'repair', 'packs', ...flagsOf(repository), pack);
      assert.deepEqual(
        saved.problems.map(({ code }) => code),
        ['blob-lost'],
      );
      assert.deepEqual(readFileSync(saved.kept[0] ?? ''), bytes);
    } finally {
      process.chdir(working);
    }
    const dry = await document(
      RepoRepairSnapshotsDocument,
      3,
      'repair',
      'snapshots',
      ...flagsOf(repository),
      '--dry-run',
    );
    assert.deepEqual(
      dry.repaired.map(({ successor }) => successor),
      [null],
    );
    const mended = await document(
      RepoRepairSnapshotsDocument,
      3,
      'repair',
      'snapshots',
      ...flagsOf(repository),
      '--forget',
    );
    assert.deepEqual(
      mended.repaired.map(({ losses }) => losses.map(({ code }) => code)),
      [['content-lost']],
    );
    restic(repository, 'check', '--read-data');
    await document(RepoRepairSnapshotsDocument, 0, 'repair', 'snapshots', ...flagsOf(repository));
  });

  test('refuses a pack that is none', async () => {
    assert.equal(await codeOf(1, 'repair', 'packs', ...flagsOf(whole), 'e'.repeat(64)), 'pack-unknown');
  });
});
