/** A site gets another name, and another platform under it: all of it is there under the new one, and undo brings the old one back. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  cpSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ConfirmDocument, ErrorDocument, IdentityDocument, RestoreDocument, SitesDocument } from '@salvor/contract';
import { writePlatform } from '../../../demo/aegir-account.ts';
import type { DemoSite } from '../../../demo/host.ts';
import {
  type ObservedDatabase,
  type ObservedSite,
  differences,
  observeDatabase,
  observePage,
  observeSite,
  observeTree,
} from '../../../demo/observe-site.ts';
import { Random } from '../../../demo/random.ts';
import { salvorPlaces } from '../../../demo/salvor-command.ts';
import { openAgentFor } from '../../src/compose.ts';
import { readHost } from '../../src/agent/host-sites.ts';
import { type Config, loadConfig } from '../../src/config.ts';
import { chooseSeed } from '../fault/kill-loop.ts';
import { killInStep } from './kill-in-step.ts';
import { type TestHost, assertSameSite, openTestHost } from './open-test-host.ts';

const NEW = 'bazaar.example.org';
/** Of that name. */
const FRESH = 'bazaarexampleorg';
const STEPS = ['make the database', 'build the database', 'switch', 'switch', 'keep'];
const MAX_AFTER_MS = 60;
const php = (path: string): string => `a:1:{s:4:"logo";s:${Buffer.byteLength(path)}:"${path}";}`;

describe('rename and migrate', { concurrency: 1 }, () => {
  let test: TestHost;
  let site: DemoSite;
  let other: DemoSite;
  let was: ObservedSite;
  let otherWas: ObservedSite;
  let renamed: DemoSite;
  let drush: string;
  let next: string;

  before(async () => {
    test = await openTestHost({ withoutWordPress: true, nodes: 5, files: 5 });
    site = test.host.site('market.example.org');
    other = test.host.site('harbour.example.org');
    renamed = { ...site, uri: NEW, path: join(dirname(site.path), NEW) };
    await test.host.mariadb.query(
      `USE \`${site.database}\`; SET NAMES utf8mb4;
       CREATE SEQUENCE numbers; CREATE TABLE notes (id INT DEFAULT NEXTVAL(numbers) PRIMARY KEY, body LONGTEXT);
       INSERT INTO notes VALUES (1, '${php('sites/market.example.org/files/ü.png')}'), (2, 'sites/harbour.example.org/files');`,
    );
    symlinkSync(join(site.path, 'files/harbour.pdf'), join(site.path, 'files/own.pdf'));
    lchownSync(join(site.path, 'files/own.pdf'), test.host.account.uid, test.host.account.gid);
    // A platform beside it, and a stand-in for Drush that writes down how it was called.
    const root = dirname(dirname(site.path));
    next = join(dirname(root), 'drupal-10-next');
    cpSync(root, next, {
      recursive: true,
      filter: (path) => !path.startsWith(`${root}/sites/`),
    });
    mkdirSync(join(next, 'vendor/bin'), { recursive: true });
    drush = join(next, 'vendor/bin/drush');
    writeDrush(0);
    for (const path of [next, join(next, 'sites'), join(next, 'vendor'), join(next, 'vendor/bin')])
      lchownSync(path, test.host.account.uid, test.host.account.gid);
    await writePlatform(test.host.account, { name: 'drupal_10_next', root: next });
    // As Drush from 10 on has them, beside one of another site.
    const places = join(test.host.home, '.drush/sites');
    mkdirSync(places);
    writeFileSync(yaml(site.uri), aliasOf(site.uri, root));
    writeFileSync(yaml(other.uri), aliasOf(other.uri, root));
    for (const path of [places, yaml(site.uri), yaml(other.uri)])
      lchownSync(path, test.host.account.uid, test.host.account.gid);
    was = await observeSite(test.host, site);
    otherWas = await observeSite(test.host, other);
  });
  after(() => test[Symbol.asyncDispose]());

  const writeDrush = (exit: number): void => {
    const seen = join(test.host.home, 'static/drush.log');
    writeFileSync(drush, `#!/bin/sh\necho "$@" >> ${seen}\necho applied\nexit ${exit}\n`);
    chmodSync(drush, 0o755);
    writeFileSync(seen, '');
    lchownSync(seen, test.host.account.uid, test.host.account.gid);
  };
  const limitTime = async ({ statement, others }: Readonly<Record<'statement' | 'others', string>>): Promise<void> => {
    const names = ['wait_timeout', 'net_read_timeout', 'net_write_timeout'].map((name) => `GLOBAL ${name} = ${others}`);
    await test.host.mariadb.query(`SET ${names.join(', ')}, GLOBAL max_statement_time = ${statement}`);
  };
  const context = (uri: string): string => join(test.host.home, '.drush', `${uri}.alias.drushrc.php`);
  const yaml = (uri: string): string => join(test.host.home, '.drush/sites', `${uri.replace('.', '-')}.site.yml`);
  const aliasOf = (uri: string, root: string): string => `live:\n  root: ${root}\n  uri: '${uri}'\n`;
  const client = (uri: string): string => join(test.host.home, 'clients/admin', uri);
  const called = (): string => readFileSync(join(test.host.home, 'static/drush.log'), 'utf8');
  const rows = async (): Promise<ObservedDatabase> => {
    const seen = await observeDatabase(test.host.mariadb, site.database);
    return new Map([...seen].filter(([name]) => name.startsWith('checksum ') && !name.endsWith('.notes')));
  };
  const ofOthers = (tree: ObservedSite['files']): ObservedSite['files'] =>
    new Map([...tree].filter(([name]) => name !== 'files/own.pdf' && name !== 'settings.php'));
  const listNew = (): Promise<string> => test.host.mariadb.query(`SHOW DATABASES LIKE '${FRESH}'`);
  const assertNothingElse = async (): Promise<void> => assertSameSite(otherWas, await observeSite(test.host, other));

  it('a rename that keeps the database moves the very directory, puts the new name where the old one stands, and undo takes all of it back', async () => {
    const inode = lstatSync(site.path).ino;
    const aegir = readFileSync(context(site.uri), 'utf8');
    const before = await rows();
    const definition = (): Promise<string> => test.host.mariadb.query(`SHOW CREATE TABLE \`${site.database}\`.notes`);
    const defined = await definition();
    assert.ok(defined.includes(`DEFAULT nextval(\`${site.database}\`.\`numbers\`)`));
    const { plan } = await test.run(['rename', site.uri, NEW, '--keep-database', '--dry-run'], IdentityDocument);
    assert.deepEqual(
      plan.names.map(({ path, change }) => [path.slice(test.host.home.length + 1), change]),
      [
        [`.drush/${NEW}.alias.drushrc.php`, 'made'],
        [`.drush/${site.uri}.alias.drushrc.php`, 'removed'],
        ['.drush/sites/bazaar-example.org.site.yml', 'made'],
        ['.drush/sites/market-example.org.site.yml', 'removed'],
        ['distro/001/drupal-10-prod/sites/sites.php', 'changed'],
        [`clients/admin/${NEW}`, 'made'],
        [`clients/admin/${site.uri}`, 'removed'],
      ],
    );
    assert.deepEqual(
      [plan.obstacles, plan.rewrites.values?.map(({ table, replaced }) => [table, replaced])],
      [[], [['notes', 1]]],
    );
    // What a server grants to pages is none of a task's business: dump, load, rewriting and switch take longer.
    await limitTime({ statement: '0.001', others: '1' });
    const done = await test.run(['rename', site.uri, NEW, '--keep-database', '--yes'], IdentityDocument);
    await limitTime({ statement: 'DEFAULT', others: 'DEFAULT' });
    assert.deepEqual([done.state, done.problems], ['succeeded', []]);
    assert.ok(!existsSync(site.path));
    assert.equal(lstatSync(renamed.path).ino, inode);
    assert.deepEqual(differences(ofOthers(was.files), ofOthers(observeTree(renamed.path))), []);
    assert.deepEqual(differences(before, await rows()), []);
    assert.equal(await definition(), defined);
    assert.equal(readlinkSync(join(renamed.path, 'files/own.pdf')), join(renamed.path, 'files/harbour.pdf'));
    const notes = await test.host.mariadb.query(`SELECT body FROM \`${site.database}\`.notes ORDER BY id`);
    assert.equal(notes, `${php(`sites/${NEW}/files/ü.png`)}\nsites/harbour.example.org/files\n`);
    const found = await test.run(['sites'], SitesDocument);
    assert.deepEqual(
      found.map(({ uri, problems }) => [uri, problems]),
      [
        [NEW, []],
        [other.uri, []],
      ],
    );
    assert.equal((await observePage(site.url)).status, 200);
    assert.ok(!existsSync(context(site.uri)) && readlinkSync(client(NEW)) === renamed.path);
    const root = dirname(dirname(site.path));
    assert.equal(readFileSync(yaml(NEW), 'utf8'), aliasOf(NEW, root));
    assert.deepEqual(
      [existsSync(yaml(site.uri)), readFileSync(yaml(other.uri), 'utf8')],
      [false, aliasOf(other.uri, root)],
    );
    await assertNothingElse();

    const undone = await test.undo(done.task);
    assertSameSite(was, await observeSite(test.host, site));
    assert.ok(!existsSync(renamed.path));
    assert.deepEqual([readFileSync(context(site.uri), 'utf8'), readlinkSync(client(site.uri))], [aegir, site.path]);
    assert.deepEqual([readFileSync(yaml(site.uri), 'utf8'), existsSync(yaml(NEW))], [aliasOf(site.uri, root), false]);
    assert.equal((await observePage(site.url)).status, 200);
    const again = await test.undo(undone.task);
    assert.ok(!existsSync(site.path) && existsSync(renamed.path));
    await test.undo(again.task);
    assertSameSite(was, await observeSite(test.host, site));
    await assertNothingElse();
  });

  it('what the other platform lacks, or has older than the site’s tables, is named by the preview and stops a migration and a clone before anything moves', async () => {
    const root = dirname(dirname(site.path));
    const code = (platform: string): string => join(platform, 'modules/custom/dredger');
    const write = (platform: string, update: number): void => {
      mkdirSync(code(platform), { recursive: true });
      writeFileSync(join(code(platform), 'dredger.info.yml'), 'name: Dredger\ntype: module\nversion: 1.0.0\n');
      writeFileSync(join(code(platform), 'dredger.install'), `<?php\nfunction dredger_update_${update}() {}\n`);
    };
    write(root, 9302);
    const runs = 'a:2:{s:6:"module";a:1:{s:7:"dredger";i:0;}s:5:"theme";a:0:{}}';
    await test.host.mariadb.query(
      `USE \`${site.database}\`; INSERT INTO config VALUES ('', 'core.extension', '${runs}');
       INSERT INTO key_value (collection, name, value) VALUES ('system.schema', 'dredger', 'i:9302;');`,
    );
    const before = await observeSite(test.host, site);
    const databases = await test.host.mariadb.query('SHOW DATABASES');
    for (const [state, has] of [
      ['module-missing', () => rmSync(code(next), { recursive: true, force: true })],
      ['module-newer', () => write(next, 9301)],
    ] as const) {
      has();
      for (const args of [
        ['migrate', site.uri, '--platform', 'drupal_10_next'],
        ['clone', site.uri, NEW, '--platform', 'drupal_10_next'],
      ]) {
        const { plan } = IdentityDocument.parse((await test.attempt([...args, '--dry-run'])).document);
        assert.deepEqual(
          plan.obstacles.map((obstacle) => [obstacle.code, obstacle.path]),
          [[state, 'dredger']],
          args.join(' '),
        );
        const flags = args[0] === 'migrate' ? ['--yes'] : [];
        const { exit, document, complaint } = await test.attempt([...args, ...flags]);
        assert.deepEqual([exit, ErrorDocument.parse(document).error.code], [1, 'identity-obstructed']);
        assert.ok(complaint.includes('module dredger') && complaint.includes(next), complaint);
      }
    }
    assertSameSite(before, await observeSite(test.host, site));
    assert.equal(await test.host.mariadb.query('SHOW DATABASES'), databases);
    assert.ok(!existsSync(join(next, 'sites', site.uri)) && !existsSync(join(next, 'sites', NEW)));
    await assertNothingElse();
    for (const platform of [root, next]) rmSync(join(platform, 'modules'), { recursive: true });
    await test.host.mariadb.query(
      `USE \`${site.database}\`; DELETE FROM config WHERE name = 'core.extension'; DELETE FROM key_value WHERE name = 'dredger';`,
    );
  });

  it('a migration whose database updates fail leaves the site where it was', async () => {
    for (const flags of [[], ['--keep-database']]) {
      writeDrush(1);
      const moving = ['migrate', site.uri, '--platform', 'drupal_10_next', ...flags, '--yes'];
      const { exit, document } = await test.attempt(moving);
      assert.deepEqual([exit, ErrorDocument.parse(document).error.code], [1, 'update-failed']);
      assert.match(called(), /updatedb/);
      assertSameSite(was, await observeSite(test.host, site));
      assert.ok(!existsSync(join(next, 'sites', site.uri)));
      const left = await test.host.mariadb.query("SHOW DATABASES LIKE 'salvor%back%'");
      assert.equal(left, '');
      assert.equal(await listNew(), '');
      await assertNothingElse();
    }
  });

  it('a point of before a migration is not restored under other code unasked: it comes back where it lay, by undo or by migrating back', async () => {
    writeDrush(0);
    const { point } = await test.backUp(site);
    const moved = { ...site, path: join(next, 'sites', site.uri) };
    const migrate = (platform: string, ...flags: string[]): Promise<IdentityDocument> =>
      test.run(['migrate', site.uri, '--platform', platform, ...flags, '--yes'], IdentityDocument);
    const codes = async (...more: string[]): Promise<readonly (readonly string[])[]> => {
      const { document } = await test.attempt(['restore', site.uri, point, '--dry-run', ...more]);
      const { obstacles, notes } = RestoreDocument.parse(document).plan;
      const told = notes.filter(({ code }) => code === 'other-platform' || code === 'database-replaced');
      return [obstacles, told].map((of) => of.map(({ code }) => code));
    };
    const there = await migrate('drupal_10_next');
    writeFileSync(join(moved.path, 'stray.txt'), 'stray');
    const ruined = await observeSite(test.host, moved);
    const refused = await test.attempt(['restore', site.uri, point, '--yes']);
    assert.deepEqual([refused.exit, ErrorDocument.parse(refused.document).error.code], [1, 'restore-obstructed']);
    assert.match(refused.complaint, /drupal-10-prod.*still there.*salvor migrate .* --platform \S+drupal-10-prod/s);
    assertSameSite(ruined, await observeSite(test.host, moved));
    const both = ['other-platform', 'database-replaced'];
    assert.deepEqual(await codes(), [['platform-still-there'], ['database-replaced']]);
    assert.deepEqual(await codes('--only', 'databases'), [['platform-still-there'], ['database-replaced']]);
    assert.deepEqual(await codes('--path', 'files'), [[], both]);
    assert.deepEqual(await codes('--path', 'settings.php'), [['settings-of-then'], both]);
    assert.deepEqual(await codes('--despite-platform'), [[], both]);

    // Its tables come into the database that it has now, and it keeps the log-in to that.
    const database = there.plan.databases[0]?.newName ?? '';
    assert.notEqual(database, site.database);
    await test.host.mariadb.query(`DELETE FROM \`${database}\`.notes`);
    const settings = readFileSync(join(moved.path, 'settings.php'), 'utf8');
    assert.ok(settings.includes(`'${database}'`));
    const despite = ['restore', site.uri, point, '--despite-platform', '--yes'];
    const restored = RestoreDocument.parse((await test.attempt(despite)).document);
    assert.deepEqual([restored.state, existsSync(join(moved.path, 'stray.txt'))], ['succeeded', false]);
    assert.equal(await test.host.mariadb.query(`SELECT COUNT(*) FROM \`${database}\`.notes`), '2\n');
    assert.equal(readFileSync(join(moved.path, 'settings.php'), 'utf8'), settings);
    assert.equal(await test.host.mariadb.query(`SHOW TABLES FROM \`${site.database}\``), '');
    await test.undo(restored.task);
    assert.equal(await test.host.mariadb.query(`SELECT COUNT(*) FROM \`${database}\`.notes`), '0\n');
    await test.undo(there.task);
    assert.deepEqual(await codes(), [[], []]);

    await migrate('drupal_10_next', '--keep-database');
    // There is no Drush here: that is told, and stops nobody.
    const back = await test.attempt(['migrate', site.uri, '--platform', 'drupal_10', '--keep-database', '--yes']);
    assert.deepEqual([back.exit, IdentityDocument.parse(back.document).state], [3, 'warned']);
    const since = new Date();
    const { refreshed } = await test.restore(site, point);
    assertSameSite(was, await observeSite(test.host, site), { refreshed, since });
    assert.equal((await observePage(site.url)).status, 200);
    was = await observeSite(test.host, site);
    await assertNothingElse();
  });

  it('a migration moves the site under other code, runs its database updates as the account, and undo takes it back', async () => {
    writeDrush(0);
    const done = await test.run(['migrate', site.uri, NEW, '--platform', 'drupal_10_next', '--yes'], IdentityDocument);
    assert.deepEqual([done.state, done.problems], ['succeeded', []]);
    assert.equal(called().trim(), `--root=${next} --uri=${NEW} --yes updatedb`);
    assert.ok(!existsSync(site.path) && existsSync(join(next, 'sites', NEW, 'settings.php')));
    assert.deepEqual([readFileSync(yaml(NEW), 'utf8'), existsSync(yaml(site.uri))], [aliasOf(NEW, next), false]);
    const found = await test.run(['sites'], SitesDocument);
    assert.deepEqual(
      found.map(({ uri, platform, problems }) => [uri, platform, problems]),
      [
        [NEW, 'drupal_10_next', []],
        [other.uri, 'drupal_10', []],
      ],
    );
    assert.notEqual((await observePage(site.url)).status, 200);
    const undone = await test.undo(done.task);
    assertSameSite(was, await observeSite(test.host, site));
    assert.equal((await observePage(site.url)).status, 200);
    await test.run(['confirm', undone.task ?? ''], ConfirmDocument);
    assert.equal(await listNew(), '');
    rmSync(next, { recursive: true });
    await assertNothingElse();
  });

  describe('with the new database', { concurrency: 1 }, () => {
    const config = (): Config => loadConfig([salvorPlaces(test.host).config]);
    const tablesOf = async (database: string): Promise<number> =>
      Number(
        await test.host.mariadb.query(
          `SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = '${database}'`,
        ),
      );
    /** The site as it is under its new name, with a database that is its own alone. */
    const assertMoved = async (): Promise<void> => {
      const { sites } = await readHost(config(), new AbortController().signal);
      const found = sites.find(({ uri }) => uri === NEW);
      const [database] = found?.databases ?? [];
      assert.deepEqual(
        [found?.problems, database?.name, database?.login.user, existsSync(site.path)],
        [[], FRESH, FRESH, false],
      );
      assert.ok(database !== undefined && ![site.password, ''].includes(database.login.password ?? ''));
      const grants = await test.host.mariadb.query(`SHOW GRANTS FOR '${FRESH}'@'localhost'`);
      assert.deepEqual(
        new Set([...grants.matchAll(/ ON (\S+)/g)].map(([, on]) => on)),
        new Set(['*.*', `\`${FRESH}\`.*`]),
      );
      const notes = await test.host.mariadb.query(`SELECT body FROM \`${FRESH}\`.notes ORDER BY id`);
      assert.equal(notes, `${php(`sites/${NEW}/files/ü.png`)}\nsites/harbour.example.org/files\n`);
      assert.deepEqual([await tablesOf(site.database), (await tablesOf(FRESH)) > 10], [0, true]);
      assert.equal((await observePage(site.url)).status, 200);
      await assertNothingElse();
    };

    it('a rename gets a database, a user and a password of its own, and undo brings the old ones back', async () => {
      const { plan } = await test.run(['rename', site.uri, NEW, '--dry-run'], IdentityDocument);
      assert.ok(plan.notes.some(({ code, path }) => code === 'database-new' && path === site.database));
      const places = plan.rewrites.settings.flatMap((file) => file.places);
      assert.ok(['name', 'user', 'password'].every((what) => places.some((place) => place.what === what)));
      const before = await rows();
      const done = await test.run(['rename', site.uri, NEW, '--yes'], IdentityDocument);
      assert.deepEqual([done.state, done.problems], ['succeeded', []]);
      assert.deepEqual(
        done.plan.databases.map(({ name, newName, user }) => [name, newName, user]),
        [[site.database, FRESH, FRESH]],
      );
      await assertMoved();
      const moved = await observeDatabase(test.host.mariadb, FRESH);
      const named = new Map([...before].map(([name, sum]) => [name.replace(`${site.database}.`, `${FRESH}.`), sum]));
      const sums = [...moved].filter(([name]) => name.startsWith('checksum ') && !name.endsWith('.notes'));
      assert.deepEqual(differences(named, new Map(sums)), []);

      await using agent = await openAgentFor(config(), { clock: () => new Date() });
      const undone = await agent.undo(done.task ?? '');
      assertSameSite(was, await observeSite(test.host, site));
      assert.deepEqual([await tablesOf(FRESH), existsSync(renamed.path)], [0, false]);
      assert.equal((await observePage(site.url)).status, 200);
      await agent.confirm(undone.task ?? '');
      assert.equal(await listNew(), '');
      assertSameSite(was, await observeSite(test.host, site));
      await assertNothingElse();
    });

    it('is not given where somebody else has rights on the old one, or a file of others gives its log-in: it is kept, and that is told', async () => {
      const grant = (verb: string, to: string): Promise<string> =>
        test.host.mariadb.query(`${verb} SELECT ON \`${site.database}\`.* ${to} '${other.user}'@'localhost'`);
      await using agent = await openAgentFor(config(), { clock: () => new Date() });
      const wish = { newUri: NEW, platform: null, mask: false, dryRun: true };
      const seen = async ({ uri }: DemoSite): Promise<unknown> => {
        const { obstacles, notes, databases, rewrites } = (await agent.rename(uri, wish)).plan;
        const isRewritten = rewrites.settings.some(({ places }) => places.some(({ what }) => what === 'password'));
        const told = notes.filter(({ code }) => code.startsWith('database-')).map(({ code }) => code);
        return [obstacles, told, databases.map(({ isNew }) => isNew), isRewritten];
      };
      assert.deepEqual(await seen(site), [[], ['database-new'], [true], true]);
      await grant('GRANT', 'TO');
      assert.deepEqual(await seen(site), [[], ['database-kept'], [false], false]);
      await grant('REVOKE', 'FROM');
      // Its settings take the log-in from its virtual host, which nobody here writes.
      assert.deepEqual(await seen(other), [[], ['database-kept'], [false], false]);
      assert.equal(await listNew(), '');
      assertSameSite(was, await observeSite(test.host, site));
    });

    it('that is killed at any instant leaves the site exactly old or exactly new, and no database over', async (t) => {
      const seed = chooseSeed();
      t.diagnostic(`SALVOR_TEST_SEED=${seed}`);
      const random = new Random(seed);
      const step = STEPS[random.between(0, STEPS.length - 1)] ?? 'switch';
      const afterMs = random.between(0, MAX_AFTER_MS);
      await killInStep(test.host, ['rename', site.uri, NEW, '--yes'], step, afterMs);
      await using agent = await openAgentFor(config(), { clock: () => new Date() });
      const [task] = await agent.tasks({ site: null, states: [], count: 1 });
      t.diagnostic(`killed ${afterMs} ms after “${step}” began: ${task?.state}`);
      assert.equal(await test.host.mariadb.query(`SHOW DATABASES LIKE 'salvor\\_${task?.id}\\_new%'`), '');
      if (task?.state === 'succeeded') {
        await assertMoved();
        const undone = await agent.undo(task.id);
        await agent.confirm(undone.task ?? '');
      } else assert.equal(task?.state, 'rolled-back');
      assert.equal(await listNew(), '');
      assertSameSite(was, await observeSite(test.host, site));
      await assertNothingElse();
    });

    it('that is confirmed drops the old database and its user, and keeps the new ones', async () => {
      await using agent = await openAgentFor(config(), { clock: () => new Date() });
      const wish = { newUri: NEW, platform: null, mask: false, dryRun: false };
      const done = await agent.rename(site.uri, wish);
      await agent.confirm(done.task ?? '');
      assert.equal(
        await test.host.mariadb.query(
          `SELECT (SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '${site.database}' OR SCHEMA_NAME LIKE 'salvor%${done.task}%'),
             (SELECT COUNT(*) FROM mysql.user WHERE User = '${site.user}')`,
        ),
        '0\t0\n',
      );
      await assertMoved();
    });
  });
});
