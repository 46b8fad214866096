/**
 * A host on which Aegir lives on: its panel is one of the sites of the demo, with the tables of the queue in it. Aegir's
 * commands are stand-ins: processes that are called as its own are, and one that takes a site away as it would.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  AvailabilityDocument,
  BackupDocument,
  DeleteDocument,
  DoctorDocument,
  ErrorDocument,
  IdentityDocument,
  PointsDocument,
  RestoreDocument,
  TaskLogDocument,
  TasksDocument,
  UndoDocument,
} from '@salvor/contract';
import type { DemoSite } from '../../../demo/host.ts';
import { observeSite } from '../../../demo/observe-site.ts';
import { runSalvor, salvorPlaces } from '../../../demo/salvor-command.ts';
import { ABOUT_NAME, parseAbout } from '../../src/archives/archive-manifest.ts';
import { STEPS_HANDED_OVER } from '../../src/policies/task-steps.ts';
import { NEXT_PLATFORM, addPlatform } from '../fault/kill-sites.ts';
import { SALVOR } from '../cli/run-cli.ts';
import { inOwnMounts } from '../own-mounts.ts';
import { type TestHost, assertSameSite, openTestHost } from './open-test-host.ts';

const COPY = 'copy.example.org';

describe('beside a living Aegir', { concurrency: 1, timeout: 300_000 }, () => {
  let test: TestHost;
  let site: DemoSite;
  let panel: DemoSite;
  let context: string;
  let config: string;
  let configured: string;
  let archive: string;

  before(async () => {
    test = await openTestHost({ archives: true, withoutWordPress: true, nodes: 5, files: 5 });
    site = test.host.site('market.example.org');
    archive = (await test.backUp(site)).archive?.path ?? '';
    panel = test.host.site('harbour.example.org');
    context = join(test.host.home, '.drush/hostmaster.alias.drushrc.php');
    config = salvorPlaces(test.host).config;
    configured = readFileSync(config, 'utf8');
    writeFileSync(
      context,
      `<?php\n$aliases['hostmaster'] = array (\n  'context_type' => 'site',\n  'uri' => '${panel.uri}',\n);\n`,
    );
    await sql(`CREATE TABLE hosting_task (vid INT UNSIGNED PRIMARY KEY, nid INT UNSIGNED, task_type LONGTEXT, rid INT, task_status INT, executed INT, delta INT);
      CREATE TABLE hosting_context (nid INT UNSIGNED PRIMARY KEY, name VARCHAR(100) UNIQUE);
      INSERT INTO hosting_context VALUES (901, '${site.uri}'), (902, 'platform_x');
      INSERT INTO node (nid, vid, type, uuid, langcode) VALUES (9001, 9002, 'task', UUID(), 'en');
      INSERT INTO hosting_task VALUES (9001, 9001, 'migrate', 901, -1, UNIX_TIMESTAMP(), 0), (9002, 9001, 'migrate', 901, 0, 0, 0);`);
  });
  after(() => test[Symbol.asyncDispose]());

  const sql = (text: string): Promise<string> => test.host.mariadb.query(`USE \`${panel.database}\`; ${text}`);
  const setTask = (status: number, executed = 'UNIX_TIMESTAMP()'): Promise<string> =>
    sql(`UPDATE hosting_task SET task_status = ${status}, executed = ${executed} WHERE vid = 9002`);
  const say = (policy: string, archives = 'none'): void =>
    writeFileSync(
      config,
      `${configured.replace(/^policy:.*\n(?:[ \t].*\n)*/m, '')}policy: { ${policy}, archives: { format: ${archives} } }\n`,
    );
  const codeOf = (document: unknown): string => ErrorDocument.parse(document).error.code;
  const remove = (): ReturnType<TestHost['attempt']> =>
    test.attempt(['delete', site.uri, '--confirm', site.uri, '--yes']);

  it('a task that is queued, over, or an earlier try of one keeps nobody waiting', async () => {
    // An earlier try of the task is said to run: only the last one counts.
    await test.backUp(site);
    await setTask(-1, 'UNIX_TIMESTAMP() - 9 * 3600');
    await test.backUp(site);
  });

  it('a backup waits for the task that runs on its site, and begins when that is over', async () => {
    await setTask(-1);
    say('aegir: { wait: 1s }');
    const busy = await test.attempt(['backup', site.uri]);
    assert.equal(codeOf(busy.document), 'aegir-busy');
    assert.match(busy.complaint, /9001 \(migrate\)/);
    await test.run(['backup', panel.uri], BackupDocument);
    say('aegir: { wait: 60s }');
    const waiting = test.run(['backup', site.uri], BackupDocument);
    await Promise.race([waiting.then(() => assert.fail('it did not wait')), waitsInLog(site.uri)]);
    await setTask(1);
    assert.equal((await waiting).state, 'succeeded');
  });

  it('a restore waits for a command of Aegir that somebody began by hand, and so does its undo', async () => {
    say('aegir: { wait: 60s }');
    const { uid, gid } = test.host.account;
    const owner = process.getuid?.() === 0 ? { uid, gid } : {};
    const whileItRuns = async <T>(task: () => Promise<T>): Promise<T> => {
      using command = spawn(
        'sh',
        ['-c', 'read line; exit', 'drush', `@${site.uri}`, 'provision-verify', '/usr/bin/drush'],
        { stdio: ['pipe', 'ignore', 'ignore'], ...owner },
      );
      const waiting = task();
      await Promise.race([waiting.then(() => assert.fail('it did not wait')), waitsInLog(site.uri)]);
      command.stdin?.end('\n');
      return await waiting;
    };
    // In processes of their own: what this one has begun is ours, and waited for by nobody.
    const restored = await whileItRuns(() => runSalvor(test.host, ['restore', site.uri, '--yes']));
    const { task, state } = RestoreDocument.parse(restored.document);
    assert.equal(state, 'succeeded');
    const undone = await whileItRuns(() => runSalvor(test.host, ['undo', task ?? '', '--yes']));
    assert.equal(UndoDocument.parse(undone.document).state, 'succeeded');
  });

  it('a delete is refused, and so is all that changes which sites there are, with the way out', async () => {
    say('restore: { maintenance: no }');
    const was = await observeSite(test.host, site);
    const there = readdirSync(dirname(site.path)).toSorted();
    const refused = await remove();
    assert.equal(codeOf(refused.document), 'aegir-owns-site');
    const preview = DeleteDocument.parse((await test.attempt(['delete', site.uri, '--dry-run'])).document);
    assert.deepEqual(
      preview.plan.obstacles.map(({ code }) => code),
      ['aegir-owns-site'],
    );
    for (const args of [
      ['clone', site.uri, COPY],
      ['rename', site.uri, COPY, '--yes'],
      ['migrate', site.uri, '--platform', 'drupal_10', '--yes'],
      ['import', archive, '--uri', COPY, '--platform', 'drupal_10'],
      ['disable', site.uri],
    ]) {
      const { exit, document, complaint } = await test.attempt(args);
      assert.deepEqual([exit, codeOf(document)], [1, 'aegir-owns-site'], args.join(' '));
      assert.ok(complaint.includes(panel.uri) && complaint.includes('adopt: instead'), complaint);
    }
    assertSameSite(was, await observeSite(test.host, site));
    assert.deepEqual(readdirSync(dirname(site.path)).toSorted(), there);
    say('adopt: instead');
    const ours = await test.run(['delete', site.uri, '--dry-run'], DeleteDocument);
    assert.deepEqual(ours.plan.obstacles, []);
  });

  it('is asked no more where its panel is gone, and named where its database does not answer', async () => {
    say('aegir: { wait: 1s }');
    await sql('RENAME TABLE hosting_task TO hosting_task_away');
    const { exit, document } = await test.attempt(['backup', site.uri]);
    await sql('RENAME TABLE hosting_task_away TO hosting_task');
    assert.equal(exit, 3);
    assert.deepEqual(
      BackupDocument.parse(document).problems.map(({ code }) => code),
      ['aegir-unseen'],
    );
    const text = readFileSync(context, 'utf8');
    writeFileSync(context, text.replace(panel.uri, 'gone.example.org'));
    assert.deepEqual((await test.run(['delete', site.uri, '--dry-run'], DeleteDocument)).plan.obstacles, []);
    writeFileSync(context, text);
  });

  it('the doctor names what its panel deletes and makes by itself, and each job of BOA with the switch that stops it', async () => {
    await sql(`CREATE TABLE system (name VARCHAR(64), type VARCHAR(12), status INT, schema_version INT, filename VARCHAR(99));
      INSERT INTO system VALUES ('hosting_backup_gc', 'module', 1, 0, 'x'), ('hosting_backup_queue', 'module', 0, 0, 'x')`);
    const line = (minute: string, name: string): string => `${minute} * * * bash /var/xdrago/${name} >/dev/null 2>&1\n`;
    const crontab = join(test.host.directory, 'crontab');
    const jobs = [line('15 4', 'daily.sh'), line('*/3 *', 'manage_ltd_users.sh'), line('15 1', 'mysql_backup.sh')];
    writeFileSync(crontab, jobs.join(''));
    const spool = 'mount -t tmpfs none /var/spool && mkdir -p /var/spool/cron/crontabs';
    const [file, ...args] = inOwnMounts(`${spool} && cp "$1" /var/spool/cron/crontabs/root && shift && exec "$@"`, [
      crontab,
      SALVOR,
      'doctor',
      '--json',
    ]);
    const env = { ...process.env, HOME: test.host.directory, SALVOR_CONFIG: config };
    const { findings } = DoctorDocument.parse(JSON.parse(spawnSync(file, args, { env }).stdout.toString()));
    await sql('DROP TABLE system');
    const foreign = findings.filter(({ path }) => path === '/var/spool/cron/crontabs/root');
    assert.deepEqual(
      foreign.map(({ code, severity }) => [code, severity]),
      [
        ['foreign-job-deletes', 'warning'],
        ['foreign-job-deletes', 'warning'],
        ['foreign-job-empties', 'warning'],
      ],
    );
    for (const [index, says, remedy] of [
      [0, /daily\.sh of BOA .*root:1\) deletes what is older/, /_DEL_OLD_BACKUPS=3650/],
      [1, /manage_ltd_users\.sh of BOA .*root:2\) removes clients\/\*\/backups .* every few minutes/, /no switch/],
      [2, /mysql_backup\.sh of BOA .*root:3\) empties cache tables/, /comment it out in \S+root, line 3/],
    ] as const) {
      assert.match(foreign[index]?.message ?? '', says);
      assert.match(foreign[index]?.remedy ?? '', remedy);
    }
    assert.deepEqual(
      findings.filter(({ code }) => code.startsWith('aegir-')).map(({ code, path }) => [code, path]),
      [['aegir-deletes-archives', panel.uri]],
    );
  });

  it('clone, migrate, rename, import, disable and enable are handed over too: a safety point, the command, our look at what came of it', async () => {
    await addPlatform(test.host);
    const root = dirname(dirname(site.path));
    const next = join(dirname(root), NEXT_PLATFORM);
    const record = join(test.host.home, 'static/aegir.record');
    const script = join(test.host.home, 'static/aegir.sh');
    writeFileSync(
      script,
      `echo "$SALVOR_OPERATION $SALVOR_SITE \${SALVOR_NEW_URI:--} \${SALVOR_NEW_PLATFORM:--} \${SALVOR_ARCHIVE:--} $(id -u)" >>'${record}'
cd "$SALVOR_PLATFORM/sites" || exit 9
case "$SALVOR_OPERATION" in
  clone) cp -a "$SALVOR_SITE" "$SALVOR_NEW_URI" || true;;
  import) tar -tzf "$SALVOR_ARCHIVE" ./settings.php && cp -a '${site.uri}' "$SALVOR_NEW_URI" || true;;
  rename) mv "$SALVOR_SITE" "$SALVOR_NEW_URI";;
  migrate) mv "$SALVOR_SITE" "$SALVOR_NEW_PLATFORM/sites/";;
esac`,
    );
    writeFileSync(record, '');
    chmodSync(record, 0o666);
    const handedOver = async (...args: string[]): Promise<readonly string[]> => {
      const { exit, document, complaint } = await test.attempt(args);
      assert.ok(exit === 0 || exit === 3, complaint);
      const { problems, undoUntil, plan, safetyPoint, archive: made } = document as IdentityDocument;
      assert.equal(undoUntil, null);
      assert.deepEqual(plan.obstacles, []);
      const [task] = await test.run(['tasks', '--limit', '1'], TasksDocument);
      const log = await test.run(['task', 'log', task?.id ?? ''], TaskLogDocument);
      const said = log.lines.flatMap(
        ({ text }) => /^(safety point: done|Aegir: begins|verify: done)/.exec(text)?.[0] ?? [],
      );
      const isNew = args[0] === 'import';
      assert.deepEqual(said, [...(isNew ? [] : ['safety point: done']), 'Aegir: begins', 'verify: done']);
      const steps = log.lines.flatMap(({ text }) => /^([^:]+): begins$/.exec(text)?.[1] ?? []);
      assert.deepEqual(
        steps.filter((step) => !isHandedOverStep(step)),
        [],
      );
      const points = await test.run(['points', site.uri], PointsDocument);
      const point = points.find(({ id }) => id === task?.point);
      if (isNew) assert.deepEqual([safetyPoint, task?.point], [null, null]);
      else assert.equal(point?.safety, true, args.join(' '));
      if (args[0] === 'rename') {
        const { mode, uid: owner, size } = statSync(made?.path ?? '');
        assert.deepEqual([mode & 0o777, owner, size], [0o600, uid, made?.bytes]);
        assert.equal(point?.archive?.path, made?.path);
        const about = execFileSync('tar', ['-xOzf', made?.path ?? '', `./${ABOUT_NAME}`]);
        assert.deepEqual([parseAbout(about)?.point, task?.point], [safetyPoint, safetyPoint]);
      }
      return problems.map(({ code }) => code).filter((code) => code.startsWith('aegir-'));
    };
    const { uid } = test.host.account;
    const beside = (archives?: string): void => say(`aegir: { command: [sh, '${script}'] }`, archives);
    beside();
    assert.deepEqual(await handedOver('clone', site.uri, COPY), []);
    rmSync(join(root, 'sites', COPY), { recursive: true });
    assert.deepEqual(await handedOver('import', archive, '--uri', COPY, '--platform', 'drupal_10'), []);
    rmSync(join(root, 'sites', COPY), { recursive: true });
    beside('tar.gz');
    assert.deepEqual(await handedOver('rename', site.uri, COPY, '--yes'), []);
    beside();
    renameSync(join(root, 'sites', COPY), site.path);
    assert.deepEqual(await handedOver('migrate', site.uri, '--platform', next, '--yes'), []);
    renameSync(join(next, 'sites', site.uri), site.path);
    assert.deepEqual(await handedOver('disable', site.uri), []);
    say('adopt: instead');
    AvailabilityDocument.parse((await test.attempt(['disable', site.uri])).document);
    say('restore: { maintenance: no }');
    assert.equal(codeOf((await test.attempt(['enable', site.uri])).document), 'aegir-owns-site');
    beside();
    assert.deepEqual(await handedOver('enable', site.uri), []);
    say('adopt: instead');
    AvailabilityDocument.parse((await test.attempt(['enable', site.uri])).document);
    assert.deepEqual(readFileSync(record, 'utf8').trim().split('\n'), [
      `clone ${site.uri} ${COPY} - - ${uid}`,
      `import ${COPY} ${COPY} ${root} ${archive} ${uid}`,
      `rename ${site.uri} ${COPY} - - ${uid}`,
      `migrate ${site.uri} ${site.uri} ${next} - ${uid}`,
      `disable ${site.uri} ${site.uri} - - ${uid}`,
      `enable ${site.uri} ${site.uri} - - ${uid}`,
    ]);
  });

  it('a command that has Aegir do it runs between our safety point and our look, and a wrong end is told', async () => {
    say(`aegir: { command: [sh, -c, 'echo "$SALVOR_OPERATION $SALVOR_SITE"; exit 3'] }`);
    const failed = await remove();
    assert.equal(codeOf(failed.document), 'hook-failed');
    say(`aegir: { command: ['true'] }`);
    const undone = await remove();
    assert.deepEqual(
      [undone.exit, DeleteDocument.parse(undone.document).problems.map(({ code }) => code)],
      [3, ['aegir-not-done']],
    );
    const drush = join(test.host.home, '.drush', `${site.uri}.alias.drushrc.php`);
    say(`aegir: { command: [sh, -c, 'rm -rf "$SALVOR_SITE_PATH" "$0"', '${drush}'] }`);
    const notes = (await test.run(['delete', site.uri, '--dry-run'], DeleteDocument)).plan.notes;
    assert.ok(notes.some(({ code }) => code === 'handed-over'));
    rmSync(join(test.host.home, 'clients/admin', site.uri), { force: true });
    const done = await test.run(['delete', site.uri, '--confirm', site.uri, '--yes'], DeleteDocument);
    assert.equal(existsSync(site.path), false);
    assert.deepEqual([done.state, done.undoUntil], ['succeeded', null]);
    const points = await test.run(['points', site.uri], PointsDocument);
    assert.ok(
      points.some(({ id }) => id === done.safetyPoint),
      'the safety point outlives the site',
    );
  });

  /** Resolves when the newest task of the site says in its log that it waits. */
  async function waitsInLog(uri: string): Promise<void> {
    let log = '';
    for (const until = performance.now() + 20_000; performance.now() < until && !log.includes('waits for Aegir');) {
      await sleep(50);
      const [task] = await test.run(['tasks', '--site', uri], TasksDocument);
      log = task === undefined ? '' : (await test.attempt(['task', 'log', task.id])).output;
    }
    assert.match(log, /waits for Aegir/);
  }
});

function isHandedOverStep(step: string): boolean {
  return STEPS_HANDED_OVER.some((name) => name === step);
}
