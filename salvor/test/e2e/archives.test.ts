/** Archives of real points: what Aegir's own commands make of them is the site. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  BackupDeleteDocument,
  BackupDocument,
  DeleteDocument,
  ErrorDocument,
  ExportDocument,
  IdentityDocument,
  PointsDocument,
  RestoreDocument,
} from '@salvor/contract';
import type { DemoSite } from '../../../demo/host.ts';
import { differences, observeSite, observeTree } from '../../../demo/observe-site.ts';
import { quoteName } from '../../../demo/sql.ts';
import { type ArchiveManifest, MANIFEST_NAME, parseArchiveManifest } from '../../src/archives/archive-manifest.ts';
import { salvorPlaces } from '../../../demo/salvor-command.ts';
import { IDLE_DRUSH, addPlatform } from '../fault/kill-sites.ts';
import { SALVOR } from '../cli/run-cli.ts';
import { inOwnMounts } from '../own-mounts.ts';
import { type TestHost, lookAt, openTestHost } from './open-test-host.ts';

describe('an archive of a point', () => {
  let test: TestHost;
  let out: string;

  before(async () => {
    test = await openTestHost({ archives: true, posts: 6, nodes: 30, files: 20 });
    out = join(test.host.directory, 'out');
    mkdirSync(out);
    const extension =
      'a:3:{s:6:"module";a:2:{s:9:"module_03";i:0;s:4:"node";i:0;}s:5:"theme";a:0:{}s:7:"profile";s:8:"standard";}';
    const database = quoteName(test.host.site('market.example.org').database);
    await test.host.mariadb.query(
      `INSERT INTO ${database}.config VALUES ('', 'core.extension', '${extension}');
       UPDATE ${database}.key_value SET value = 'i:9301;' WHERE name = 'module_03'`,
    );
  });
  after(() => test[Symbol.asyncDispose]());

  /** A fresh backup, and the archive that it wrote. */
  async function archive(site: DemoSite): Promise<{ path: string; manifest: ArchiveManifest }> {
    const made = await test.backUp(site);
    const path = made.archive?.path ?? '';
    assert.equal(dirname(path), join(test.host.home, 'backups'));
    assert.match(basename(path), new RegExp(`^${site.uri}-\\d{8}\\.\\d{6}(_\\d+)?\\.tar\\.gz$`));
    const { size, mode, uid, gid } = statSync(path);
    const { account } = test.host;
    // The demo's account has no group of its own in the host's list.
    assert.deepEqual([size, mode & 0o777, uid, gid], [made.archive?.bytes, 0o600, account.uid, account.gid]);
    const text = execFileSync('tar', ['-xOzf', path, `./${MANIFEST_NAME}`], { maxBuffer: 1 << 26 });
    const manifest = parseArchiveManifest(text);
    assert.ok(manifest !== null);
    assert.equal(manifest.about.point, made.point);
    return { path, manifest };
  }

  /** That of the safety point of a task is the account's, says what it is of, and is in the list of points; gives its path. */
  async function assertSafetyArchive(
    site: DemoSite,
    done: Pick<RestoreDocument, 'task' | 'safetyPoint' | 'archive'>,
    operation: string,
  ): Promise<string> {
    const path = done.archive?.path ?? '';
    const { mode, uid, gid, size } = statSync(path);
    const { account } = test.host;
    assert.deepEqual([mode & 0o777, uid, gid], [0o600, account.uid, account.gid], operation);
    assert.equal(size, done.archive?.bytes);
    const said = parseArchiveManifest(execFileSync('tar', ['-xOzf', path, `./${MANIFEST_NAME}`]));
    assert.deepEqual(
      [said?.about.uri, said?.about.point, said?.about.task, said?.about.site.path, said?.problems],
      [site.uri, done.safetyPoint, done.task, site.path, []],
      operation,
    );
    const databases = said?.about.databases.map(({ name, tables }) => [name, tables > 10]);
    assert.deepEqual(databases, [[site.database, true]], operation);
    const listed = await test.run(['points', site.uri], PointsDocument);
    const point = listed.find(({ id }) => id === done.safetyPoint);
    assert.deepEqual([point?.safety, point?.archive?.path], [true, path], operation);
    return path;
  }

  for (const uri of ['journal.example.org', 'harbour.example.org', 'market.example.org']) {
    it(`${uri}, unpacked by gunzip and tar and loaded by the stock client, is the site of the point and answers`, async () => {
      const site = test.host.site(uri);
      const original = await lookAt(test.host, site);
      assert.equal(original.page.status, 200);
      const { path: file, manifest } = await archive(site);
      assert.deepEqual(manifest.problems, []);
      const modules = [
        { name: 'module_03', version: null, schema: 9301, enabled: true },
        { name: 'node', version: null, schema: null, enabled: true },
      ];
      if (uri === 'market.example.org') assert.deepEqual(manifest.modules, modules);
      assert.equal(execFileSync('gunzip', ['-c', file], { maxBuffer: 1 << 30 }).includes(site.password), false);

      // What is there now goes, all of it; what Aegir does then are these three commands.
      for (const name of readdirSync(site.path)) rmSync(join(site.path, name), { recursive: true });
      await test.host.mariadb.query(
        `DROP DATABASE ${quoteName(site.database)}; CREATE DATABASE ${quoteName(site.database)} CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;`,
      );
      execFileSync('sh', ['-c', 'gunzip -c "$1" | tar pxf - -C "$2"', 'sh', file, site.path]);
      const login = ['--no-defaults', `--socket=${test.host.mariadb.socket}`, `--user=${site.user}`, site.database];
      execFileSync('mariadb', login, {
        input: readFileSync(join(site.path, 'database.sql')),
        env: { PATH: process.env['PATH'], MYSQL_PWD: site.password },
      });
      rmSync(join(site.path, 'database.sql'));

      const settings = ['wp-config.php', 'settings.php', 'drushrc.php'].filter((name) => original.site.files.has(name));
      const restored = await observeSite(test.host, site);
      const own = ['.salvor-archive.json', '.salvor-manifest.json', '.salvor-sha256'];
      const added = [...own, ...(original.site.files.has('drushrc.php') ? [] : ['drushrc.php'])];
      const found = differences(original.site.files, restored.files, (name, was, is) => {
        const isChanged =
          name === '.'
            ? is.mode === was.mode && is.owner === was.owner
            : settings.includes(name) && is.mode === was.mode && is.owner === was.owner && is.mtimeNs === was.mtimeNs;
        return isChanged;
      });
      assert.deepEqual(
        found,
        added.map((name) => `new: ${name}`),
      );
      assert.deepEqual(differences(original.site.database, restored.database), []);

      // Aegir writes settings with its own log-in: here the old one goes back to where it was taken from.
      for (const name of settings) {
        const text = readFileSync(join(site.path, name), 'utf8').replaceAll(
          'password-removed-by-salvor',
          site.password,
        );
        writeFileSync(join(site.path, name), text);
      }
      const now = await lookAt(test.host, site);
      assert.deepEqual([now.page.status, now.page.body], [200, original.page.body]);
    });
  }

  it('holds what the site has moved out in its place, and says where it lay', async () => {
    const site = test.host.site('market.example.org');
    const target = join(test.host.home, 'static/files/market.example.org.files');
    mkdirSync(join(test.host.home, 'static/files'));
    renameSync(join(site.path, 'files'), target);
    symlinkSync(target, join(site.path, 'files'));
    const { path, manifest } = await archive(site);
    assert.deepEqual(manifest.about.moved, [{ path: 'files', target }]);
    const into = join(out, 'moved');
    mkdirSync(into);
    execFileSync('tar', ['-xpzf', path, '-C', into]);
    const [before, after] = [observeTree(target), observeTree(join(into, 'files'))];
    assert.ok(before.size > 10);
    assert.deepEqual(differences(before, after), []);
  });

  it('of a restore is of what it replaced, and its point can be read out of it', async () => {
    const site = test.host.site('harbour.example.org');
    const { point } = await test.backUp(site);
    writeFileSync(join(site.path, 'files/late.txt'), 'late');
    const restored = await test.restore(site, point);
    const path = await assertSafetyArchive(site, restored, 'restore');
    assert.equal(execFileSync('tar', ['-xOzf', path, './files/late.txt']).toString(), 'late');
  });

  it('is its group’s to read where that holds its main log-in alone, else the account’s: no client log-in reads it, whatever group he is in', async () => {
    const site = test.host.site('harbour.example.org');
    const { name, uid, gid } = test.host.account;
    const [main, client] = [uid + 1, uid + 2];
    const lists = join(test.host.directory, 'lists');
    mkdirSync(lists);
    const [passwd, group] = ['passwd', 'group'].map((list) => join(lists, list)) as [string, string];
    const row = (user: string, id: number, of: number): string =>
      `${user}:x:${id}:${of}::${user === name ? test.host.home : `/home/${user}`}:/bin/sh\n`;
    const users = [row(name, uid, gid), row(`${name}.ftp`, main, gid), row(`${name}.buyer`, client, client)];
    writeFileSync(passwd, readFileSync('/etc/passwd', 'utf8') + users.join(''));
    const open = join(tmpdir(), `${basename(test.host.directory)}.open`);
    const canRead = (file: string, as: number, groups: string): boolean =>
      spawnSync('setpriv', [`--reuid=${as}`, `--regid=${as === client ? client : gid}`, groups, 'head', '-c1', file])
        .status === 0;
    for (const [members, mode, mainReads] of [
      [`${name}.ftp`, 0o640, true],
      [`${name}.ftp,${name}.buyer`, 0o600, false],
      ['www-data', 0o600, false],
    ] as const) {
      const ofAccount = `${name}:x:${gid}:${members}\n${name}.buyer:x:${client}:\n`;
      writeFileSync(group, readFileSync('/etc/group', 'utf8') + ofAccount);
      const [file, ...args] = inOwnMounts(
        'mount --bind "$1" /etc/passwd && mount --bind "$2" /etc/group && shift 2 && exec "$@"',
        [passwd, group, SALVOR, 'backup', site.uri, '--json'],
      );
      const env = { ...process.env, HOME: test.host.directory, SALVOR_CONFIG: salvorPlaces(test.host).config };
      const { archive: made, problems } = BackupDocument.parse(
        JSON.parse(execFileSync(file, args, { env }).toString()),
      );
      assert.deepEqual(problems, []);
      const path = made?.path ?? '';
      const stat = statSync(path);
      assert.deepEqual([stat.mode & 0o777, stat.uid, stat.gid], [mode, uid, gid], members);
      const inGroup = members.includes('buyer') ? `--groups=${gid}` : '--clear-groups';
      assert.deepEqual(
        [canRead(path, uid, '--clear-groups'), canRead(path, main, '--clear-groups'), canRead(path, client, inGroup)],
        [true, mainReads, false],
        members,
      );
      // Where no directory is in the way the file's own mode decides.
      linkSync(path, open);
      try {
        assert.deepEqual([canRead(open, main, '--clear-groups'), canRead(open, client, inGroup)], [mainReads, false]);
      } finally {
        rmSync(open);
      }
    }
  });

  it('is written by each task that makes a point, says what it is of, is listed with that, and is for its account to read and for no other log-in', async () => {
    const site = test.host.site('harbour.example.org');
    const { uid } = test.host.account;
    const linked = join(tmpdir(), `${basename(test.host.directory)}.linked`);
    const canRead = (as: number): boolean => spawnSync('head', ['-c1', linked], { uid: as, gid: as }).status === 0;
    await addPlatform(test.host, IDLE_DRUSH);
    const identity = (...args: readonly string[]): Promise<IdentityDocument> =>
      test.run([...args, '--yes'], IdentityDocument);
    for (const [operation, perform] of [
      ['clone', () => test.run(['clone', site.uri, 'pier.example.org'], IdentityDocument)],
      ['rename', () => identity('rename', site.uri, 'pier.example.org')],
      ['migrate', () => identity('migrate', site.uri, '--platform', 'drupal_10_next')],
      ['delete', () => test.run(['delete', site.uri, '--confirm', site.uri, '--yes'], DeleteDocument)],
    ] as const) {
      const done = await perform();
      const path = await assertSafetyArchive(site, done, operation);
      // The host's own directory lets nobody in: by a link that lies open only the file's own mode decides.
      linkSync(path, linked);
      try {
        assert.deepEqual([canRead(uid), canRead(uid + 1)], [true, false], operation);
      } finally {
        rmSync(linked);
      }
      await test.undo(done.task);
      assert.ok(existsSync(path), 'what is taken back takes no archive along');
    }
  });

  it('is exported by name into a file that was not there, packed as that says, also in a home with its account’s hand', async () => {
    const site = test.host.site('journal.example.org');
    const { point } = await test.backUp(site);
    const file = join(out, 'journal.tar.zst');
    const made = await test.run(['export', site.uri, point, '--output', file], ExportDocument);
    assert.deepEqual([made.point, made.archive?.path, made.archive?.bytes], [point, file, statSync(file).size]);
    assert.equal(createHash('sha256').update(readFileSync(file)).digest('hex'), made.archive?.sha256);
    const names = execFileSync('tar', ['--zstd', '-tf', file]).toString().split('\n');
    assert.ok(names.includes('./database.sql') && names.includes('./wp-config.php'), names.join());
    const again = await test.attempt(['export', site.uri, '--output', file]);
    assert.deepEqual([again.exit, ErrorDocument.parse(again.document).error.code], [1, 'archive-exists']);
    const inHome = join(test.host.home, 'mine.tar');
    await test.run(['export', site.uri, '--output', inHome], ExportDocument);
    assert.equal(statSync(inHome).uid, test.host.account.uid);
    rmSync(inHome);
  });

  it('goes with its point when that is deleted; the newest whole point and a pinned one stay', async () => {
    const site = test.host.site('journal.example.org');
    const older = await test.backUp(site);
    const newest = await test.backUp(site);
    const { safetyPoint } = await test.restore(site, newest.point);
    for (const held of [newest.point, safetyPoint ?? '']) {
      const run = await test.attempt(['backup-delete', held]);
      assert.deepEqual([run.exit, ErrorDocument.parse(run.document).error.code], [1, 'point-held']);
    }
    const deleted = await test.run(['backup-delete', older.point.slice(0, 12)], BackupDeleteDocument);
    assert.deepEqual(
      deleted.removed.map(({ kind }) => kind),
      ['archive', 'snapshot'],
    );
    assert.equal(existsSync(older.archive?.path ?? ''), false);
    const listed = await test.run(['points', site.uri], PointsDocument);
    assert.equal(
      listed.some(({ id }) => id === older.point),
      false,
    );
    assert.ok(existsSync(newest.archive?.path ?? ''));
  });

  it('holds what its account itself may not read, as root’s and as it was, and no problem is made of it', async () => {
    const site = test.host.site('market.example.org');
    const cache = join(site.path, '.sass-cache');
    mkdirSync(cache);
    const files = [join(cache, 'a.scssc'), join(site.path, 'modules/locked.txt')];
    for (const path of files) writeFileSync(path, `only root reads ${basename(path)}`, { mode: 0o600 });
    chmodSync(cache, 0o700);
    const { path, manifest } = await archive(site);
    assert.deepEqual(manifest.problems, []);
    const into = join(out, 'locked');
    mkdirSync(into);
    execFileSync('tar', ['-xpzf', path, '-C', into]);
    for (const name of ['.sass-cache', 'modules/locked.txt']) {
      const lone = observeTree(join(site.path, name));
      assert.ok([...lone.values()].every(({ owner }) => owner.startsWith('0:')));
      assert.deepEqual(differences(lone, observeTree(join(into, name))), [], name);
    }
    for (const one of [cache, ...files]) rmSync(one, { recursive: true, force: true });
  });

  it('gives values of every encoding back to the byte, whatever encoding the client that loads them takes for its own', async () => {
    const site = test.host.site('harbour.example.org');
    // Also UTF-8 that somebody has written into columns of Latin letters, as old sites are full of.
    const columns = {
      four: ['TEXT CHARACTER SET utf8mb4', 'f09f9a80c3a9e282ac'],
      three: ['TEXT CHARACTER SET utf8mb3', 'c3a9e282ac'],
      latin: ['TEXT CHARACTER SET latin1', '80e9fc9f'],
      twice: ['VARCHAR(20) CHARACTER SET latin1', 'c3a9e282ac27'],
      greek: ['VARCHAR(20) CHARACTER SET greek', 'c1e2f9'],
      wide: ['VARCHAR(20) CHARACTER SET utf16', 'd83dde8000e9'],
      bytes: ['VARBINARY(20)', 'ff00275c0a1a80'],
      large: ['LONGBLOB', '00ff5c27'],
    } as const;
    const names = Object.keys(columns);
    const definitions = Object.entries(columns).map(([name, [type]]) => `${name} ${type}`);
    const values = Object.values(columns).map(([, hex]) => `x'${hex}'`);
    const written = Object.values(columns)
      .map(([, hex]) => hex.toUpperCase())
      .join('\t');
    const database = quoteName(site.database);
    const read = async (): Promise<string> =>
      (
        await test.host.mariadb.query(
          `SELECT ${names.map((name) => `HEX(${name})`).join(', ')} FROM ${database}.encodings`,
        )
      ).trim();
    await test.host.mariadb.query(
      `USE ${database}; CREATE TABLE encodings (id INT PRIMARY KEY, ${definitions.join(', ')}) CHARACTER SET latin1;
       INSERT INTO encodings VALUES (1, ${values.join(', ')});`,
    );
    assert.equal(await read(), written);
    const { path, manifest } = await archive(site);
    const dump = execFileSync('tar', ['-xOzf', path, './database.sql'], { maxBuffer: 1 << 28 });
    for (const encoding of ['latin1', 'utf8mb3', 'utf8mb4']) {
      await test.host.mariadb.query(`DROP DATABASE ${database}; CREATE DATABASE ${database} CHARACTER SET latin1`);
      const flags = ['--no-defaults', `--socket=${test.host.mariadb.socket}`, `--default-character-set=${encoding}`];
      execFileSync('mariadb', [...flags, '--user=root', site.database], { input: dump });
      assert.equal(await read(), written, encoding);
    }
    const emptied = names.map((name) => `${name} = ''`).join(', ');
    await test.host.mariadb.query(`UPDATE ${database}.encodings SET ${emptied}`);
    await test.restore(site, manifest.about.point ?? '', '--table', 'encodings');
    assert.equal(await read(), written);
  });

  it('that can’t be written is a problem with a code; the point stands, and nothing is left or led away', async () => {
    const site = test.host.site('harbour.example.org');
    const backups = join(test.host.home, 'backups');
    const elsewhere = join(test.host.directory, 'elsewhere');
    mkdirSync(elsewhere);
    chmodSync(elsewhere, 0o777);
    renameSync(backups, `${backups}.away`);
    const tries: readonly (readonly [code: string, make: () => void])[] = [
      ['path-leads-out', () => symlinkSync(elsewhere, backups)],
      ['path-leads-out', () => writeFileSync(backups, '')],
      ['home-refused', () => mkdirSync(backups, { mode: 0o700 })],
    ];
    for (const [code, make] of tries) {
      make();
      const run = await test.attempt(['backup', site.uri]);
      const made = BackupDocument.parse(run.document);
      assert.deepEqual([run.exit, made.state, made.archive], [3, 'warned', null]);
      assert.deepEqual(
        made.problems.map((problem) => problem.code),
        [code],
      );
      assert.ok(made.point.length > 0);
      assert.deepEqual(readdirSync(elsewhere), []);
      rmSync(backups, { recursive: true });
    }
    const { home, account } = test.host;
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=64k,uid=${account.uid},mode=700`, 'none', ensure(backups)]);
    try {
      const run = await test.attempt(['backup', site.uri]);
      const made = BackupDocument.parse(run.document);
      assert.deepEqual([run.exit, made.archive, made.problems[0]?.code], [3, null, 'disk-full']);
      assert.deepEqual(readdirSync(backups), []);
    } finally {
      execFileSync('umount', [backups]);
    }
    rmSync(backups, { recursive: true });
    renameSync(`${backups}.away`, backups);
    const restored = RestoreDocument.parse((await test.attempt(['restore', site.uri, '--yes'])).document);
    assert.equal(restored.state, 'succeeded');
    assert.ok(readdirSync(join(home, 'backups')).every((name) => !name.startsWith('.')));
  });
});

function ensure(directory: string): string {
  mkdirSync(directory);
  return directory;
}
