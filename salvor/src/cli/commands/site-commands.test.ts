import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import {
  BackupDocument,
  ConfirmDocument,
  ErrorDocument,
  InitDocument,
  LsDocument,
  PointsDocument,
  RepoSnapshotsDocument,
  RestoreDocument,
  SitesDocument,
  StatusDocument,
  TaskLogDocument,
  TasksDocument,
  UndoDocument,
} from '@salvor/contract';
import { buildHost } from '../../../../demo/host.ts';
import type { DemoHost, DemoSite } from '../../../../demo/host.ts';
import { runCli } from '../../../test/cli/run-cli.ts';
import type { Ran } from '../../../test/cli/run-cli.ts';
import type { Terminal } from '../terminal.ts';

let host: DemoHost;
let room: string;
let config: string;
let site: DemoSite;

before(async () => {
  room = mkdtempSync(join(tmpdir(), 'salvor-commands-'));
  host = await buildHost({ withoutWordPress: true, nodes: 20, files: 20 });
  const [first] = host.sites;
  assert.ok(first !== undefined);
  site = first;
  config = join(room, 'salvor.yaml');
  writeFileSync(config, `mariadb: { socket: ${host.mariadb.socket} }\n`);
});
after(async () => {
  await host[Symbol.asyncDispose]();
  rmSync(room, { recursive: true, force: true });
});

async function salvor(...args: readonly string[]): Promise<Ran> {
  return runCli([...args, '--config', config]);
}

/** Runs a command with --json, and gives its document after the schema has kept every key of it. */
async function document<T>(
  schema: { parse: (value: unknown) => T },
  exit: number,
  args: readonly string[],
): Promise<T> {
  const ran = await salvor(...args, '--json');
  assert.equal(ran.exit, exit, ran.out + ran.err);
  assert.equal(ran.err === '' || exit !== 0, true, ran.err);
  const value: unknown = JSON.parse(ran.out);
  const parsed = schema.parse(value);
  assert.deepEqual(parsed, value);
  return parsed;
}

describe('on a host with sites', { concurrency: 1 }, () => {
  test('init writes the configuration, and makes a repository and a key of its own for each account', async () => {
    const flags = ['--home', host.home, '--state', join(room, 'state'), '--local', join(room, 'repositories')];
    const made = await document(InitDocument, 0, ['init', ...flags]);
    const [account] = made.accounts;
    assert.deepEqual(
      [made.written, made.config, account?.name, account?.repository.created],
      [true, config, host.account.name, true],
    );
    assert.equal(statSync(account?.keyFile ?? '').mode & 0o777, 0o600);
    assert.match(readFileSync(config, 'utf8'), new RegExp(`socket: ${host.mariadb.socket}`));
    assert.equal(made.sites.length, host.sites.length);
  });

  test('init changes nothing when it is run again, and says what is there', async () => {
    const before = readFileSync(config, 'utf8');
    const made = await document(InitDocument, 0, ['init']);
    assert.deepEqual([made.written, made.accounts[0]?.repository.created], [false, false]);
    assert.equal(readFileSync(config, 'utf8'), before);
    assert.match((await salvor('init')).out, /^Kept .*\n[^]*Next: salvor backup /);
  });

  test('sites lists each with its databases', async () => {
    const listed = await document(SitesDocument, 0, ['sites']);
    const found = listed.find(({ uri }) => uri === site.uri);
    assert.equal(found?.path, site.path);
    const [database] = found?.databases ?? [];
    assert.deepEqual([database?.engine, database?.name, database?.sharedWith], ['mariadb', site.database, []]);
    assert.match((await salvor('sites')).out, /^SITE +ACCOUNT +CMS +PLATFORM +DATABASES +PATH\n/);
  });

  test('points of a site without any says what to type', async () => {
    assert.deepEqual(await document(PointsDocument, 0, ['points', site.uri]), []);
    assert.equal((await salvor('points', site.uri)).out, `No points yet. Make one with: salvor backup ${site.uri}\n`);
  });

  test('a restore of a site without any point is refused with a code', async () => {
    const { error } = await document(ErrorDocument, 1, ['restore', site.uri, '--yes']);
    assert.equal(error.code, 'point-missing');
  });

  test('backup makes a point that points, ls, cat and status then know', async () => {
    const made = await document(BackupDocument, 0, ['backup', site.uri, '--reason', 'before\u001b the update']);
    assert.equal(made.state, 'succeeded');
    assert.ok(made.files > 20 && made.tables > 0 && made.bytesStored > 0);
    const [point] = await document(PointsDocument, 0, ['points', `${host.account.name}/${site.uri}`]);
    assert.deepEqual(
      [point?.id, point?.reason, point?.origin, point?.complete],
      [made.point, 'before\u001b the update', 'task', true],
    );
    const people = await salvor('points', site.uri);
    assert.ok(people.out.includes('before\\x1b the update') && !people.out.includes('\u001b'), people.out);

    const root = await document(LsDocument, 0, ['ls', made.point.slice(0, 12)]);
    assert.deepEqual(root.map(({ path }) => path).toSorted(), ['/databases', '/manifest.json', '/site']);
    const settings = await salvor('cat', made.point, '/site/settings.php');
    assert.equal(settings.out, readFileSync(join(site.path, 'settings.php'), 'utf8'));

    const status = await document(StatusDocument, 0, ['status']);
    assert.equal(status.sites.find(({ uri }) => uri === site.uri)?.lastPoint?.id, made.point);
    assert.ok(status.tasks.some(({ id, state }) => id === made.task && state === 'succeeded'));
    assert.match((await salvor('status')).out, /^Safe {5}1 of 2 sites has a complete point, of /);
  });

  test('what is not there is a coded error of its own', async () => {
    for (const [code, ...args] of [
      ['site-unknown', 'backup', 'none.example.org'],
      ['point-unknown', 'ls', 'ffffffffffff'],
      ['task-unknown', 'undo', '000000000000', '--yes'],
    ] as const) {
      assert.equal((await document(ErrorDocument, 1, args)).error.code, code);
    }
  });

  test('a key that others can read is not used', async () => {
    const key = join(room, 'state/keys', host.account.name);
    chmodSync(key, 0o644);
    assert.equal((await document(ErrorDocument, 1, ['points', site.uri])).error.code, 'key-unreadable');
    const status = await document(StatusDocument, 3, ['status']);
    assert.equal(status.repositories[0]?.state, 'failed');
    chmodSync(key, 0o600);
  });

  test('the repo verbs open an account’s repository by its name', async () => {
    const listed = await salvor('repo', 'snapshots', '--repo', 'local', '--account', host.account.name);
    assert.equal(listed.exit, 0, listed.err);
    assert.match(listed.out, new RegExp(`site:${site.uri}`));
  });
});

/** Everything below the site's directory, with sizes and times. */
function inventory(): readonly string[] {
  return readdirSync(site.path, { recursive: true, encoding: 'utf8' })
    .toSorted()
    .map((name) => {
      const { size, mtimeMs, mode, ino } = statSync(join(site.path, name), { throwIfNoEntry: false }) ?? {
        size: 0,
        mtimeMs: 0,
        mode: 0,
        ino: 0,
      };
      return `${name} ${size} ${mtimeMs} ${mode} ${ino}`;
    });
}

describe('restore and undo', { concurrency: 1 }, () => {
  let task: string;

  before(async () => {
    await salvor('init', '--home', host.home, '--state', join(room, 'state'), '--local', join(room, 'repositories'));
    await document(BackupDocument, 0, ['backup', site.uri]);
    rmSync(join(site.path, 'files'), { recursive: true });
    mkdirSync(join(site.path, 'files'));
  });

  test('with --dry-run shows the plan and changes nothing', async () => {
    const before = inventory();
    const { plan, task: none } = await document(RestoreDocument, 0, ['restore', site.uri, '--dry-run']);
    assert.equal(none, null);
    assert.ok((plan.files?.new ?? 0) > 0);
    const people = await salvor('restore', site.uri, '--dry-run');
    assert.match(people.out, /files +\d+ new, /);
    assert.match(people.out, /Nothing was changed/);
    assert.deepEqual(inventory(), before);
  });

  test('that is answered with anything but yes changes nothing', async () => {
    const before = inventory();
    for (const answer of ['n\n', '\n', 'yesterday\n', '']) {
      const ran = await askedWith(answer);
      assert.equal(ran.exit, 1);
      assert.match(ran.err, /files +\d+ new[^]*Restore .* now\? \[y\/N\]/);
      assert.match(ran.err, /\(cancelled\)/);
    }
    assert.deepEqual(inventory(), before);
  });

  test('that is answered with yes brings the files back', async () => {
    const ran = await askedWith('y\n');
    assert.equal(ran.exit, 0, ran.err);
    assert.match(ran.out, /^Restored [^]*salvor undo /);
    assert.ok(readdirSync(join(site.path, 'files')).length > 0);
  });

  test('with --yes asks nothing, and names the task that undo takes', async () => {
    const restored = await document(RestoreDocument, 0, ['restore', site.uri, '--only', 'files', '--yes']);
    assert.ok(restored.task !== null && restored.safetyPoint !== null && restored.undoUntil !== null);
    task = restored.task;
    const points = await document(PointsDocument, 0, ['points', site.uri]);
    assert.ok(points.some(({ id, safety }) => id === restored.safetyPoint && safety));
  });

  test('undo and confirm show what they would do, and undo shows it before it asks', async () => {
    const before = inventory();
    const plan = /: as before task \w+ \(restore\) of [^\n]*\n {2}replaced +\/[^]* until +\d{4}-/;
    const dry = await salvor('undo', task, '--dry-run');
    assert.equal(dry.exit, 0);
    assert.match(dry.out, plan);
    assert.match(dry.out, /Nothing was changed \(--dry-run\)/);
    const asked = await askedWith('n\n', ['undo', task]);
    assert.equal(asked.exit, 1);
    assert.match(asked.err, plan);
    const dropped = await salvor('confirm', task, '--dry-run');
    assert.match(
      dropped.out,
      /would keep nothing any more:\n {2}dropped +\/[^\n]*: \d+ files?, [^\n]*\n {2}unpinned +point /,
    );
    assert.deepEqual(inventory(), before);
  });

  test('undo switches back once, and says so when there is nothing left to undo', async () => {
    assert.equal((await document(UndoDocument, 0, ['undo', task, '--yes'])).state, 'succeeded');
    assert.equal((await document(ErrorDocument, 1, ['undo', task, '--yes'])).error.code, 'nothing-to-undo');
  });

  test('tasks lists them newest first, of one site and state where that is asked for', async () => {
    const all = await document(TasksDocument, 0, ['tasks']);
    assert.deepEqual(
      all.map(({ id }) => id),
      all.map(({ id }) => id).toSorted((a, b) => (a < b ? 1 : -1)),
    );
    assert.deepEqual([all[0]?.operation, all[0]?.state, all[0]?.uri], ['undo', 'succeeded', site.uri]);
    const filters = ['--site', `${host.account.name}/${site.uri}`, '--state', 'succeeded', 'warned', '--limit', '2'];
    assert.deepEqual(await document(TasksDocument, 0, ['tasks', ...filters]), all.slice(0, 2));
    assert.deepEqual(await document(TasksDocument, 0, ['tasks', '--site', 'none.example.org']), []);
    assert.match((await salvor('tasks')).out, /^TASK +WANTED +OPERATION +SITE +STATE +TOOK\n/);
    for (const wrong of [
      ['--state', 'lost'],
      ['--limit', '0'],
    ])
      assert.equal((await document(ErrorDocument, 2, ['tasks', ...wrong])).error.code, 'usage');
  });

  test('task log shows what a task has said, step by step, and task cancel that it has ended', async () => {
    const shown = await document(TaskLogDocument, 0, ['task', 'log', task, '--follow']);
    assert.equal(shown.task.id, task);
    const texts = shown.lines.map(({ text }) => text);
    assert.ok(
      texts.includes('switch: begins') && texts.some((text) => text.startsWith('keep: done after ')),
      texts.join('\n'),
    );
    const people = await salvor('task', 'log', task);
    assert.match(people.out, /^restore of [^\n]*\n\d\d:\d\d:\d\d  plan: done after [^]*\nsucceeded after \d/);
    assert.equal((await document(ErrorDocument, 1, ['task', 'cancel', task])).error.code, 'task-ended');
    assert.equal((await document(ErrorDocument, 1, ['task', 'log', '000000000000'])).error.code, 'task-unknown');
  });

  test('confirm drops what a task keeps and ends the pin of its safety point, once', async () => {
    const restored = await document(RestoreDocument, 0, ['restore', site.uri, '--only', 'files', '--yes']);
    const id = restored.task ?? '';
    const confirmed = await document(ConfirmDocument, 0, ['confirm', id]);
    assert.deepEqual([confirmed.safetyPoint, confirmed.isDropped], [restored.safetyPoint, true]);
    assert.equal((await document(ErrorDocument, 1, ['undo', id, '--yes'])).error.code, 'nothing-to-undo');
    assert.equal((await document(ErrorDocument, 1, ['confirm', id])).error.code, 'nothing-to-confirm');
    // The point is still there, and restic's own tools may forget it now.
    assert.ok(
      (await document(PointsDocument, 0, ['points', site.uri])).some(({ id: it }) => it === restored.safetyPoint),
    );
    const listed = await salvor('repo', 'snapshots', '--repo', 'local', '--account', host.account.name, '--json');
    const { snapshots } = RepoSnapshotsDocument.parse(JSON.parse(listed.out));
    const tags = snapshots.find(({ tags: some }) => some.includes(`point:${restored.safetyPoint}`))?.tags;
    assert.equal(tags?.includes('salvor-pin'), false);
  });

  test('of a table that the point has not is refused with a code', async () => {
    const args = ['restore', site.uri, '--table', 'none', '--dry-run'];
    assert.equal((await document(ErrorDocument, 1, args)).error.code, 'table-unknown');
  });

  test('of a site whose settings are broken goes by those of the point', async () => {
    const settings = join(site.path, 'settings.php');
    const text = readFileSync(settings);
    for (const name of ['settings.php', 'drushrc.php']) rmSync(join(site.path, name), { force: true });
    writeFileSync(settings, '<?php // nothing');
    const { exit, out, err } = await salvor('restore', site.uri, '--yes', '--json');
    // The safety point says that it could not read the broken settings, and so has no database: a problem that is named.
    assert.ok(exit === 0 || exit === 3, err);
    assert.deepEqual(readFileSync(settings), text);
    assert.ok((RestoreDocument.parse(JSON.parse(out)).plan.tables?.restored ?? 0) > 0);
  });

  test('with --to writes into a directory and needs no consent', async () => {
    const target = join(room, 'yesterday');
    const before = inventory();
    const { plan, safetyPoint } = await document(RestoreDocument, 0, ['restore', site.uri, '--to', target]);
    assert.deepEqual([plan.target, safetyPoint], [target, null]);
    assert.ok(readdirSync(target).includes('site'));
    assert.deepEqual(inventory(), before);
    const { error } = await document(ErrorDocument, 1, ['restore', site.uri, '--to', target]);
    assert.equal(error.code, 'target-not-empty');
  });
});

/** `salvor restore SITE` on a terminal where somebody types this. */
async function askedWith(answer: string, args: readonly string[] = ['restore', site.uri]): Promise<Ran> {
  const stdin = new PassThrough();
  const stderr = new PassThrough();
  let err = '';
  stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
    if (chunk.toString().includes('[y/N]')) stdin.end(answer);
  });
  const terminal: Partial<Terminal> = { stdin, stderr, canAsk: true };
  const ran = await runCli([...args, '--config', config], { terminal });
  if (!stderr.writableFinished) await once(stderr.end(), 'finish');
  return { ...ran, err };
}
