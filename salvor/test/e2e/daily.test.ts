/** The nightly job on a host with three sites: two copies, a third one, and every site brought back out of its account's point. */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { execFileSync } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { zstdDecompressSync } from 'node:zlib';
import {
  DailyDocument,
  ExportDocument,
  InitDocument,
  KeysRotateDocument,
  LsDocument,
  PointsDocument,
  PolicyDocument,
  RecoverDocument,
  RestoreDocument,
  SitesDocument,
  SimulationDocument,
} from '@salvor/contract';
import type { DemoSite } from '../../../demo/host.ts';
import { type ObservedSite, observeSite } from '../../../demo/observe-site.ts';
import { runRestic, salvorPlaces } from '../../../demo/salvor-command.ts';
import { quoteName } from '../../../demo/sql.ts';
import { openAgentFor } from '../../src/compose.ts';
import { loadConfig } from '../../src/config.ts';
import { RECOVERY_USER } from '../../src/points/recovery-key.ts';
import { readRecoveryProofs } from '../../src/points/recovery-proofs.ts';
import { assertSame, assertSameSite, lookAt, openTestHost, type Look, type TestHost } from './open-test-host.ts';

const SALVOR = fileURLToPath(new URL('../../../bin/salvor', import.meta.url));

/** What the host is opened with: tasks write no archives. */
const ONLY_POLICY = 'archives: { format: none }';

type Observed = readonly ObservedSite[];

describe('the nightly job', () => {
  let test: TestHost;
  let sites: readonly DemoSite[];
  let before1: Look;
  let observed: Observed;
  let observedAfter: Observed;
  let night: DailyDocument;

  before(async () => {
    test = await openTestHost({ posts: 4, nodes: 20, files: 20, withRemote: true });
    sites = test.host.sites;
    for (const site of sites) {
      const css = join(site.path, 'files/css');
      if (site.cms !== 'drupal') continue;
      mkdirSync(css, { recursive: true });
      writeFileSync(join(css, 'made-again.css'), 'a {}');
    }
    disable(sites[2] as DemoSite);
    const { config } = salvorPlaces(test.host);
    const halfEachNight = `policy: { check: { within: 2d }, ${ONLY_POLICY} }`;
    writeFileSync(config, readFileSync(config, 'utf8').replace(`policy: { ${ONLY_POLICY} }`, halfEachNight));
    before1 = await lookAt(test.host, sites[1] as DemoSite);
    observed = await observe();
    night = await test.run(['daily'], DailyDocument);
    observedAfter = await observe();
  });
  after(() => test[Symbol.asyncDispose]());

  const query = (site: DemoSite, sql: string): Promise<string> =>
    test.host.mariadb.query(`USE ${quoteName(site.database)}; ${sql}`);

  const observe = async (): Promise<Observed> => await Promise.all(sites.map((site) => observeSite(test.host, site)));

  /** Of tasks that ended 390 and 410 days ago; the night after keeps the row of the first one alone. */
  const addOldTasks = (): (() => void) => {
    const file = join(salvorPlaces(test.host).stateDir, 'salvor.sqlite');
    using db = new DatabaseSync(file);
    const tasks = [390, 410].map((days) => ({
      id: `${days}daysold`,
      ended: new Date(Date.now() - days * 86_400_000).toISOString(),
    }));
    for (const { id, ended } of tasks) {
      db.prepare(
        `INSERT INTO tasks (id, operation, account, uri, state, priority, queued, ended, pid, process_start, attempt, attempts, problems)
         VALUES (?, 'backup', 'o1', 'gone.example.org', 'succeeded', 1, ?, ?, 1, '1', 1, 1, 0)`,
      ).run(id, ended, ended);
      db.prepare("INSERT INTO task_log (task, number, time, line) VALUES (?, 0, ?, 'said')").run(id, ended);
    }
    return () => {
      using after = new DatabaseSync(file, { readOnly: true });
      const rows = after.prepare("SELECT id FROM tasks WHERE id LIKE '%daysold'").all();
      const lines = after.prepare("SELECT COUNT(*) AS count FROM task_log WHERE task LIKE '%daysold'").get();
      assert.deepEqual([rows.map(({ id }) => id), lines?.['count']], [['390daysold'], 0]);
      const told = after.prepare('SELECT COUNT(*) AS count FROM task_log WHERE line LIKE ?');
      assert.equal(told.get('1 old tasks and 2 lines that old ones said were let go of')?.['count'], 1);
    };
  };

  /** As Aegir does it: files and database stay. */
  const disable = ({ uri }: DemoSite): void => {
    const context = join(test.host.home, '.drush', `${uri}.alias.drushrc.php`);
    const enabled = readFileSync(context, 'utf8');
    writeFileSync(context, enabled.replace(/('site_enabled'\s*=>\s*)true/, '$1false'));
    assert.notEqual(readFileSync(context, 'utf8'), enabled);
  };

  /** Links of a site to what is the system's, and to a home of somebody else. */
  const linkOut = ({ path }: DemoSite): void => {
    const neighbour = join(test.host.directory, 'data/disk/o2');
    mkdirSync(join(neighbour, 'private'), { recursive: true });
    writeFileSync(join(neighbour, 'private/of-the-neighbour.txt'), 'Words of somebody else.');
    const links = {
      system: '/etc',
      passwords: '/etc/shadow',
      neighbour,
      words: `${neighbour}/private/of-the-neighbour.txt`,
    };
    for (const [name, target] of Object.entries(links)) symlinkSync(target, join(path, 'files', `out-${name}`));
  };

  /** Bytes of the packs in a part of two, as they lie in a copy. */
  /** Key files of the recovery in the account's local repository. */
  const listRecoveryKeys = (): readonly string[] => {
    const keys = join(salvorPlaces(test.host).repositories, test.host.account.name, 'keys');
    return readdirSync(keys)
      .map((name) => join(keys, name))
      .filter((file) => readFileSync(file, 'utf8').includes(RECOVERY_USER));
  };

  const loseRecoveryKey = (): void => {
    for (const file of listRecoveryKeys()) rmSync(file);
    rmSync(join(salvorPlaces(test.host).stateDir, 'recovery-proofs.json'));
  };

  const bytesOfPart = (copy: 'local' | 'remote', part: number): number => {
    const { repository, remote } = salvorPlaces(test.host);
    const data = join(copy === 'local' ? repository : join(remote, test.host.account.name), 'data');
    return readdirSync(data, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && Number.parseInt(entry.name.slice(0, 2), 16) % 2 === part - 1)
      .reduce((total, { parentPath, name }) => total + statSync(join(parentPath, name)).size, 0);
  };

  it('makes one point of the account in both copies', () => {
    const [account] = night.accounts;
    assert.equal(night.state, 'succeeded', JSON.stringify(account?.problems));
    assert.equal(account?.sites, sites.length);
    assert.equal(account?.databases, sites.length);
    assert.deepEqual(
      account?.copies.map(({ copy, state }) => `${copy} ${state}`),
      ['local complete', 'remote complete'],
    );
  });

  it('touches nothing on the live sites: each file with its mode, owner and time, each table is as it was', () => {
    for (const [at, before] of observed.entries()) assertSameSite(before, observedAfter[at] as ObservedSite);
    assert.ok(observed.every(({ files, database }) => files.size > 10 && database.size > 5));
  });

  it('saves a disabled site like any other', async () => {
    const { uri, database } = sites[2] as DemoSite;
    const listed = await test.run(['sites'], SitesDocument);
    assert.deepEqual(
      listed.filter(({ enabled }) => enabled === false).map((site) => site.uri),
      [uri],
    );
    const [point] = await test.run(['points', uri], PointsDocument);
    assert.deepEqual([point?.origin, point?.complete, point?.holds], ['daily', true, ['files', 'databases']]);
    const tables = await test.run(['ls', point?.id ?? '', `/databases/${database}`], LsDocument);
    assert.ok(
      tables.some(({ path }) => path.includes('node')),
      JSON.stringify(tables),
    );
  });

  it('reads its share of all data again, in each copy', () => {
    const [account] = night.accounts;
    for (const { copy, bytesChecked } of account?.copies ?? []) {
      assert.equal(bytesChecked, bytesOfPart(copy, 1), copy);
      assert.ok(bytesChecked > 0 && bytesOfPart(copy, 2) > 0, 'both shares hold data');
    }
  });

  it('is a whole repository to stock restic in both places, with two snapshots of one point', async () => {
    for (const copy of ['local', 'remote'] as const) {
      const check = await runRestic(test.host, ['check', '--read-data'], { copy });
      assert.match(check.output, /no errors were found/);
      const listed = await runRestic(test.host, ['snapshots', '--json'], { copy });
      const snapshots = JSON.parse(listed.output) as { tags: string[] }[];
      const tags = snapshots.map((snapshot) => snapshot.tags);
      assert.equal(tags.length, 2);
      assert.ok(tags.every((each) => each.includes(`point:${night.accounts[0]?.point}`)));
      assert.deepEqual(tags.flatMap((each) => each.filter((tag) => tag.startsWith('holds:'))).toSorted(), [
        'holds:databases',
        'holds:files',
      ]);
    }
  });

  it('shows each site its own point, with its files and databases', async () => {
    for (const site of sites) {
      const points = await test.run(['points', site.uri], PointsDocument);
      const [point] = points;
      assert.equal(points.length, 1);
      assert.equal(point?.origin, 'daily');
      assert.equal(point?.complete, true);
      assert.deepEqual(point?.holds, ['files', 'databases']);
      const listed = await test.run(['ls', point?.id ?? ''], LsDocument);
      assert.deepEqual(
        listed.map(({ path }) => path),
        ['/databases', '/manifest.json', '/site'],
      );
    }
  });

  it('brings a broken site back out of it exactly, and leaves the others alone', async () => {
    const site = sites[1] as DemoSite;
    const other = await lookAt(test.host, sites[0] as DemoSite);
    rmSync(join(site.path, 'files'), { recursive: true });
    await query(site, 'DROP TABLE node; DELETE FROM users;');
    const since = new Date();
    const restored = await test.run(['restore', site.uri, '--yes'], RestoreDocument);
    assert.equal(restored.state, 'succeeded');
    const again = await lookAt(test.host, site);
    // The page counts the rows of all tables, caches too.
    const withoutCount = (body: string): string => body.replace(/\d+ rows/, '');
    assert.equal(withoutCount(again.page.body), withoutCount(before1.page.body));
    const isKept = (name: string): boolean => !/^files\/(css|js|styles)(\/|$)/.test(name);
    assert.deepEqual([...again.site.files.keys()].filter(isKept), [...before1.site.files.keys()].filter(isKept));
    const isNoCache = ([name]: readonly [string, unknown]): boolean => !/\bcache/.test(name);
    assert.deepEqual([...again.site.database].filter(isNoCache), [...before1.site.database].filter(isNoCache));
    await assertSame(test.host, sites[0] as DemoSite, other, { refreshed: [], since });
  });

  it('leaves out what a site makes again by itself, and says so in its manifest', async () => {
    const site = sites.find(({ cms }) => cms === 'drupal') as DemoSite;
    const point = (await test.run(['points', site.uri], PointsDocument)).find(({ origin }) => origin === 'daily');
    const cat = await test.attempt(['cat', point?.id ?? '', '/manifest.json']);
    const manifest = JSON.parse(cat.output) as { leftOut: { files: string[]; rows: string[] } };
    assert.deepEqual(manifest.leftOut.files, ['files/css', 'files/js', 'files/styles']);
    assert.ok(manifest.leftOut.rows.includes('cache_bootstrap'), manifest.leftOut.rows.join());
    const listed = await test.run(['ls', point?.id ?? '', '/site/files'], LsDocument);
    assert.ok(listed.length > 0);
    assert.ok(listed.every(({ path }) => path !== '/site/files/css'));
    const archive = join(test.host.directory, 'of-a-night.tar');
    const { plan } = await test.run(
      ['export', site.uri, point?.id ?? '', '--output', archive, '--dry-run'],
      ExportDocument,
    );
    assert.deepEqual(
      plan?.notes.map(({ code }) => code),
      ['regenerable-left-out'],
    );
    await test.run(['export', site.uri, point?.id ?? '', '--output', archive], ExportDocument);
    const about = JSON.parse(execFileSync('tar', ['xOf', archive, './.salvor-archive.json']).toString()) as {
      excludes: string[];
      rowless: string[];
    };
    assert.deepEqual([about.excludes, about.rowless], [manifest.leftOut.files, manifest.leftOut.rows]);
  });

  it('keeps a plain compressed dump of each database of the day, for root alone', () => {
    const place = join(salvorPlaces(test.host).repositories, '../sql', test.host.account.name);
    const [day, ...rest] = readdirSync(place);
    assert.deepEqual(rest, []);
    assert.match(day ?? '', /^\d{4}-\d\d-\d\d$/);
    const names = readdirSync(join(place, day ?? ''));
    assert.deepEqual(names.toSorted(), sites.map(({ database }) => `${database}.sql.zst`).toSorted());
    for (const name of names) {
      const path = join(place, day ?? '', name);
      assert.equal(statSync(path).mode & 0o777, 0o600);
      assert.match(zstdDecompressSync(readFileSync(path)).toString('latin1'), /CREATE TABLE[\s\S]*Dump completed/);
    }
  });

  it('of the next night stores next to nothing, a broken database costs nobody else his night, and tasks of a year ago go', async () => {
    const site = sites[2] as DemoSite;
    await test.host.mariadb.query(`RENAME TABLE ${quoteName(site.database)}.users TO mysql.users_away`).catch(() => '');
    await test.host.mariadb.query(
      `REVOKE ALL PRIVILEGES ON ${quoteName(site.database)}.* FROM '${site.user}'@'localhost'`,
    );
    const kit = join(salvorPlaces(test.host).stateDir, 'recovery-kit.html');
    // As it was before somebody named a remote place.
    writeFileSync(kit, readFileSync(kit, 'utf8').replaceAll('"copy":"remote"', '"copy":"local"'));
    loseRecoveryKey();
    linkOut(site);
    const loseOldTasks = addOldTasks();
    const { exit, document } = await test.attempt(['daily']);
    loseOldTasks();
    await test.run(['init'], InitDocument);
    const anew = readFileSync(kit, 'utf8');
    assert.ok(anew.includes('"copy":"remote"'), 'init wrote the kit anew');
    const second = DailyDocument.parse(document);
    assert.equal(exit, 3);
    const ofHost = second.accounts.find((each) => each.account === '@host')?.problems ?? [];
    assert.deepEqual(
      ofHost.map(({ code }) => code),
      ['recovery-kit-stale'],
    );
    assert.equal(listRecoveryKeys().length, 1, 'the night gave the account the second key again, and tried it');
    assert.deepEqual(
      readRecoveryProofs(salvorPlaces(test.host).stateDir).flatMap(({ problem }) => problem ?? []),
      [],
    );
    const [account] = second.accounts;
    assert.equal(account?.databases, sites.length - 1);
    assert.ok((account?.bytesStored ?? Infinity) < 200_000, `${account?.bytesStored}`);
    assert.ok(account?.problems.every(({ message }) => message.includes(site.uri)));
    assert.deepEqual(
      account?.problems.filter(({ code }) => code === 'directory-moved-out').map(({ path }) => path),
      ['neighbour', 'system'].map((name) => join(site.path, 'files', `out-${name}`)),
    );
    // The first night has read the other half.
    for (const { copy, bytesChecked } of account?.copies ?? [])
      assert.equal(bytesChecked, bytesOfPart(copy, 2), `the second share of ${copy}`);
    const complete = (await test.run(['points', sites[0]?.uri ?? ''], PointsDocument)).filter(
      (point) => point.complete,
    );
    assert.equal(complete.length, 2);
    const broken = await test.run(['points', site.uri], PointsDocument);
    assert.deepEqual(
      broken.map((point) => point.complete),
      [false, true],
    );
    const planned = RecoverDocument.parse((await test.attempt(['recover', '--kit', kit, '--dry-run'])).document);
    const told = planned.accounts[0]?.sites.flatMap(({ uri, problems }) =>
      problems.map(({ code }) => `${uri} ${code}`),
    );
    assert.deepEqual(told, [`${site.uri} site-held-in-part`], JSON.stringify(planned));
    const [inPart] = planned.accounts[0]?.sites.flatMap(({ problems }) => problems) ?? [];
    const command = `salvor restore o1/${site.uri} ${broken[1]?.id} --only databases`;
    assert.ok(inPart?.message.endsWith(command), `${inPart?.message}, not ${command}`);
    const restored = await test.run(['points', sites[1]?.uri ?? ''], PointsDocument);
    assert.deepEqual(
      restored.map(({ safety, copies }) => `${safety} ${copies.join('+')}`),
      ['false local+remote', 'true local+remote', 'false local+remote'],
    );
  });

  it('follows no link out of the home: it is saved as a link, and of what is behind it nothing', async () => {
    const { output } = await runRestic(test.host, ['ls', '--json', '--tag', 'holds:files', 'latest']);
    const entries = output
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as { path?: string; type?: string });
    const links = entries.filter(({ path }) => path?.includes('/out-') === true);
    assert.deepEqual(
      links.map(({ type }) => type),
      ['symlink', 'symlink', 'symlink', 'symlink'],
    );
    const isAbroad = (path: string): boolean => /^\/etc(\/|$)|\/data\/disk\/o2(\/|$)|neighbour\.txt$/.test(path);
    assert.deepEqual(
      entries.filter(({ path }) => path !== undefined && isAbroad(path)),
      [],
    );
    assert.ok(entries.length > 100);
  });

  it('of an account that is not there is refused with a code', async () => {
    const { exit, document } = await test.attempt(['daily', '--account', 'nobody']);
    assert.equal(exit, 1);
    assert.equal((document as { error: { code: string } }).error.code, 'account-unknown');
  });

  it('follows a policy that can be seen: each setting with its source, the next starts, a calendar of what stays', async () => {
    const account = test.host.account.name;
    const shown = await test.run(['policy', 'show', '--account', account, '--next', '3d'], PolicyDocument);
    const files = shown.settings.find(({ key }) => key === 'keep.files');
    assert.deepEqual([files?.value, files?.source], ['7d', 'preset standard']);
    assert.deepEqual(shown.settings.find(({ key }) => key === 'archives.format')?.source, 'host');
    assert.deepEqual(
      shown.next.map(({ job, account: of }) => `${job} ${of}`),
      ['nightly', 'nightly', 'nightly'].map((job) => `${job} ${account}`),
    );
    const week = await test.run(['policy', 'show', '--account', account, '--next', '7d'], PolicyDocument);
    assert.deepEqual(
      week.next.map(({ job }) => job),
      Array.from({ length: 7 }, () => 'nightly'),
    );
    const simulated = await test.run(['policy', 'simulate', account, '--days', '60'], SimulationDocument);
    const sum = (of: 'files' | 'databases'): number => simulated.days.reduce((total, { left }) => total + left[of], 0);
    assert.deepEqual([sum('files'), sum('databases')], [7, 14]);
    assert.deepEqual(simulated.goes, []);
    // Two snapshots of each of two nights, and the safety point of the restore, in both copies.
    assert.equal(simulated.kept, 10);
    for (const wrong of [
      ['show', '--next', 'soon'],
      ['simulate', account, '--days', '0'],
    ])
      assert.equal((await test.attempt(['policy', ...wrong])).exit, 2, wrong.join(' '));
  });

  it('leaves out the archives of tasks, whose content is in the points, and keeps those of others', async () => {
    const { config } = salvorPlaces(test.host);
    writeFileSync(config, readFileSync(config, 'utf8').replace(`, ${ONLY_POLICY}`, ''));
    const { archive } = await test.backUp(sites[0] as DemoSite);
    const foreign = join(test.host.home, 'backups/by-hand.tar.gz');
    writeFileSync(foreign, 'somebody’s own');
    const { point } = DailyDocument.parse((await test.attempt(['daily'])).document).accounts[0] ?? {};
    const listed = await runRestic(test.host, ['ls', '--tag', `point:${point},holds:files`, 'latest']);
    const paths = listed.output.split('\n');
    assert.ok(archive !== null && readFileSync(archive.path).length > 0);
    assert.ok(paths.includes(foreign), listed.complaint);
    assert.ok(!paths.includes(archive.path));
  });

  it('saves what is the host’s own: its configuration, the users of its servers, and the agent’s state without keys', async () => {
    const host = night.accounts.find(({ account }) => account === '@host');
    assert.equal(host?.state, 'succeeded', JSON.stringify(host?.problems));
    const { repositories, stateDir } = salvorPlaces(test.host);
    const proven = readRecoveryProofs(stateDir).map(
      ({ account, copy, problem }) => `${copy} ${account} ${problem?.code}`,
    );
    const all = ['local', 'remote'].flatMap((copy) =>
      [test.host.account.name, '@host'].map((of) => `${copy} ${of} undefined`),
    );
    assert.deepEqual(proven, all, 'the night has tried the recovery key');
    const restic = async (...args: string[]): Promise<string> => {
      const place = ['--repo', join(repositories, '@host'), '--password-file', join(stateDir, 'keys/@host')];
      const { exit, output, complaint } = await runRestic(test.host, [...place, ...args]);
      assert.equal(exit, 0, complaint);
      return output;
    };
    const paths = (await restic('ls', 'latest')).split('\n');
    for (const path of ['/etc/passwd', '/grants-1.sql', join(stateDir, 'saved/salvor.sqlite')])
      assert.ok(paths.includes(path), path);
    // The recovery key is in the kit too.
    for (const secret of ['keys', 'remote-keys', 'recovery-kit.html']) {
      const place = join(stateDir, secret);
      assert.ok(existsSync(place), place);
      assert.ok(!paths.some((path) => path.startsWith(`${place}/`) || path === place), place);
    }
    assert.ok(!paths.some((path) => path.includes('recovery-kit')));
    const grants = await restic('dump', 'latest', '/grants-1.sql');
    // The third site's rights were taken away above.
    for (const { user, database } of sites.slice(0, 2)) {
      assert.match(grants, new RegExp(`CREATE USER IF NOT EXISTS \`${user}\`@\`localhost\``));
      assert.match(grants, new RegExp(`GRANT .* ON \`${database}\`\\.\\* TO \`${user}\``));
    }
  });

  it('goes on with other keys after a rotation, of which the recovery kit has the new one', async () => {
    const { stateDir, keyFile } = salvorPlaces(test.host);
    const recoveryKey = (): string => readFileSync(join(stateDir, 'keys/.recovery'), 'utf8').trim();
    const [before, old] = [recoveryKey(), readFileSync(keyFile, 'utf8')];
    const rotated = await test.run(['keys', 'rotate', '--recovery'], KeysRotateDocument);
    const account = test.host.account.name;
    assert.deepEqual(
      rotated.repositories.map(({ account: of, copy }) => `${copy} ${of}`),
      ['local @host', `local ${account}`, 'remote @host', `remote ${account}`],
    );
    assert.notEqual(readFileSync(keyFile, 'utf8'), old);
    const kit = readFileSync(rotated.recoveryKit ?? '', 'utf8');
    assert.ok(kit.includes(recoveryKey()) && !kit.includes(before));
    for (const copy of ['local', 'remote'] as const)
      assert.match((await runRestic(test.host, ['check'], { copy })).output, /no errors were found/);
    const { exit, document } = await test.attempt(['keys', 'rotate', '--account', 'nobody']);
    assert.deepEqual([exit, (document as { error: { code: string } }).error.code], [1, 'account-unknown']);
  });

  it('calls no point whole of a site that was restored between its databases and its files, and each other one', async () => {
    const { config, repository } = salvorPlaces(test.host);
    const site = sites[1] as DemoSite;
    const countSnapshots = (): number => readdirSync(join(repository, 'snapshots')).length;
    const countBefore = countSnapshots();
    let isRestored = false;
    await using agent = await openAgentFor(loadConfig([config]), { clock: () => new Date() });
    const { state, accounts } = await agent.daily({
      account: test.host.account.name,
      // The last word of the databases' snapshot is said when it is there: nothing goes on before this has returned.
      onProgress: () => {
        if (isRestored || countSnapshots() === countBefore) return;
        isRestored = true;
        const env = { ...process.env, HOME: test.host.directory, SALVOR_CONFIG: config };
        execFileSync(SALVOR, ['restore', site.uri, '--yes'], { env, stdio: 'ignore' });
      },
    });
    assert.equal(state, 'warned');
    const problems = accounts[0]?.problems ?? [];
    assert.ok(
      problems.some(({ code, message }) => code === 'site-switched' && message.includes(site.uri)),
      JSON.stringify(problems),
    );
    // The third site's rights were taken away above.
    for (const each of sites.slice(0, 2)) {
      const [newest] = (await test.run(['points', each.uri], PointsDocument)).filter(
        ({ origin }) => origin === 'daily',
      );
      assert.equal(newest?.complete, each !== site, each.uri);
      assert.deepEqual(newest?.copies, ['local', 'remote']);
    }
  });
});
