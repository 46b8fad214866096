/** Archives of several makers become new sites: with a database and a log-in of their own, or not at all. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { BackupDocument, ErrorDocument, IdentityDocument } from '@salvor/contract';
import type { DemoSite } from '../../../demo/host.ts';
import {
  type ObservedDatabase,
  type ObservedSite,
  differences,
  observeDatabase,
  observeSite,
  observeTree,
} from '../../../demo/observe-site.ts';
import { runRestic, salvorPlaces } from '../../../demo/salvor-command.ts';
import { readAliases } from '../../src/sites/read-alias.ts';
import { filesBeneath } from '../../src/sites/read-beneath.ts';
import type { TarMember } from '../../src/archives/tar/tar-member.ts';
import { type Written, memberOf, tarOf as tarBytes } from '../../src/archives/tar/test-tar.ts';
import { encodeHeader } from '../../src/archives/tar/write-header.ts';
import { type TestHost, assertSameSite, openTestHost } from './open-test-host.ts';

const NEW = 'back.example.org';
const php = (path: string): string => `a:1:{s:4:"logo";s:${Buffer.byteLength(path)}:"${path}";}`;

describe('import', { concurrency: 1, timeout: 300_000 }, () => {
  let test: TestHost;
  let site: DemoSite;
  let was: ObservedSite;
  let platform: string;
  let newPath: string;
  let room: string;
  let ours: string;
  let oursOf: string;

  before(async () => {
    room = mkdtempSync(join(tmpdir(), 'salvor-import-'));
    test = await openTestHost({ archives: true, withoutWordPress: true, nodes: 5, files: 5 });
    site = test.host.site('market.example.org');
    platform = dirname(dirname(site.path));
    newPath = join(platform, 'sites', NEW);
    await query(
      `USE \`${site.database}\`; SET NAMES utf8mb4; CREATE TABLE notes (id INT PRIMARY KEY, body LONGTEXT);
       INSERT INTO notes VALUES (1, '${php('sites/market.example.org/files/ü.png')}'), (2, 'sites/harbour.example.org/files');
       CREATE SEQUENCE numbers; CREATE TABLE counted (id INT DEFAULT NEXTVAL(numbers) PRIMARY KEY, body TEXT); INSERT INTO counted (body) VALUES ('one'), ('two');`,
    );
    was = await observeSite(test.host, site);
    const { archive, point } = await test.run(['backup', site.uri], BackupDocument);
    oursOf = point ?? '';
    ours = join(room, 'somewhere-else.tar.gz');
    copyFileSync(archive?.path ?? '', ours);
  });
  after(async () => {
    rmSync(room, { recursive: true, force: true });
    await test[Symbol.asyncDispose]();
  });

  const query = (sql: string): Promise<string> => test.host.mariadb.query(sql);
  const flags = ['--uri', NEW, '--platform', ''];
  const importArgs = (file: string, ...more: string[]): string[] => {
    flags[3] = platform;
    return ['import', file, ...flags, ...more];
  };
  const codeOf = (document: unknown): string => ErrorDocument.parse(document).error.code;
  const databases = (): Promise<string> => query('SELECT SCHEMA_NAME FROM information_schema.SCHEMATA ORDER BY 1');
  const users = (): Promise<string> => query('SELECT User, Host FROM mysql.user ORDER BY 1, 2');
  const everythingThere = async (): Promise<readonly unknown[]> => {
    const { staging, stateDir } = salvorPlaces(test.host);
    const staged = join(staging, test.host.account.name);
    return [
      await databases(),
      await users(),
      readdirSync(dirname(newPath)),
      existsSync(staged) ? readdirSync(staged) : [],
      ['journals', 'scratch']
        .map((name) => join(stateDir, name))
        .map((path) => (existsSync(path) ? readdirSync(path) : [])),
    ];
  };
  const rowsOf = async (database: string): Promise<ObservedDatabase> =>
    new Map(
      [...(await observeDatabase(test.host.mariadb, database))]
        .filter(([name]) => name.startsWith('checksum ') && !/\.(?:notes|system)$/.test(name))
        .map(([name, value]) => [name.replace(database, 'database'), value]),
    );
  const pageOf = async (host: string): Promise<number | undefined> => {
    const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
    get(site.url, { headers: { host } }, (answer) => resolve(answer.resume().statusCode)).on('error', reject);
    return await promise;
  };
  /** Files apart from what says who the site is; times to the second, as plain tar has them. */
  const filesOf = (tree: ObservedSite['files']): ObservedSite['files'] =>
    new Map(
      [...tree]
        .filter(([name]) => !['settings.php', 'drushrc.php', '.'].includes(name))
        .map(([name, file]) => [name, { ...file, mtimeNs: (file.mtimeNs / 1_000_000_000n) * 1_000_000_000n }]),
    );
  const assertImported = async ({ plan }: IdentityDocument): Promise<void> => {
    const database = plan.databases[0]?.newName ?? '';
    assert.deepEqual(differences(filesOf(was.files), filesOf(observeTree(newPath))), []);
    assert.deepEqual(differences(await rowsOf(site.database), await rowsOf(database)), []);
    const [one, two] = (await query(`SELECT body FROM \`${database}\`.notes ORDER BY id`)).trim().split('\n');
    assert.deepEqual([one, two], [php(`sites/${NEW}/files/ü.png`), 'sites/harbour.example.org/files']);
    const counted = await query(`SHOW CREATE TABLE \`${database}\`.counted`);
    assert.ok(counted.includes(`DEFAULT nextval(\`${database}\`.\`numbers\`)`), counted);
    const settings = readFileSync(join(newPath, 'settings.php'), 'utf8');
    assert.ok(settings.includes(database) && !settings.includes(site.password));
    assert.equal(await pageOf(NEW), 200);
    assertSameSite(was, await observeSite(test.host, site));
  };
  const undo = async ({ task, plan }: IdentityDocument): Promise<void> => {
    await test.undo(task);
    assert.ok(!existsSync(newPath));
    const schema = `TABLE_SCHEMA = '${plan.databases[0]?.newName}'`;
    assert.equal(await query(`SELECT COUNT(*) FROM information_schema.TABLES WHERE ${schema}`), '0\n');
  };
  const tarOf = (directory: string, name: string): string => {
    const path = join(room, name);
    execFileSync('tar', ['cpf', path, '-C', directory, '.']);
    return path;
  };

  it('with --dry-run says what would come of the archive, and makes nothing', async () => {
    const before = await everythingThere();
    const { plan, task } = await test.run(importArgs(ours, '--dry-run'), IdentityDocument);
    assert.deepEqual([task, plan.uri, plan.newUri, plan.newPath, plan.obstacles], [null, site.uri, NEW, newPath, []]);
    assert.deepEqual(
      plan.notes.map(({ code }) => code),
      ['names-rewritten'],
    );
    const context = join(test.host.home, '.drush', `${NEW}.alias.drushrc.php`);
    assert.deepEqual(plan.names, [{ path: context, change: 'made' }]);
    assert.ok(!existsSync(context));
    assert.deepEqual(await everythingThere(), before);
  });

  it('is refused where the name, the platform, the file or what is in it is none, and leaves nothing', async () => {
    const before = await everythingThere();
    const dump = join(room, 'dump.sql');
    writeFileSync(dump, '-- MariaDB dump 10.19\nCREATE TABLE `a` (`b` int);\n-- Dump completed\n');
    const noise = join(room, 'noise.tar.gz');
    writeFileSync(noise, Buffer.alloc(2000, 7));
    const twin = join(test.host.home, 'static/drupal_10');
    mkdirSync(join(twin, 'core/lib'), { recursive: true });
    writeFileSync(join(twin, 'core/lib/Drupal.php'), "<?php\nclass Drupal {\n  const VERSION = '10.3.6';\n}\n");
    const named = await test.attempt(['import', ours, '--uri', NEW, '--platform', 'drupal_10', '--dry-run']);
    rmSync(twin, { recursive: true });
    assert.equal(codeOf(named.document), 'platform-ambiguous');
    for (const [args, code] of [
      [['import', ours, '--uri', site.uri, '--platform', platform], 'identity-obstructed'],
      [['import', ours, '--uri', NEW, '--platform', 'nowhere'], 'platform-unknown'],
      [['import', ours, '--uri', NEW, '--platform', platform, '--account', 'nobody'], 'account-unknown'],
      [importArgs(join(room, 'missing.tar.gz')), 'archive-unknown'],
      [importArgs(dump), 'identity-obstructed'],
      [importArgs(noise), 'archive-unknown'],
    ] as const)
      assert.equal(codeOf((await test.attempt(args)).document), code, args.join(' '));
    assert.deepEqual(await everythingThere(), before);
  });

  it('makes a whole site of an archive of ours, which undo takes away again', async () => {
    const done = await test.run(importArgs(ours), IdentityDocument);
    assert.deepEqual(
      [done.state, done.safetyPoint, done.plan.databases[0]?.newName],
      ['succeeded', null, 'backexampleorg'],
    );
    await assertImported(done);
    const { contexts } = readAliases(test.host.home, filesBeneath([test.host.home]));
    const known = contexts.find(({ name }) => name === NEW)?.values;
    assert.deepEqual(
      ['platform', 'server', 'db_server', 'root', 'site_path'].map((name) => known?.get(name)),
      ['@platform_drupal_10', '@server_master', '@server_localhost', platform, newPath],
    );
    const context = join(test.host.home, '.drush', `${NEW}.alias.drushrc.php`);
    const { uid, mode } = lstatSync(context);
    assert.deepEqual([uid, mode & 0o777], [test.host.account.uid, 0o440]);
    await undo(done);
    assert.ok(!existsSync(context));
    // The archive lacks the passwords that its point has: no snapshot of it may be taken for that point.
    const { output } = await runRestic(test.host, ['snapshots', '--json']);
    const found = (JSON.parse(output) as { tags: string[] }[]).filter(({ tags }) => tags.includes(`point:${oursOf}`));
    assert.equal(found.length, 1);
  });

  it('makes one of an archive of Aegir’s that was made on another host, under another name', async () => {
    const copy = join(room, 'aegir');
    execFileSync('cp', ['-a', site.path, copy]);
    const dump = execFileSync(
      'mariadb-dump',
      [
        '--no-defaults',
        `--socket=${test.host.mariadb.socket}`,
        `--user=${site.user}`,
        '--single-transaction',
        '--routines',
        '--events',
        site.database,
      ],
      { env: { PATH: process.env['PATH'], MYSQL_PWD: site.password }, maxBuffer: 1 << 28 },
    );
    writeFileSync(join(copy, 'database.sql'), dump);
    const far = '/data/disk/far/distro/007/elsewhere';
    for (const name of ['settings.php', 'drushrc.php']) {
      const path = join(copy, name);
      if (!existsSync(path)) continue;
      const text = readFileSync(path, 'utf8')
        .replaceAll(platform, far)
        .replaceAll(test.host.mariadb.socket, '/run/far.sock');
      writeFileSync(path, text);
    }
    const archive = tarOf(copy, 'market.example.org-20250102.030405.tar');
    const done = await test.run(importArgs(archive), IdentityDocument);
    await assertImported(done);
    for (const name of ['settings.php', 'drushrc.php'].filter((file) => existsSync(join(newPath, file))))
      assert.ok(!readFileSync(join(newPath, name), 'utf8').includes('/data/disk/far'), name);
    await undo(done);
  });

  it('is stopped by a module that the platform lacks, unless it is told to go on', async () => {
    await query(
      `USE \`${site.database}\`; CREATE TABLE system (name VARCHAR(64), type VARCHAR(12), status INT, schema_version INT, filename VARCHAR(99));
       INSERT INTO system VALUES ('not_here', 'module', 1, 7001, 'x');`,
    );
    const { archive } = await test.run(['backup', site.uri], BackupDocument);
    await query(`USE \`${site.database}\`; DROP TABLE system`);
    const before = await everythingThere();
    const refused = await test.attempt(importArgs(archive?.path ?? ''));
    assert.equal(codeOf(refused.document), 'identity-obstructed');
    assert.match(refused.complaint, /not_here/);
    assert.deepEqual(await everythingThere(), before);
    const { exit, document } = await test.attempt(importArgs(archive?.path ?? '', '--despite-missing'));
    const done = IdentityDocument.parse(document);
    assert.deepEqual([exit, done.problems.map(({ code }) => code)], [3, ['module-missing']]);
    await undo(done);
  });

  it('makes one of Backup and Migrate’s whole site, which has no settings, with new ones', async () => {
    const top = join(room, 'export');
    mkdirSync(join(top, 'docroot/sites'), { recursive: true });
    execFileSync('cp', ['-a', site.path, join(top, 'docroot/sites/default')]);
    for (const name of ['settings.php', 'drushrc.php'])
      rmSync(join(top, 'docroot/sites/default', name), { force: true });
    writeFileSync(
      join(top, 'MANIFEST.ini'),
      '[Global]\nformatversion = "2011-07-02"\n[Site 0]\nversion = "7.98"\nname = "Market"\ndocroot = "docroot"\nsitedir = "docroot/sites/default"\ndatabase-file-default = "database.sql"\n',
    );
    writeFileSync(
      join(top, 'database.sql'),
      "-- Backup and Migrate (Drupal) MySQL Dump\nCREATE TABLE `files` (`id` int, `uri` varchar(99));\nINSERT INTO `files` VALUES (1,'sites/default/files/a.png');\n-- Dump completed\n",
    );
    const archive = join(room, 'Market-2025-01-02.sitearchive.tar');
    execFileSync('tar', ['cpf', archive, '-C', top, 'MANIFEST.ini', 'database.sql', 'docroot']);
    const done = await test.run(importArgs(archive), IdentityDocument);
    const database = done.plan.databases[0]?.newName ?? '';
    assert.equal(await query(`SELECT uri FROM \`${database}\`.files`), `sites/${NEW}/files/a.png\n`);
    assert.match(readFileSync(join(newPath, 'settings.php'), 'utf8'), new RegExp(`'database' => '${database}'`));
    await undo(done);
  });

  it('keeps out what is hostile: of setuid bits and devices the site comes without, and says so', async () => {
    const copy = join(room, 'hostile');
    execFileSync('sh', ['-c', `mkdir '${copy}' && tar xpf '${ours}' -C '${copy}' && chmod 4755 '${copy}/files/'*.pdf`]);
    for (const name of readdirSync(copy).filter((each) => each.startsWith('.salvor'))) rmSync(join(copy, name));
    execFileSync('mknod', [join(copy, 'files/disk'), 'b', '8', '0']);
    const { exit, document } = await test.attempt(importArgs(tarOf(copy, 'setuid.tar')));
    const done = IdentityDocument.parse(document);
    assert.deepEqual([exit, done.state], [3, 'warned']);
    assert.deepEqual([...new Set(done.problems.map(({ code }) => code))].toSorted(), [
      'rights-dropped',
      'special-file-left-out',
    ]);
    assert.ok(readdirSync(join(newPath, 'files')).some((name) => name.endsWith('.pdf')));
    assert.equal(execFileSync('find', [newPath, '-perm', '/7000', '-type', 'f', '-o', '-type', 'b']).toString(), '');
    await undo(done);
  });

  it('refuses each hostile archive with a code that says what is wrong, and nothing is left of it', async () => {
    const outside = join(room, 'outside');
    mkdirSync(outside);
    writeFileSync(join(outside, 'own.txt'), 'own');
    const file = (name: string, text = 'hostile', told: Partial<TarMember> = {}): Written => ({
      member: memberOf({ name, ...told }),
      content: Buffer.from(text),
    });
    const link = (name: string, type: 'symlink' | 'hardlink', linkName: string): Written => ({
      member: memberOf({ name, type, linkName }),
    });
    const first = file('./files/first.txt', 'first');
    const dump = (sql: string): Written => file('./database.sql', `-- MariaDB dump 10.19\n${sql}\n-- Dump completed\n`);
    const endless = encodeHeader(memberOf({ name: './files/endless', size: 2 ** 45 }));
    const zeros = gzipSync(Buffer.alloc(8 << 20));
    const bomb = [gzipSync(encodeHeader(memberOf({ name: './files/zeros', size: 2 ** 30 }))), ...Array(40).fill(zeros)];
    const tries: readonly (readonly [name: string, code: string, says: RegExp, bytes: Buffer])[] = [
      ['absolute', 'archive-hostile', /unsafe/, tarBytes([first, file(join(outside, 'new.txt'))])],
      ['above', 'archive-hostile', /unsafe/, tarBytes([first, file('./../../../../../../outside/new.txt')])],
      [
        'below a link',
        'archive-hostile',
        /below what is no directory/,
        tarBytes([first, link('./l', 'symlink', outside), file('./l/own.txt')]),
      ],
      [
        'hard link out',
        'archive-hostile',
        /hard link/,
        tarBytes([first, link('./own', 'hardlink', join(outside, 'own.txt'))]),
      ],
      [
        'endless',
        'archive-too-large',
        /bytes come out/,
        Buffer.concat([tarBytes([first]).subarray(0, 1024), endless, Buffer.alloc(1 << 20)]),
      ],
      ['bomb', 'archive-too-large', /come out of each of its bytes/, Buffer.concat(bomb)],
      ['program', 'dump-refused', /./, tarBytes([first, dump(`\\! touch ${outside}/new.txt`)])],
    ];
    const before = await everythingThere();
    for (const [name, code, says, bytes] of tries) await refuses(name, code, says, importArgs(put(name, bytes)));

    // A platform on a disk that has no place for so many files.
    const small = join(test.host.home, 'static/small');
    mkdirSync(small, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'nr_inodes=200,size=16m', 'none', small]);
    try {
      for (const directory of ['core/lib', 'sites']) mkdirSync(join(small, directory), { recursive: true });
      writeFileSync(join(small, 'core/lib/Drupal.php'), "<?php\nclass Drupal {\n  const VERSION = '10.3.6';\n}\n");
      const tiny = Array.from({ length: 400 }, (_, at) => file(`./files/${at}`, ''));
      const args = ['import', put('tiny members', gzipSync(tarBytes(tiny))), '--uri', NEW, '--platform', small];
      await refuses('tiny members', 'archive-too-large', /more than \d+ members/, args);
      assert.deepEqual([readdirSync(small).toSorted(), readdirSync(join(small, 'sites'))], [['core', 'sites'], []]);
    } finally {
      execFileSync('umount', ['--lazy', small]);
    }
    assert.equal(readFileSync(join(outside, 'own.txt'), 'utf8'), 'own');
    assertSameSite(was, await observeSite(test.host, site));

    function put(name: string, bytes: Buffer): string {
      const path = join(room, `${name}.tar`);
      writeFileSync(path, bytes);
      return path;
    }
    async function refuses(name: string, code: string, says: RegExp, args: readonly string[]): Promise<void> {
      const { exit, document, complaint } = await test.attempt(args);
      assert.deepEqual([exit, codeOf(document)], [1, code], name + complaint);
      assert.match(complaint, says);
      assert.deepEqual(await everythingThere(), before, name);
      assert.deepEqual(readdirSync(outside), ['own.txt']);
    }
  });
});
