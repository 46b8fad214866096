import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { observeTree } from '../../../demo/observe-site.ts';
import { SalvorError } from '../errors.ts';
import { MANIFEST_NAME, parseAbout, parseArchiveManifest } from './archive-manifest.ts';
import { archiveNames, parseArchiveName } from './archive-name.ts';
import type { ArchiveSink } from './archive-sink.ts';
import type { ArchiveSource } from './archive-source.ts';
import { isUnfinishedArchive } from './unfinished.ts';
import { nameFault } from './name-fault.ts';
import { ArchiveFault } from './tar/archive-fault.ts';
import { PASSWORD, TIME, databaseOf, makeTestSite, sourceOf, writeTestArchive } from './test-archive.ts';
import { judge } from './tar/test-tar.ts';

const NAME = 'example.com-20261126.010203';

/** As Aegir unpacks one. */
function unpack(archive: string, into: string, cat = 'gunzip -c'): void {
  mkdirSync(into);
  execFileSync('sh', ['-c', `${cat} "$1" | tar pxf - -C "$2"`, 'sh', archive, into]);
}

describe('an archive', () => {
  test('unpacked by gunzip and tar is the site, with its dump, its drushrc.php and no password', async () => {
    using made = makeTestSite();
    const written = await writeTestArchive(made);
    const file = join(made.out, `${NAME}.tar.gz`);
    const stat = lstatSync(file);
    assert.deepEqual(
      [written.name, written.bytes, stat.mode & 0o777, stat.uid, stat.gid],
      [`${NAME}.tar.gz`, stat.size, 0o640, 1001, 33],
    );
    assert.equal(written.sha256, judge('sha256sum', [file]).toString().slice(0, 64));
    assert.deepEqual(written.problems, []);
    const into = join(made.top, 'unpacked');
    unpack(file, into);

    assert.equal(readFileSync(join(into, 'database.sql'), 'utf8').slice(0, 9), '-- a dump');
    assert.equal(lstatSync(join(into, 'database.sql')).mode & 0o777, 0o600);
    for (const name of ['settings.php', 'drushrc.php'])
      assert.match(readFileSync(join(into, name), 'utf8'), /'password-removed-by-salvor'/);
    const [before, after] = [observeTree(made.site), observeTree(into)];
    const own = ['database.sql', '.salvor-archive.json', '.salvor-sha256', '.salvor-manifest.json'];
    assert.deepEqual([...after.keys()].filter((name) => !before.has(name)).toSorted(), own.toSorted());
    for (const [name, was] of before) {
      const is = after.get(name);
      if (name === 'settings.php' || name === 'drushrc.php')
        assert.deepEqual({ ...is, content: '' }, { ...was, content: '' });
      else if (name !== '.') assert.deepEqual(is, was, name);
    }
    assert.equal(lstatSync(join(into, 'files/same.png')).ino, lstatSync(join(into, 'files/picture.png')).ino);
    judge('sh', ['-c', `cd '${into}' && LC_ALL=C sha256sum --quiet -c .salvor-sha256`]);
    const tar = judge('gunzip', ['-c', file]);
    for (const needle of [PASSWORD, encodeURIComponent(PASSWORD)]) assert.equal(tar.includes(needle), false);
  });

  test('says in front what it is of and at the end what it holds', async () => {
    using made = makeTestSite();
    const { manifest } = await writeTestArchive(made, { excludes: ['files/css'], passwords: 'left-out' });
    const names = judge('tar', ['-tzf', join(made.out, `${NAME}.tar.gz`)])
      .toString()
      .split('\n')
      .slice(0, -1);
    assert.deepEqual(names.slice(0, 3), ['./', './.salvor-archive.json', './database.sql']);
    assert.deepEqual(names.slice(-2), ['./.salvor-sha256', './.salvor-manifest.json']);
    assert.ok(names.includes('./files/css/') && !names.includes('./files/css/css_1.css'));
    const into = join(made.top, 'unpacked');
    unpack(join(made.out, `${NAME}.tar.gz`), into);
    assert.deepEqual(parseArchiveManifest(readFileSync(join(into, MANIFEST_NAME))), manifest);
    assert.deepEqual(parseAbout(readFileSync(join(into, '.salvor-archive.json'))), manifest.about);
    assert.match(readFileSync(join(into, 'settings.php'), 'utf8'), /'password' => '',/);
    assert.deepEqual(manifest.files, {
      count: 8,
      bytes: manifest.files.bytes,
      directories: 6,
      symlinks: 2,
      hardlinks: 1,
    });
    assert.deepEqual(manifest.links, {
      out: [{ path: 'outside', target: '/data/disk/o1/static/files/example.com.files' }],
      more: 0,
    });
    assert.deepEqual(manifest.modules, [
      { name: 'system', version: '7.98', schema: 7084, enabled: true },
      { name: 'views', version: '7.x-3.25', schema: 7301, enabled: false },
    ]);
    assert.deepEqual(manifest.stripped, [
      { path: 'drushrc.php', places: 1 },
      { path: 'settings.php', places: 1 },
    ]);
    assert.deepEqual(manifest.about.excludes, ['files/css']);
    assert.deepEqual(manifest.about.databases[0]?.member, 'database.sql');
    assert.equal(manifest.dumps[0]?.bytes, manifest.about.databases[0]?.bytes);
  });

  for (const [compression, suffix, cat] of [
    ['none', '.tar', 'cat'],
    ['bzip2', '.tar.bz2', 'bunzip2 -c'],
    ['zstd', '.tar.zst', 'zstd -dcq'],
  ] as const) {
    test(`is written as ${suffix} too`, async () => {
      using made = makeTestSite();
      await writeTestArchive(made, { compression });
      unpack(join(made.out, NAME + suffix), join(made.top, 'unpacked'), cat);
      assert.equal(observeTree(join(made.top, 'unpacked')).size, observeTree(made.site).size + 4);
    });
  }

  test('never replaces another of the same second, and is the same bytes each time', async () => {
    using made = makeTestSite();
    const [first, second, third] = [
      await writeTestArchive(made),
      await writeTestArchive(made),
      await writeTestArchive(made),
    ];
    assert.deepEqual([first.name, second.name, third.name], [`${NAME}.tar.gz`, `${NAME}_1.tar.gz`, `${NAME}_2.tar.gz`]);
    assert.deepEqual([second.sha256, third.sha256], [first.sha256, first.sha256]);
    await assert.rejects(writeTestArchive(made, { names: [`${NAME}_1.tar.gz`] }), { code: 'archive-exists' });
    assert.equal(readdirSync(made.out).length, 3);
  });

  test('of a site without drushrc.php gets one, without a password', async () => {
    using made = makeTestSite();
    execFileSync('rm', [join(made.site, 'drushrc.php')]);
    await writeTestArchive(made);
    unpack(join(made.out, `${NAME}.tar.gz`), join(made.top, 'unpacked'));
    const program = `$options = []; include $argv[1]; echo json_encode([$options, $_SERVER['db_passwd']]);`;
    const read = judge('php', ['-n', '-r', program, join(made.top, 'unpacked/drushrc.php')]).toString();
    const password = 'password-removed-by-salvor';
    assert.deepEqual(JSON.parse(read), [
      { uri: 'example.com', db_name: 'example', db_user: 'example', db_passwd: password },
      password,
    ]);
  });

  test('of a site with two databases has a dump of each', async () => {
    using made = makeTestSite();
    const databases = [databaseOf('example'), databaseOf('old/data', 'the other\n-- dump')];
    await writeTestArchive(made, {}, sourceOf(made.site, databases));
    unpack(join(made.out, `${NAME}.tar.gz`), join(made.top, 'unpacked'));
    assert.equal(readFileSync(join(made.top, 'unpacked/database-old%2Fdata.sql'), 'utf8'), 'the other\n-- dump');
  });

  test('leaves out and names what it can’t hold: special files, names of its own, settings that keep their secret', async () => {
    using made = makeTestSite();
    execFileSync('mkfifo', [join(made.site, 'files/pipe')]);
    writeFileSync(join(made.site, 'database.sql'), 'left over');
    writeFileSync(join(made.site, '.salvor-manifest.json'), 'of an archive that was unpacked here');
    writeFileSync(join(made.site, 'settings.local.php'), `<?php $databases = 'not PHP' 1;`);
    writeFileSync(join(made.site, 'notes.txt'), `The password is ${PASSWORD}`);
    const { problems, manifest } = await writeTestArchive(made);
    assert.deepEqual(
      problems.map(({ code, path }) => `${code} ${path}`),
      [
        'archive-name-taken database.sql',
        'special-file-left-out files/pipe',
        'password-elsewhere notes.txt',
        'settings-left-out settings.local.php',
      ],
    );
    assert.equal(manifest.problems.length, 4);
  });

  test('of a file that grows or shrinks while it is read is whole, and the second is named', async () => {
    using made = makeTestSite();
    const grows = join(made.site, 'files/picture.png');
    const shrinks = join(made.site, 'private/files/papers.txt');
    const source = sourceOf(made.site);
    const changing = {
      ...source,
      entries: async function* () {
        for await (const entry of source.entries()) {
          if (entry.path === 'files/picture.png') appendFileSync(grows, 'more');
          if (entry.path === 'private/files/papers.txt') truncateSync(shrinks, 100);
          yield entry;
        }
      },
    };
    const { problems } = await writeTestArchive(made, {}, changing);
    assert.deepEqual(
      problems.map(({ code, path }) => `${code} ${path}`),
      ['file-shrank private/files/papers.txt'],
    );
    unpack(join(made.out, `${NAME}.tar.gz`), join(made.top, 'unpacked'));
    assert.equal(lstatSync(join(made.top, 'unpacked/files/picture.png')).size, 200_000);
  });
});

describe('nothing is left of an archive', () => {
  type Fault = (sink: ArchiveSink) => ArchiveSink;
  const around = (change: Partial<ArchiveSink>, sink: ArchiveSink): ArchiveSink => ({
    get descriptor() {
      return sink.descriptor;
    },
    write: (bytes) => sink.write(bytes),
    sync: () => sink.sync(),
    publish: (name) => sink.publish(name),
    [Symbol.asyncDispose]: () => sink[Symbol.asyncDispose](),
    ...change,
  });
  const changed =
    (change: (bytes: Uint8Array) => Uint8Array): Fault =>
    (sink) =>
      around({ write: (bytes) => sink.write(change(Uint8Array.from(bytes))) }, sink);
  const flip = (bytes: Uint8Array, at: number): Uint8Array => bytes.with(at, (bytes[at] ?? 0) ^ 1);
  /** What was written, and read back meanwhile, is cut off before it is durable. */
  const cutOff =
    (left: (bytes: number) => number): Fault =>
    (sink) =>
      around(
        {
          sync: async () => {
            const file = sink.descriptor ?? -1;
            truncateSync(`/proc/self/fd/${file}`, left(fstatSync(file).size));
            await sink.sync();
          },
        },
        sink,
      );

  const faults: readonly (readonly [string, Fault, object])[] = [
    [
      'whose disk gives other bytes than were written',
      changed((bytes) => (bytes.length > 100 ? flip(bytes, bytes.length >> 1) : bytes)),
      { code: 'archive-differs' },
    ],
    ['whose disk lost its end', cutOff((bytes) => bytes - 9), { code: 'archive-differs' }],
    ['whose disk lost half of it', cutOff((bytes) => bytes >> 1), { code: 'archive-differs' }],
    [
      'that fills the disk',
      (sink) =>
        around({ write: async () => Promise.reject(Object.assign(new Error('full'), { code: 'ENOSPC' })) }, sink),
      { code: 'ENOSPC' },
    ],
    [
      'that can’t be made durable',
      (sink) =>
        around({ sync: async () => Promise.reject(Object.assign(new Error('bad disk'), { code: 'EIO' })) }, sink),
      { code: 'EIO' },
    ],
  ];
  for (const [what, fault, expected] of faults) {
    test(what, async () => {
      using made = makeTestSite();
      await assert.rejects(writeTestArchive(made, { compression: 'gzip' }, sourceOf(made.site), fault), expected);
      assert.deepEqual([readdirSync(made.out), readdirSync(made.scratch)], [[], []]);
    });
  }

  test('without compression whose content was changed on the disk', async () => {
    using made = makeTestSite();
    const fault = changed((bytes) => (bytes.length > 100_000 ? flip(bytes, 100_000) : bytes));
    await assert.rejects(writeTestArchive(made, { compression: 'none' }, sourceOf(made.site), fault), {
      code: 'archive-differs',
    });
    assert.deepEqual(readdirSync(made.out), []);
  });

  test('of a file that has another check sum than its source said; one that comes in pieces is summed anew', async () => {
    using made = makeTestSite();
    const source = sourceOf(made.site);
    const named = (open: (bytes: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>): ArchiveSource => ({
      ...source,
      entries: async function* () {
        for await (const entry of source.entries())
          yield entry.path === 'files/picture.png'
            ? { ...entry, sha256: 'f'.repeat(64), open: () => open(entry.open()) }
            : entry;
      },
    });
    const whole = named((bytes) => bytes);
    await assert.rejects(writeTestArchive(made, {}, whole), { code: 'archive-differs' });
    assert.deepEqual(readdirSync(made.out), []);
    const halves = named(async function* (bytes) {
      for await (const piece of bytes) {
        yield piece.subarray(0, 1000);
        yield piece.subarray(1000);
      }
    });
    await writeTestArchive(made, {}, halves);
    judge('tar', ['-tzf', join(made.out, `${NAME}.tar.gz`)]);
  });

  test('whose dump is not as long as was said', async () => {
    using made = makeTestSite();
    for (const more of [-1, 1]) {
      const database = databaseOf('example');
      const source = sourceOf(made.site, [{ ...database, bytes: database.bytes + more }]);
      await assert.rejects(writeTestArchive(made, {}, source), { code: 'archive-differs' });
    }
    assert.deepEqual(readdirSync(made.out), []);
  });

  test('that is cancelled; and what a killed process leaves is known by its name', async () => {
    using made = makeTestSite();
    const controller = new AbortController();
    const source = sourceOf(made.site);
    let seen: string[] = [];
    const entries = async function* (): ReturnType<typeof source.entries> extends AsyncIterable<infer Entry>
      ? AsyncGenerator<Entry>
      : never {
      for await (const entry of source.entries()) {
        if (entry.path === 'modules') {
          seen = readdirSync(made.out);
          controller.abort(new SalvorError('cancelled'));
        }
        yield entry;
      }
    };
    await assert.rejects(writeTestArchive(made, {}, { ...source, entries }, undefined, controller.signal), {
      code: 'cancelled',
    });
    assert.deepEqual([seen.length, seen.every(isUnfinishedArchive)], [1, true]);
    assert.equal(lstatSync(made.out).isDirectory(), true);
    assert.deepEqual(readdirSync(made.out), []);
  });
});

describe('the name of an archive', () => {
  test('is Aegir’s, by the clock of a zone, and read back as site, time and number', () => {
    const names = archiveNames('www.example.com', TIME, 'gzip', 'Europe/Oslo');
    assert.deepEqual([...names].slice(0, 2), [
      'www.example.com-20261126.020203.tar.gz',
      'www.example.com-20261126.020203_1.tar.gz',
    ]);
    for (const suffix of ['.tar.gz', '.tgz', '.tar.bz2', '.tar', '.tar.zst', '']) {
      const parsed = parseArchiveName(`www.example.com-20261126.020203_12${suffix}`, 'Europe/Oslo');
      assert.deepEqual(parsed, { uri: 'www.example.com', time: new Date('2026-11-26T01:02:03Z'), number: 12 });
    }
    assert.equal(parseArchiveName('a-b-20261126.020203.tar.gz')?.uri, 'a-b');
    for (const name of [
      'example.com.tar.gz',
      'example.com-20261326.010203.tar.gz',
      'example.com-20261126.010203.sql',
      '-20261126.010203.tar',
    ])
      assert.equal(parseArchiveName(name), null, name);
  });

  test('is refused for what is no name of a site', () => {
    for (const uri of ['', '../x', 'a/b', '-rf', 'a b', 'a\nb'])
      assert.throws(() => [...archiveNames(uri, TIME, 'none')], { code: 'archive-name-refused' }, uri);
  });
});

test('what is wrong with an archive has a code', () => {
  const codes = (['damaged', 'hostile', 'too-large', 'unsupported'] as const).map(
    (kind) => (nameFault(new ArchiveFault(kind, 'so'), 'a.tar') as SalvorError).code,
  );
  assert.deepEqual(codes, ['archive-damaged', 'archive-hostile', 'archive-too-large', 'archive-unsupported']);
  const other = new Error('other');
  assert.equal(nameFault(other, 'a.tar'), other);
});
