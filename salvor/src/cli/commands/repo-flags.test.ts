/** Flags that restic has, beside stock restic: the same files, to the byte of each listing. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import {
  ErrorDocument,
  LsDocument,
  RepoBackupDocument,
  RepoForgetDocument,
  RepoSnapshotsDocument,
} from '@salvor/contract';
import { generateKey, initRepository, openLocalStorage } from '@salvor/engine';
import { runCli } from '../../../test/cli/run-cli.ts';
import type { Ran } from '../../../test/cli/run-cli.ts';

const room = mkdtempSync(join(tmpdir(), 'salvor-flags-'));
const [tree, repository, password] = [join(room, 'tree'), join(room, 'repository'), join(room, 'password')];
const mounted = join(tree, 'home/me/mounted');
const named = ['-r', repository, '-p', password];

before(async () => {
  // Relative paths, as others change the times of the directories above.
  process.chdir(room);
  // A key of this kind costs no half second of scrypt.
  const key = generateKey();
  writeFileSync(password, key);
  await initRepository(openLocalStorage(repository), { kind: 'key', text: key });
  for (const directory of ['home/me/cache/deep', 'home/me/Docs', 'home/me/mounted', 'etc/keep'])
    mkdirSync(join(tree, directory), { recursive: true });
  for (const [name, text] of Object.entries({
    'home/me/a.tmp': 'a',
    'home/me/b.TXT': 'b',
    'home/me/!odd': 'odd',
    'home/me/Docs/c.txt': 'c',
    'home/me/big': 'big'.repeat(2000),
    'home/me/cache/CACHEDIR.TAG': 'Signature: 8a477f597d28d172789f06886806bc55\nof a cache\n',
    'home/me/cache/q': 'q',
    'home/me/cache/deep/z': 'z',
    'etc/.nobackup': '',
    'etc/x': 'x',
    'etc/keep/y': 'y',
  }))
    writeFileSync(join(tree, name), text);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', mounted]);
  mkdirSync(join(mounted, 'below'));
  writeFileSync(join(mounted, 'below/in'), 'in');
});
after(() => {
  execFileSync('umount', [mounted]);
  rmSync(room, { recursive: true, force: true });
});

const repo = async (...args: readonly string[]): Promise<Ran> => runCli(['repo', ...args, ...named]);

function restic(...args: readonly string[]): string {
  return execFileSync('restic', ['--no-cache', '--quiet', ...named, ...args], {
    encoding: 'utf8',
    cwd: room,
    env: { PATH: process.env['PATH'], TZ: 'UTC', FOO: 'me' },
  });
}

const newestTree = (): string => {
  const snapshots = JSON.parse(restic('snapshots', '--json')) as { time: string; tree: string }[];
  return snapshots.toSorted((a, b) => Date.parse(a.time) - Date.parse(b.time)).at(-1)?.tree ?? '';
};

describe('repo backup leaves out what restic leaves out:', () => {
  const list = join(room, 'list');
  writeFileSync(list, '# a comment\n\n  *.tmp  \n$FOO/Docs\n$$x\n');
  for (const flags of [
    ['-e', '*.tmp', '--exclude', join(tree, 'home/me/Docs')],
    ['-e', 'me/*', '-e', '!Docs', '-e', 'c.*'],
    ['--iexclude', '*.txt', '-e', 'home/**/z'],
    ['--exclude-file', list, '--exclude-larger-than', '4k'],
    ['--exclude-caches', '--exclude-if-present', '.nobackup'],
    ['--exclude-if-present', 'q:not so', '--iexclude-file', list, '-x'],
    ['tree/etc', '-e', 'etc'],
  ]) {
    it(flags.map((flag) => flag.replace(room, '…')).join(' '), async () => {
      restic('backup', '--force', 'tree', ...flags);
      const theirs = newestTree();
      const { exit, out, err } = await runCli(['repo', 'backup', '--force', 'tree', ...flags, ...named, '--json'], {
        environment: { variable: (name) => (name === 'FOO' ? 'me' : '') },
      });
      assert.equal(exit, 0, out + err);
      assert.equal(RepoBackupDocument.parse(JSON.parse(out)).tree, theirs);
    });
  }

  it('and makes no snapshot of nothing, as restic makes none', async () => {
    assert.throws(() => restic('backup', '--stdin-filename', 'x', join(tree, 'nothing')));
    const empty = await runCli(['repo', 'backup', '.', '-e', process.cwd(), ...named, '--json']);
    assert.deepEqual([empty.exit, ErrorDocument.parse(JSON.parse(empty.out)).error.code], [1, 'source-empty']);
    const wrong = await runCli(['repo', 'backup', tree, '-e', '[a', ...named, '--json']);
    assert.equal(ErrorDocument.parse(JSON.parse(wrong.out)).error.code, 'pattern-invalid');
  });
});

describe('repo restore chooses what restic chooses:', () => {
  before(() => restic('backup', 'tree'));
  const names = (directory: string): readonly string[] =>
    readdirSync(directory, { recursive: true, encoding: 'utf8' }).toSorted();
  let count = 0;
  for (const flags of [
    ['-i', '*.tmp', '-i', 'etc/keep'],
    ['-i', '/tree/home/me/cache'],
    ['--iinclude', '*.TXT'],
    ['-e', '*.tmp', '--iexclude', 'DOCS'],
  ]) {
    it(flags.map((flag) => flag.replace(room, '…')).join(' '), async () => {
      const [theirs, ours] = [join(room, `out-${++count}`), join(room, `out-${++count}`)];
      restic('restore', 'latest', '--path', tree, '--target', theirs, ...flags);
      const { exit, err } = await repo('restore', 'latest', '--path', tree, '-t', ours, ...flags);
      assert.equal(exit, 0, err);
      assert.ok(names(ours).length >= 4);
      assert.deepEqual(names(ours), names(theirs));
    });
  }

  it('from a place that is read-only with --no-lock alone', async () => {
    const place = join(room, 'read-only');
    mkdirSync(place);
    execFileSync('mount', ['--bind', repository, place]);
    try {
      execFileSync('mount', ['-o', 'remount,ro,bind', place]);
      const args = ['repo', 'restore', 'latest', '-r', place, '-p', password, '--json', '-t'];
      const locked = await runCli([...args, join(room, 'locked')]);
      assert.equal(ErrorDocument.parse(JSON.parse(locked.out)).error.code, 'storage-refused');
      assert.equal((await runCli([...args, join(room, 'lockless'), '--no-lock'])).exit, 0);
      assert.ok(names(join(room, 'lockless')).length > 0);
    } finally {
      execFileSync('umount', [place]);
    }
  });

  it('never both included and excluded', async () => {
    const { exit, err } = await repo('restore', 'latest', '-t', join(room, 'no'), '-i', 'a', '-e', 'b');
    assert.equal(exit, 2);
    assert.match(err, /can not be used together/);
  });
});

describe('repo ls', () => {
  it('lists what restic lists, of everything, of a directory, and of all below one', async () => {
    for (const args of [[], ['/tree/home'], ['/tree/home', '--recursive'], ['/tree/etc/x']]) {
      const { out, err } = await repo('ls', 'latest', '--path', tree, ...args);
      assert.equal(out, restic('ls', 'latest', '--path', tree, ...args), err);
    }
    const long = await repo('ls', '-l', 'latest', '--path', tree, '/tree/etc/x');
    assert.match(long.out, /^-rw-r--r-- +0 +0 +1 \d{4}-\d\d-\d\d [\d:]+ \/tree\/etc\/x\n$/);
    const document = LsDocument.parse(
      JSON.parse((await repo('ls', 'latest', '--path', tree, '--json', '/tree/etc', '--recursive')).out),
    );
    assert.deepEqual(
      document.map(({ path }) => path),
      ['/tree/etc', '/tree/etc/.nobackup', '/tree/etc/keep', '/tree/etc/keep/y', '/tree/etc/x'],
    );
    assert.equal((await repo('ls', 'latest', '/nowhere', '--json')).exit, 1);
  });
});

describe('repo backup of what comes in, and of lists', () => {
  it('makes one file of it, at its time and with its tags, which only flags for latest find', async () => {
    const stdin = new PassThrough();
    stdin.end('a dump');
    const stored = await runCli(
      [
        'repo',
        'backup',
        '--stdin',
        '--stdin-filename',
        'db/shop.sql',
        '--tag',
        'a,b',
        '--time',
        '2026-01-02',
        ...named,
      ],
      { terminal: { stdin } },
    );
    assert.equal(stored.exit, 0, stored.err);
    assert.equal((await repo('dump', 'latest', '/db/shop.sql', '--tag', 'b,a')).out, 'a dump');
    assert.equal(restic('dump', '--tag', 'a', 'latest', '/db/shop.sql'), 'a dump');
    const { out } = await repo('snapshots', '--path', '/db/shop.sql', '--latest', '1', '--json');
    const { snapshots } = RepoSnapshotsDocument.parse(JSON.parse(out));
    assert.deepEqual(
      snapshots.map(({ tags, time }) => [tags, new Date(time).getFullYear()]),
      [[['a', 'b'], 2026]],
    );
    const none = await repo('dump', 'latest', '/db/shop.sql', '--host', 'nobody', '--json');
    assert.equal(ErrorDocument.parse(JSON.parse(none.out)).error.code, 'snapshot-unknown');
  });

  it('takes the paths of lists, patterns among them, as restic does', async () => {
    const [patterns, verbatim, raw] = [join(room, 'patterns'), join(room, 'verbatim'), join(room, 'raw')];
    writeFileSync(patterns, `# a comment\ntree/et*\n`);
    writeFileSync(verbatim, 'tree/home/me/!odd\n');
    writeFileSync(raw, 'tree/home/me/big\0');
    const flags = ['--files-from', patterns, '--files-from-verbatim', verbatim, '--files-from-raw', raw];
    restic('backup', '--force', ...flags);
    const theirs = newestTree();
    const { out, err } = await runCli(['repo', 'backup', '--force', ...flags, '--json'], {
      environment: { repository, passwordFile: password },
    });
    assert.equal(RepoBackupDocument.parse(JSON.parse(out)).tree, theirs, err);
  });

  it('tells of a repository that is named nowhere', async () => {
    const { exit, err } = await runCli(['repo', 'snapshots', '-p', password]);
    assert.equal(exit, 2);
    assert.match(err, /RESTIC_REPOSITORY/);
  });
});

describe('repo forget --prune', () => {
  it('removes snapshots and then what they alone held, and restic finds the rest whole', async () => {
    const { out, err } = await repo('forget', '--keep-last', '1', '--group-by', '', '--prune', '--yes', '--json');
    const document = RepoForgetDocument.parse(JSON.parse(out));
    assert.ok(document.removed.length > 5, err);
    assert.ok((document.pruned?.packs.removed ?? 0) > 0);
    assert.match(restic('check', '--read-data'), /^(?:no errors were found\n)?$/);
    assert.equal((JSON.parse(restic('snapshots', '--json')) as unknown[]).length, 1);
  });
});
