/** A site becomes two: each with its own database, user and files, and neither is touched by what becomes of the other. */
import assert from 'node:assert/strict';
import {
  existsSync,
  lchownSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { get } from 'node:http';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  ConfirmDocument,
  DeleteDocument,
  ErrorDocument,
  IdentityDocument,
  SitesDocument,
  TasksDocument,
} from '@salvor/contract';
import type { DemoSite } from '../../../demo/host.ts';
import {
  type ObservedDatabase,
  type ObservedSite,
  differences,
  observeDatabase,
  observeSite,
  observeTree,
} from '../../../demo/observe-site.ts';
import { Random } from '../../../demo/random.ts';
import { salvorPlaces } from '../../../demo/salvor-command.ts';
import { chooseSeed } from '../fault/kill-loop.ts';
import { killInStep } from './kill-in-step.ts';
import { type TestHost, assertSameSite, openTestHost } from './open-test-host.ts';

const NEW = 'copy.example.org';
const DATABASE = 'copyexampleorg';
const STEPS = [
  'plan',
  'safety point',
  'name the databases',
  'build the files',
  'rewrite',
  'sync the disks',
  'switch',
  'switch',
  'keep',
];
const MAX_AFTER_MS = 150;
/** Each takes seconds. */
const KILLS = 2;

const php = (path: string): string => `a:1:{s:4:"logo";s:${Buffer.byteLength(path)}:"${path}";}`;

describe('clone', { concurrency: 1 }, () => {
  let test: TestHost;
  let site: DemoSite;
  let other: DemoSite;
  let was: ObservedSite;
  let otherWas: ObservedSite;
  let newPath: string;

  before(async () => {
    test = await openTestHost({ withoutWordPress: true, nodes: 5, files: 5 });
    site = test.host.site('market.example.org');
    other = test.host.site('harbour.example.org');
    newPath = join(dirname(site.path), NEW);
    await test.host.mariadb.query(
      `USE \`${site.database}\`; SET NAMES utf8mb4;
       CREATE TABLE told (n INT);
       CREATE SEQUENCE numbers; CREATE TABLE tickets (id BIGINT DEFAULT NEXTVAL(numbers) PRIMARY KEY, name TEXT); INSERT INTO tickets (name) VALUES ('a');
       CREATE TABLE notes (id INT PRIMARY KEY, body LONGTEXT, changed TIMESTAMP DEFAULT '2020-01-01' ON UPDATE CURRENT_TIMESTAMP);
       INSERT INTO notes (id, body) VALUES
         (1, '${php('sites/market.example.org/files/ü.png')}'),
         (2, '{"at":"https:\\\\/\\\\/market.example.org\\\\/x"}'),
         (3, 'https://cdn.example/sites/market.example.org/x and sites/harbour.example.org/files');
       CREATE DEFINER = '${site.user}'@'localhost' TRIGGER tell AFTER UPDATE ON notes FOR EACH ROW INSERT INTO told VALUES (NEW.id);`,
    );
    const target = join(test.host.home, 'static/market.private');
    renameSync(join(site.path, 'private/files/contracts'), target);
    for (const [name, to] of [
      ['private/files/contracts', target],
      ['files/own.pdf', join(site.path, 'files/harbour.pdf')],
      ['files/sideways.pdf', '../../market.example.org/files/harbour.pdf'],
    ] as const) {
      symlinkSync(to, join(site.path, name));
      lchownSync(join(site.path, name), test.host.account.uid, test.host.account.gid);
    }
    const aliases = dirname(yaml(NEW));
    mkdirSync(aliases);
    writeFileSync(yaml(site.uri), aliasOf(site.uri));
    for (const path of [aliases, yaml(site.uri)]) lchownSync(path, test.host.account.uid, test.host.account.gid);
    was = await observeSite(test.host, site);
    otherWas = await observeSite(test.host, other);
  });
  after(() => test[Symbol.asyncDispose]());

  /** As Drush from 10 on has its aliases. */
  const yaml = (uri: string): string => join(test.host.home, '.drush/sites', `${uri.replace('.', '-')}.site.yml`);
  const aliasOf = (uri: string): string => `live:\n  root: ${dirname(dirname(site.path))}\n  uri: '${uri}'\n`;
  const clone = (): Promise<IdentityDocument> => test.run(['clone', site.uri, NEW], IdentityDocument);
  const query = (sql: string): Promise<string> => test.host.mariadb.query(sql);
  const databases = (): Promise<string> => query('SELECT SCHEMA_NAME FROM information_schema.SCHEMATA ORDER BY 1');
  const users = (): Promise<string> => query('SELECT User, Host FROM mysql.user ORDER BY 1, 2');
  const staged = (): readonly string[] => {
    const place = join(salvorPlaces(test.host).staging, test.host.account.name);
    return existsSync(place) ? readdirSync(place) : [];
  };
  const assertOriginsUntouched = async (): Promise<void> => {
    assertSameSite(was, await observeSite(test.host, site));
    assertSameSite(otherWas, await observeSite(test.host, other));
  };
  /** Rows only: definers and the name of the database are the site's own. */
  const rowsOf = async (database: string, without: readonly string[]): Promise<ObservedDatabase> => {
    const seen = await observeDatabase(test.host.mariadb, database);
    return new Map(
      [...seen]
        .filter(([name]) => name.startsWith('checksum ') && !without.some((table) => name.endsWith(`.${table}`)))
        .map(([name, value]) => [name.replace(database, 'database'), value]),
    );
  };
  const assertWhole = async (database: string): Promise<void> => {
    const isOwn = (name: string): boolean =>
      ['settings.php', 'files/own.pdf', 'files/sideways.pdf', '.'].includes(name) ||
      name.startsWith('private/files/contracts');
    const withoutOwn = (tree: ObservedSite['files']): ObservedSite['files'] =>
      new Map([...tree].filter(([name]) => !isOwn(name)));
    assert.deepEqual(differences(withoutOwn(was.files), withoutOwn(observeTree(newPath))), []);
    assert.deepEqual(differences(await rowsOf(site.database, ['notes']), await rowsOf(database, ['notes'])), []);
    assert.equal(await pageOf(NEW), 200);
  };
  const pageOf = async (host: string): Promise<number | undefined> => {
    const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
    get(site.url, { headers: { host } }, (answer) => resolve(answer.resume().statusCode)).on('error', reject);
    return await promise;
  };

  it('with --dry-run shows each column that would be rewritten, and makes nothing', async () => {
    const before = [await databases(), await users()];
    const { plan, task } = await test.run(['clone', site.uri, NEW, '--dry-run'], IdentityDocument);
    assert.deepEqual([task, plan.obstacles, plan.newPath], [null, [], newPath]);
    assert.deepEqual(
      plan.rewrites.values?.map(({ table, column, values, replaced, foreign }) => [
        table,
        column,
        values,
        replaced,
        foreign,
      ]),
      [['notes', 'body', 2, 2, 1]],
    );
    assert.deepEqual(
      plan.names.map(({ path, change }) => [path.slice(test.host.home.length + 1), change]),
      [
        [`.drush/${NEW}.alias.drushrc.php`, 'made'],
        ['.drush/sites/copy-example.org.site.yml', 'made'],
        [`clients/admin/${NEW}`, 'made'],
      ],
    );
    assert.match(plan.rewrites.values?.[0]?.samples[0]?.after ?? '', /sites\/copy\.example\.org/);
    assert.deepEqual(
      plan.notes.map(({ code }) => code),
      ['moved-out-copied'],
    );
    const places = plan.rewrites.settings.flatMap(({ places: of }) => of);
    assert.deepEqual(
      places.filter(({ what }) => what === 'secret').map(({ before: was0, after: is }) => [was0, is]),
      [[null, null]],
    );
    assert.ok(!existsSync(newPath));
    assert.deepEqual([await databases(), await users()], before);
  });

  it('is refused for a name that somebody has, or that is none, and for rights that would be somebody’s', async () => {
    for (const [name, code] of [
      [other.uri, 'uri-taken'],
      ['../x', 'uri-refused'],
    ] as const) {
      const { document } = await test.attempt(['clone', site.uri, name, '--dry-run']);
      assert.ok(
        IdentityDocument.parse(document).plan.obstacles.some((obstacle) => obstacle.code === code),
        name,
      );
    }
    const unknown = await test.attempt(['clone', site.uri, NEW, '--platform', 'nowhere', '--dry-run']);
    assert.deepEqual(
      IdentityDocument.parse(unknown.document).plan.obstacles.map(({ code }) => code),
      ['platform-unknown'],
    );
    const refused = await test.attempt(['clone', site.uri, other.uri]);
    assert.equal(ErrorDocument.parse(refused.document).error.code, 'identity-obstructed');
    await assertOriginsUntouched();
  });

  it('has its own database, user, files and links, and values that name it', async () => {
    // A right that somebody has on a database before there is one.
    await query(`GRANT SELECT ON \`${DATABASE}\`.* TO '${other.user}'@'localhost'`);
    const { state, plan, task, rewritten, problems } = await clone();
    assert.deepEqual([state, problems], ['succeeded', []]);
    await query(`REVOKE SELECT ON \`${DATABASE}\`.* FROM '${other.user}'@'localhost'`);
    const [made] = plan.databases;
    assert.deepEqual([made?.name, made?.newName, made?.user], [site.database, `${DATABASE}_0`, `${DATABASE}_0`]);
    assert.deepEqual(
      rewritten.map(({ table, replaced, foreign }) => [table, replaced, foreign]),
      [['notes', 2, 1]],
    );
    await assertWhole(`${DATABASE}_0`);
    assert.deepEqual(
      [site.uri, NEW].map((uri) => readFileSync(yaml(uri), 'utf8')),
      [site.uri, NEW].map(aliasOf),
    );
    const notes = await query(`SELECT body, changed FROM \`${DATABASE}_0\`.notes ORDER BY id`);
    assert.deepEqual(notes.trim().split('\n'), [
      `${php('sites/copy.example.org/files/ü.png')}\t2020-01-01 00:00:00`,
      String.raw`{"at":"https:\\/\\/copy.example.org\\/x"}` + '\t2020-01-01 00:00:00',
      'https://cdn.example/sites/market.example.org/x and sites/harbour.example.org/files\t2020-01-01 00:00:00',
    ]);
    const tickets = await query(`SHOW CREATE TABLE \`${DATABASE}_0\`.tickets`);
    assert.match(tickets, new RegExp(`DEFAULT nextval\\(\`${DATABASE}_0\`\\.\`numbers\`\\)`));
    // A trigger that the rewriting would have set off is there, and has told nothing.
    const told = await query(
      `USE \`${DATABASE}_0\`; SELECT (SELECT COUNT(*) FROM told), (SELECT DEFINER FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = '${DATABASE}_0' AND TRIGGER_NAME = 'tell')`,
    );
    assert.equal(told.trim(), `0\t${DATABASE}_0@localhost`);
    assert.equal(readlinkSync(join(newPath, 'files/own.pdf')), join(newPath, 'files/harbour.pdf'));
    assert.equal(readlinkSync(join(newPath, 'files/sideways.pdf')), 'harbour.pdf');
    assert.ok(existsSync(join(newPath, 'private/files/contracts/2024-quay.txt')));
    assert.ok(!readFileSync(join(newPath, 'settings.php'), 'utf8').includes(site.password));
    const saltIn = (path: string): string =>
      /'hash_salt'\] = '(.{40,})';/.exec(readFileSync(join(path, 'settings.php'), 'utf8'))?.[1] ?? assert.fail(path);
    assert.notEqual(saltIn(newPath), saltIn(site.path));
    const rights = await query(
      `SELECT GRANTEE, REPLACE(TABLE_SCHEMA, '\\\\', '') FROM information_schema.SCHEMA_PRIVILEGES WHERE GRANTEE LIKE '_copy%' GROUP BY 1, 2`,
    );
    assert.equal(rights.trim(), `'${DATABASE}_0'@'localhost'\t${DATABASE}_0`);
    const found = (await test.run(['sites'], SitesDocument)).find(({ uri }) => uri === NEW);
    assert.deepEqual([found?.path, found?.databases[0]?.sharedWith, found?.problems], [newPath, [], []]);
    await assertOriginsUntouched();

    const undone = await test.undo(task);
    assert.ok(!existsSync(newPath));
    const again = await test.undo(undone.task);
    await assertWhole(`${DATABASE}_0`);
    await test.undo(again.task);
    await assertOriginsUntouched();
  });

  it('that was taken back goes for good with its database and its user when that is confirmed', async () => {
    const [undone] = await test.run(['tasks', '--limit', '1'], TasksDocument);
    const { isDropped } = await test.run(['confirm', undone?.id ?? ''], ConfirmDocument);
    assert.ok(isDropped);
    assert.doesNotMatch(await databases(), /copyexampleorg|salvor_/);
    assert.doesNotMatch(await users(), /copyexampleorg|salvor_/);
    assert.deepEqual(staged(), []);
  });

  it('can be deleted for good without its origin being touched', async () => {
    await clone();
    const { task } = await test.run(['delete', NEW, '--confirm', NEW, '--yes'], DeleteDocument);
    const { isDropped } = await test.run(['confirm', task ?? ''], ConfirmDocument);
    assert.ok(isDropped);
    assert.doesNotMatch(await databases(), /copyexampleorg/);
    assert.doesNotMatch(await users(), /copyexampleorg/);
    await assertOriginsUntouched();
  });

  it('that is killed at any instant is there whole or not at all, and its origin is untouched', async (t) => {
    const seed = chooseSeed();
    t.diagnostic(`SALVOR_TEST_SEED=${seed}`);
    const random = new Random(seed);
    const before = [await databases(), await users()];
    for (let kills = 0; kills < KILLS; kills++) {
      const step = STEPS[random.between(0, STEPS.length - 1)] ?? 'switch';
      const afterMs = random.between(0, MAX_AFTER_MS);
      await killInStep(test.host, ['clone', site.uri, NEW], step, afterMs);
      const [task] = await test.run(['tasks', '--limit', '1'], TasksDocument);
      t.diagnostic(`killed ${afterMs} ms after “${step}” began: ${task?.state}`);
      if (task?.state === 'succeeded') {
        await assertWhole(DATABASE);
        const { task: undo } = await test.undo(task.id);
        await test.run(['confirm', undo ?? ''], ConfirmDocument);
      } else assert.equal(task?.state, 'rolled-back');
      assert.ok(!existsSync(newPath));
      assert.deepEqual(
        [await databases(), await users()].map((text) => text.replaceAll(/^salvor_.*\n/gm, '')),
        before.map((text) => text.replaceAll(/^salvor_.*\n/gm, '')),
      );
      assert.doesNotMatch(await databases(), /salvor_\w+_new/);
      assert.deepEqual(
        staged().filter((name) => name === task?.id && task.state !== 'succeeded'),
        [],
      );
      await assertOriginsUntouched();
    }
  });
});
