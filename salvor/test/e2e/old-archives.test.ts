/**
 * A host that used Aegir yesterday: what Aegir, BOA and Backup and Migrate left there is found in the list of points and
 * restored like any of ours, and what is hostile is refused and leaves nothing.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import {
  DeleteDocument,
  ErrorDocument,
  LsDocument,
  type PointDocument,
  PointsDocument,
  RestoreDocument,
} from '@salvor/contract';
import type { DemoSite } from '../../../demo/host.ts';
import { type ObservedSite, observeSite } from '../../../demo/observe-site.ts';
import { runRestic, salvorPlaces } from '../../../demo/salvor-command.ts';
import { zipOf } from '../../src/archives/test-zip.ts';
import { IDLE_DRUSH, addPlatform } from '../fault/kill-sites.ts';
import { type TestHost, assertSameSite, openTestHost } from './open-test-host.ts';

describe('on a host that used Aegir yesterday', () => {
  let test: TestHost;
  let market: DemoSite;
  before(async () => {
    test = await openTestHost({ archives: true, withoutWordPress: true, nodes: 20, files: 15 });
    market = test.host.site('market.example.org');
  });
  after(() => test[Symbol.asyncDispose]());

  /** As Aegir dumps, by the stock client as the site's own user. */
  const dumpOf = (site: DemoSite): Buffer =>
    execFileSync(
      'mariadb-dump',
      [
        '--no-defaults',
        `--socket=${test.host.mariadb.socket}`,
        `--user=${site.user}`,
        '--single-transaction',
        '--quick',
        '--no-autocommit',
        // Aegir leaves them out; the demo's sites have some.
        '--routines',
        '--events',
        site.database,
      ],
      { env: { PATH: process.env['PATH'], MYSQL_PWD: site.password }, maxBuffer: 1 << 28 },
    );

  const put = (path: string, bytes: Buffer | string): string => {
    const { home, account } = test.host;
    for (let at = dirname(path); at.startsWith(`${home}/`) && !existsSync(at); at = dirname(at)) {
      mkdirSync(at, { recursive: true });
      chownSync(at, account.uid, account.gid);
    }
    writeFileSync(path, bytes);
    chownSync(path, account.uid, account.gid);
    return path;
  };

  /** As `provision-backup` does it: the dump among the files, tar of the directory, the dump away again. */
  const aegirArchive = (site: DemoSite, name: string, packer: string, without = 'no-such'): string => {
    const path = put(join(test.host.home, 'backups', name), '');
    const dump = join(site.path, 'database.sql');
    writeFileSync(dump, dumpOf(site));
    const times = execFileSync('stat', ['-c', '%Y', site.path]).toString().trim();
    execFileSync('sh', ['-c', `cd '${site.path}' && tar cpf - --exclude='./${without}' . | ${packer} > '${path}'`]);
    rmSync(dump);
    execFileSync('touch', ['-d', `@${times}`, site.path]);
    return path;
  };

  const find = async (site: DemoSite, path: string): Promise<PointDocument> => {
    const listed = await test.run(['points', site.uri], PointsDocument);
    const point = listed.find(({ archive }) => archive?.path === path);
    assert.ok(point !== undefined, JSON.stringify(listed));
    return point;
  };

  const ruin = async (site: DemoSite): Promise<void> => {
    rmSync(join(site.path, 'files'), { recursive: true });
    writeFileSync(join(site.path, 'stray.txt'), 'stray');
    await test.host.mariadb.query(`USE \`${site.database}\`; DROP TABLE sessions; CREATE TABLE stray (id int);`);
  };

  /** Plain tar keeps whole seconds, and the time of the directory in which the dump lay. */
  const toSeconds = ({ files, database }: ObservedSite): ObservedSite => ({
    files: new Map(
      [...files]
        .filter(([name]) => name !== '.')
        .map(([name, file]) => [name, { ...file, mtimeNs: (file.mtimeNs / 1_000_000_000n) * 1_000_000_000n }]),
    ),
    database,
  });

  const assertNothingLeft = async (): Promise<void> => {
    const { stateDir, staging } = salvorPlaces(test.host);
    const journals = readdirSync(join(stateDir, 'journals')).map(
      (name) => JSON.parse(readFileSync(join(stateDir, 'journals', name), 'utf8')) as { phase: string; task: string },
    );
    assert.deepEqual(
      journals.filter(({ phase }) => phase !== 'kept'),
      [],
    );
    const kept = new Set(journals.map(({ task }) => task));
    const places = join(staging, test.host.account.name);
    assert.deepEqual(existsSync(places) ? readdirSync(places).filter((name) => !kept.has(name)) : [], []);
    const users = await test.host.mariadb.query("SELECT User FROM mysql.user WHERE User LIKE 'salvor%'");
    assert.equal(users, '');
    const databases = await test.host.mariadb.query(
      "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE 'salvor%new%'",
    );
    assert.equal(databases, '');
  };

  it('an archive of Aegir’s is listed with its time, and brings back the very site', async () => {
    const original = await observeSite(test.host, market);
    const path = aegirArchive(market, 'market.example.org-20250102.030405.tar.gz', 'gzip -1');
    const point = await find(market, path);
    assert.deepEqual(
      [point.origin, point.complete, point.copies, point.holds],
      ['archive', true, [], ['files', 'databases']],
    );
    assert.match(point.time, /^2025-01-0[123]T/);
    await ruin(market);
    const { plan } = await test.run(['restore', market.uri, point.id, '--dry-run'], RestoreDocument);
    assert.deepEqual(plan.obstacles, []);
    assert.ok((plan.files?.new ?? 0) > 5 && (plan.tables?.restored ?? 0) > 5);
    const since = new Date();
    const restored = await test.restore(market, point.id);
    const refreshed = restored.refreshed;
    assertSameSite(toSeconds(original), toSeconds(await observeSite(test.host, market)), {
      refreshed,
      since: wholeSecond(since),
    });
    const again = await find(market, path);
    assert.deepEqual([again.id, again.copies], [point.id, ['local']]);
    await assertNothingLeft();
  });

  it('settings of an archive of BOA’s that name another log-in give way to those that the site has, and that is told, as is what it does not say', async () => {
    const settings = join(market.path, 'settings.php');
    const now = readFileSync(settings);
    const original = await observeSite(test.host, market);
    execFileSync('cp', ['-p', settings, test.host.directory]);
    writeFileSync(settings, now.toString().replaceAll(market.password, 'of-last-year'));
    const path = aegirArchive(market, 'market.example.org-20240102.030405_1.tar.bz2', 'bzip2 -1', 'drushrc.php');
    execFileSync('cp', ['-p', join(test.host.directory, 'settings.php'), market.path]);
    await ruin(market);
    const since = new Date();
    const restored = await test.restore(market, (await find(market, path)).id);
    assert.deepEqual(
      restored.plan.notes.map(({ code }) => code),
      ['archive-says-little', 'settings-kept'],
    );
    assert.match(restored.plan.notes[0]?.message ?? '', /which platform and core the site lay then; it is restored on/);
    const after = await observeSite(test.host, market);
    assertSameSite(toSeconds(original), toSeconds(after), { refreshed: restored.refreshed, since: wholeSecond(since) });
  });

  it('a site that is gone, and that no point remembers, comes back out of its archive where it lay', async () => {
    const harbour = test.host.site('harbour.example.org');
    const original = await observeSite(test.host, harbour);
    const path = aegirArchive(harbour, 'harbour.example.org-20250102.030405.tar.gz', 'gzip -1');
    renameSync(harbour.path, join(test.host.directory, 'harbour.gone'));
    await test.host.mariadb.query(`USE \`${harbour.database}\`; DROP TABLE sessions;`);
    const { id } = await find(harbour, path);
    const restored = await test.restore(harbour, id);
    assert.equal(restored.plan.switch.files, 'exchange');
    assertSameSite(toSeconds(original), toSeconds(await observeSite(test.host, harbour)));
    await assertNothingLeft();
  });

  it('our own archive brings the site back with its password when its snapshot is gone', async () => {
    const original = await observeSite(test.host, market);
    const made = await test.backUp(market);
    assert.ok(made.archive !== null);
    const listed = JSON.parse(
      (await runRestic(test.host, ['snapshots', '--json', '--tag', `point:${made.point}`])).output,
    ) as { id: string }[];
    for (const { id } of listed) await runRestic(test.host, ['forget', id]);
    const point = await find(market, made.archive.path);
    assert.deepEqual([point.id, point.origin, point.copies], [made.point, 'archive', []]);
    await ruin(market);
    const since = new Date();
    const restored = await test.restore(market, made.point);
    assertSameSite(original, await observeSite(test.host, market), { refreshed: restored.refreshed, since });
    await assertNothingLeft();
  });

  it('dumps of Backup and Migrate, packed with gzip, bzip2 and zip, and a plain one bring the tables back', async () => {
    const original = await observeSite(test.host, market);
    const dump = dumpOf(market);
    const stamp = Math.floor(Date.parse('2023-03-04T05:06:07Z') / 1000);
    const manual = join(market.path, 'private/files/backup_migrate/manual');
    const paths = [
      put(join(manual, 'Market-2023-03-04T05-06-07.mysql.gz'), gzipSync(dump)),
      put(join(manual, 'Market.mysql.zip'), zipOf('Market.mysql', dump)),
      put(join(dirname(manual), 'scheduled/Market.sql.bz2'), execFileSync('bzip2', ['-1'], { input: dump })),
      put(join(test.host.home, 'backups/market.example.org.sql'), dump),
    ];
    put(`${paths[0]}.info`, `datestamp = "${stamp}"\ndescription = "before the update"\n`);
    const noted = await find(market, paths[0] as string);
    assert.deepEqual(
      [noted.origin, noted.time, noted.reason, noted.holds],
      ['dump', '2023-03-04T05:06:07.000Z', 'before the update', ['databases']],
    );
    for (const path of paths) {
      await test.host.mariadb.query(`USE \`${market.database}\`; DROP TABLE sessions; DELETE FROM watchdog;`);
      const restored = await test.restore(market, (await find(market, path)).id);
      assert.equal(restored.plan.files, null);
      const now = await observeSite(test.host, market);
      assertSameSite({ files: now.files, database: original.database }, now);
    }
    const tables = await test.run(['ls', noted.id, `/databases/${market.database}`], LsDocument);
    assert.ok(tables.some(({ path }) => path.endsWith('-sessions.sql')));
    rmSync(join(market.path, 'private/files/backup_migrate'), { recursive: true });
    await assertNothingLeft();
  });

  it('what is hostile, cut off or in pieces is listed and refused with a code, and nothing is left of it', async () => {
    const backups = join(test.host.home, 'backups');
    const original = await observeSite(test.host, market);
    const dump = dumpOf(market);
    const tar = join(test.host.directory, 'hostile.tar');
    const into = join(test.host.directory, 'hostile');
    mkdirSync(into);
    writeFileSync(join(into, 'evil'), 'evil');
    execFileSync('sh', ['-c', `cd '${into}' && tar cPf '${tar}' --transform 's,^evil,../../evil,' evil`]);
    mkdirSync(join(backups, 'market.example.org_sql_dump_backup_2025'));
    const tries: readonly (readonly [code: string, name: string, bytes: Buffer | null])[] = [
      ['archive-hostile', 'market.example.org-20200101.000000.tar', readFileSync(tar)],
      ['archive-damaged', 'market.example.org-20200102.000000.tar.gz', gzipSync(readFileSync(tar)).subarray(0, 60)],
      ['dump-refused', 'market.example.org-evil.sql', Buffer.from('-- a dump\nCREATE DATABASE evil;\n')],
      ['dump-refused', 'market.example.org-shell.sql', Buffer.from('-- a dump\n\\! touch /tmp/evil\nSELECT 1;\n')],
      ['dump-incomplete', 'market.example.org-cut.sql', dump.subarray(0, dump.length - 200)],
      ['archive-unsupported', 'market.example.org_sql_dump_backup_2025', null],
    ];
    for (const [code, name, bytes] of tries) {
      const path = bytes === null ? join(backups, name) : put(join(backups, name), bytes);
      const { id } = await find(market, path);
      const run = await test.attempt(['restore', market.uri, id, '--yes']);
      assert.deepEqual([run.exit, ErrorDocument.parse(run.document).error.code], [1, code], run.output);
      await assertNothingLeft();
    }
    assertSameSite(original, await observeSite(test.host, market));
  });

  it('an archive of an older platform that is still there brings the site back onto that, after a delete, and never under other code unasked', async () => {
    const harbour = test.host.site('harbour.example.org');
    const original = await observeSite(test.host, harbour);
    const path = aegirArchive(harbour, 'harbour.example.org-20250601.030405.tar.gz', 'gzip -1');
    await addPlatform(test.host, IDLE_DRUSH);
    const migrated = await test.attempt(['migrate', harbour.uri, '--platform', 'drupal_10_next', '--yes']);
    assert.ok([0, 3].includes(migrated.exit), migrated.complaint);
    assert.ok(!existsSync(harbour.path));
    const { id } = await find(harbour, path);
    const refused = await test.attempt(['restore', harbour.uri, id, '--yes']);
    assert.equal(refused.exit, 1, refused.output);
    assert.equal(ErrorDocument.parse(refused.document).error.code, 'restore-obstructed');
    assert.match(refused.complaint, /which is still there.*salvor delete/s);
    await test.run(['delete', harbour.uri, '--confirm', harbour.uri, '--yes'], DeleteDocument);
    const since = new Date();
    const back = await test.attempt(['restore', harbour.uri, id, '--yes']);
    const { refreshed, problems } = RestoreDocument.parse(back.document);
    // Its tables lie in the grace place: of what is replaced now there is none.
    assert.deepEqual([back.exit, problems.map(({ code }) => code)], [3, ['dump-empty']]);
    const after = await observeSite(test.host, harbour);
    assertSameSite(toSeconds(original), toSeconds(after), { refreshed, since: wholeSecond(since) });
    await assertNothingLeft();
  });
});

function wholeSecond(time: Date): Date {
  return new Date(Math.floor(time.getTime() / 1000) * 1000);
}
