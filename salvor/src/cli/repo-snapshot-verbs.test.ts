import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import {
  ErrorDocument,
  RepoBackupDocument,
  RepoDiffDocument,
  RepoFindDocument,
  RepoForgetDocument,
  RepoSnapshotsDocument,
  RepoStatsDocument,
  RepoTagDocument,
  RepoVersionsDocument,
} from '@salvor/contract';
import { generateKey, initRepository, openLocalStorage } from '@salvor/engine';
import { runCli } from '../../test/cli/run-cli.ts';

let room: string;
let site: string;
let flags: readonly string[];
let ids: readonly string[];

before(async () => {
  room = mkdtempSync(join(tmpdir(), 'salvor-repo-'));
  site = join(room, 'site');
  // A key that can't be guessed opens at once; a person's password would cost each command half a second.
  const key = generateKey();
  writeFileSync(join(room, 'password'), key, { mode: 0o600 });
  flags = ['--repo', join(room, 'repository'), '--password-file', join(room, 'password')];
  mkdirSync(join(site, 'files'), { recursive: true });
  writeFileSync(join(site, 'index.php'), '<?php echo 1;');
  writeFileSync(join(site, 'files/notes.txt'), 'one');
  await initRepository(openLocalStorage(join(room, 'repository')), { kind: 'key', text: key });
  const saved: string[] = [];
  for (const tags of ['one,daily', 'two,daily', 'three']) {
    const args = tags.split(',').flatMap((tag) => ['--tag', tag]);
    saved.push((await document(RepoBackupDocument, 0, ['backup', site, '--host', 'web', ...args])).snapshot);
    appendFileSync(join(site, 'files/notes.txt'), ` and ${tags}`);
  }
  ids = saved;
});
after(() => rmSync(room, { recursive: true, force: true }));

/** Runs a verb with --json, and gives its document after the schema has kept every key of it. */
async function document<T>(
  schema: { parse: (value: unknown) => T },
  exit: number,
  args: readonly string[],
): Promise<T> {
  const ran = await runCli(['repo', ...args, ...flags, '--json']);
  assert.equal(ran.exit, exit, ran.out + ran.err);
  const value: unknown = JSON.parse(ran.out);
  const parsed = schema.parse(value);
  assert.deepEqual(parsed, value);
  return parsed;
}

async function text(...args: readonly string[]): Promise<string> {
  const ran = await runCli(['repo', ...args, ...flags]);
  assert.equal(ran.exit, 0, ran.out + ran.err);
  return ran.out;
}

function restic(...args: readonly string[]): string {
  return execFileSync('restic', ['--no-cache', '--quiet', ...flags, ...args], { encoding: 'utf8', cwd: room });
}

async function tagsOfAll(): Promise<readonly string[]> {
  const { snapshots } = await document(RepoSnapshotsDocument, 0, ['snapshots']);
  return snapshots.map(({ tags }) => tags.join(','));
}

describe('repo diff', () => {
  test('shows what changed, by snapshots and by directories of them', async () => {
    const [one = '', two = ''] = ids;
    const whole = await document(RepoDiffDocument, 0, ['diff', one, two]);
    assert.deepEqual(whole.changes, [{ path: `${site}/files/notes.txt`, modifier: 'M' }]);
    assert.equal(whole.changedFiles, 1);
    const inner = await document(RepoDiffDocument, 0, ['diff', `${one}:${site}/files`, `${two}:${site}/files`]);
    assert.deepEqual(inner.changes, [{ path: '/notes.txt', modifier: 'M' }]);
    assert.match(await text('diff', one, two), /^M {4}\/.*notes\.txt\n1 file changed\.\nAdded: {3}0 files/);
  });

  test('fails for a snapshot and a path that are not there', async () => {
    const unknown = await document(ErrorDocument, 1, ['diff', 'ffffffff', 'latest']);
    assert.equal(unknown.error.code, 'snapshot-unknown');
    const path = await document(ErrorDocument, 1, ['diff', 'latest:/nowhere', 'latest']);
    assert.equal(path.error.code, 'path-unknown');
  });
});

describe('repo find', () => {
  test('finds a name in every snapshot', async () => {
    const { entries } = await document(RepoFindDocument, 0, ['find', 'NOTES.*', '--ignore-case']);
    assert.deepEqual(
      entries.map(({ snapshot, path, bytes }) => [snapshot, path, bytes]),
      ids.map((id, i) => [id, `${site}/files/notes.txt`, [3, 17, 31][i]]),
    );
    const some = await document(RepoFindDocument, 0, ['find', 'notes.txt', '--tag', 'daily', '--tag', 'nothing']);
    assert.equal(some.entries.length, 2);
    const one = await document(RepoFindDocument, 0, ['find', 'notes.txt', '--snapshot', 'latest']);
    assert.equal(one.entries.length, 1);
    assert.match(await text('find', 'notes.txt'), /SNAPSHOT .*PATH\n[\s\S]*3 places\n$/);
    assert.equal(await text('find', 'nothing-has-this-name'), 'Nothing was found.\n');
  });

  test('finds by time', async () => {
    assert.equal((await document(RepoFindDocument, 0, ['find', '*', '--newest', '2001-01-01'])).entries.length, 0);
    assert.ok((await document(RepoFindDocument, 0, ['find', '*', '--oldest', '2001-01-01 10:00'])).entries.length > 0);
  });

  test('finds by the id of a listing, as restic names it', async () => {
    const [first] = JSON.parse(restic('snapshots', '--json')) as { tree: string }[];
    const tree = first?.tree ?? '';
    const { blobs } = await document(RepoFindDocument, 0, ['find', '--tree', tree.slice(0, 10)]);
    assert.deepEqual(blobs[0], { ...blobs[0], snapshot: ids[0], path: '/', type: 'tree', id: tree, parentTree: null });
  });

  test('refuses what it can not look for, with exit code 2', async () => {
    for (const args of [['[a'], ['--blob', 'no-id'], ['--blob', '--pack', 'abcdef'], ['x', '--oldest', 'yesterday']]) {
      const { error } = await document(ErrorDocument, 2, ['find', ...args]);
      assert.ok(['pattern-invalid', 'usage'].includes(error.code), error.code);
    }
  });
});

describe('repo stats and versions', () => {
  test('count what restic counts', async () => {
    for (const mode of ['restore-size', 'files-by-contents', 'raw-data', 'blobs-per-file']) {
      const ours = await document(RepoStatsDocument, 0, ['stats', '--mode', mode]);
      const theirs = JSON.parse(restic('stats', '--json', '--mode', mode)) as { total_size: number };
      assert.equal(ours.bytes, theirs.total_size, mode);
    }
    assert.match(await text('stats', 'latest'), /^1 snapshot: \d+ entries, 44 B to restore\n$/);
  });

  test('list every version of a file, the newest first', async () => {
    const { versions } = await document(RepoVersionsDocument, 0, ['versions', `${site}/files/notes.txt`]);
    assert.deepEqual(
      versions.map(({ bytes, snapshots }) => [bytes, snapshots]),
      [
        [31, [ids[2]]],
        [17, [ids[1]]],
        [3, [ids[0]]],
      ],
    );
    const [same] = (await document(RepoVersionsDocument, 0, ['versions', `${site}/index.php`])).versions;
    assert.deepEqual([same?.firstSeen.snapshot, same?.lastSeen.snapshot], [ids[0], ids[2]]);
    assert.match(await text('versions', `${site}/index.php`), /3 snapshots\n1 version\n$/);
    assert.match(await text('versions', '/nowhere'), /^No snapshot has \/nowhere\.\n$/);
  });
});

describe('repo forget', () => {
  test('shows what would go and why, and changes nothing, as restic decides', async () => {
    const keep = ['--keep-last', '1', '--keep-tag', 'one,daily'];
    const dry = await document(RepoForgetDocument, 0, ['forget', '--dry-run', ...keep]);
    assert.equal(dry.dryRun, true);
    const [theirs] = JSON.parse(restic('forget', '--dry-run', '--json', ...keep)) as { remove: { id: string }[] }[];
    assert.deepEqual(
      dry.removed,
      theirs?.remove.map(({ id }) => id),
    );
    const [group] = dry.groups;
    assert.deepEqual(
      group?.keep.map(({ reasons }) => reasons),
      [[{ rule: 'last', text: 'last snapshot' }], [{ rule: 'tag', text: 'has tags [one, daily]' }]],
    );
    assert.match(await text('forget', '--dry-run', ...keep), /1 snapshot would be removed now; nothing was\.\n$/);
    assert.equal((await tagsOfAll()).length, 3);
  });

  test('shows a calendar of what each rule keeps, now and after many nights', async () => {
    const now = await document(RepoForgetDocument, 0, [
      'forget',
      '--calendar',
      '--keep-last',
      '2',
      '--keep-daily',
      '-1',
    ]);
    assert.deepEqual(now.calendars?.[0]?.rules, ['last', 'daily']);
    const later = await document(RepoForgetDocument, 0, [
      'forget',
      '--simulate',
      '400',
      '--keep-daily',
      '7',
      '--keep-monthly',
      'unlimited',
    ]);
    const kept = later.calendars?.[0]?.days.flatMap((day) => day.kept) ?? [];
    assert.equal(kept.filter(({ rules }) => rules.includes('daily')).length, 7);
    assert.ok(kept.filter(({ rules }) => rules.includes('monthly')).length >= 13);
    assert.match(await text('forget', '--simulate', '3', '--keep-within', '2d'), /DAY +TIME +within\n/);
    assert.equal((await tagsOfAll()).length, 3);
  });

  test('refuses a policy that is empty, or leaves nothing, or is not understood', async () => {
    const codeOf = async (exit: number, ...args: readonly string[]): Promise<string> =>
      (await document(ErrorDocument, exit, ['forget', '--yes', ...args])).error.code;
    assert.equal(await codeOf(2), 'policy-empty');
    assert.equal(await codeOf(2, '--unsafe-allow-remove-all'), 'policy-empty');
    assert.equal(await codeOf(1, '--keep-tag', 'nothing-has-it'), 'policy-removes-all');
    assert.equal(await codeOf(2, '--keep-daily', '-2'), 'usage');
    assert.equal(await codeOf(2, '--keep-within', '7 days'), 'usage');
    assert.equal(await codeOf(2, '--keep-last', '1', '--group-by', 'colour'), 'usage');
    assert.equal(await codeOf(2, '--keep-last', '1', '--simulate', '0'), 'usage');
    assert.equal(await codeOf(2, 'latest', '--calendar'), 'usage');
    assert.equal((await tagsOfAll()).length, 3);
  });

  test('wants consent, and without a terminal does nothing without --yes', async () => {
    const { error } = await document(ErrorDocument, 2, ['forget', '--keep-last', '1']);
    assert.equal(error.code, 'consent-missing');
    const refused = await runCli(['repo', 'forget', '--keep-last', '1', ...flags], {
      terminal: { canAsk: true, stdin: answering('n\n') },
    });
    assert.equal(refused.exit, 1);
    assert.match(refused.err, /Remove 2 snapshots/);
    assert.equal((await tagsOfAll()).length, 3);
  });
});

describe('repo tag, and then forget', () => {
  test('change tags as restic reads them, and refuse what contradicts itself', async () => {
    const { changed } = await document(RepoTagDocument, 0, [
      'tag',
      '--add',
      'x,salvor-pin',
      '--remove',
      'daily',
      '--tag',
      'one',
    ]);
    assert.deepEqual(
      changed.map(({ old, tags }) => [old, tags]),
      [[ids[0], ['one', 'x', 'salvor-pin']]],
    );
    assert.deepEqual(await tagsOfAll(), ['one,x,salvor-pin', 'two,daily', 'three']);
    const theirs = JSON.parse(restic('snapshots', '--json', '--tag', 'x')) as { original: string }[];
    assert.deepEqual(
      theirs.map(({ original }) => original),
      [ids[0]],
    );
    await document(RepoTagDocument, 0, ['tag', 'latest', '--set', '']);
    assert.deepEqual(await tagsOfAll(), ['one,x,salvor-pin', 'two,daily', '']);
    for (const args of [[], ['--set', 'a', '--add', 'b']])
      assert.equal((await document(ErrorDocument, 2, ['tag', ...args])).error.code, 'usage');
    assert.match(await text('tag', '--add', 'x', '--tag', 'x'), /^0 snapshots changed\.\n$/);
  });

  test('remove what the policy does not keep, but nothing that is pinned', async () => {
    const done = await document(RepoForgetDocument, 0, ['forget', '--keep-last', '1', '--yes']);
    assert.deepEqual(done.removed, [ids[1]]);
    assert.deepEqual(await tagsOfAll(), ['one,x,salvor-pin', '']);
    const { snapshots } = await document(RepoSnapshotsDocument, 0, ['snapshots']);
    const named = await document(RepoForgetDocument, 3, ['forget', '--yes', ...snapshots.map(({ id }) => id)]);
    assert.deepEqual([named.removed.length, named.problems.map(({ code }) => code)], [1, ['snapshot-pinned']]);
    assert.deepEqual(await tagsOfAll(), ['one,x,salvor-pin']);
    assert.doesNotThrow(() => restic('check'));
  });
});

function answering(line: string): PassThrough {
  const input = new PassThrough();
  input.end(line);
  return input;
}
