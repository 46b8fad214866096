/**
 * A site comes back out of whichever copy can be read: the local one first, and where that is damaged or gone the remote one,
 * over SFTP; and a copy that is gone comes back out of the other.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  BackupDocument,
  DailyDocument,
  DoctorDocument,
  ErrorDocument,
  ExportDocument,
  IdentityDocument,
  InitDocument,
  LsDocument,
  PointsDocument,
  RecoverCopiesDocument,
  RepoHealDocument,
  RestoreDocument,
  StatusDocument,
} from '@salvor/contract';
import { listSnapshots, openLocalStorage, openRepository, openView } from '@salvor/engine';
import type { DemoSite } from '../../../demo/host.ts';
import { runRestic, salvorPlaces } from '../../../demo/salvor-command.ts';
import { differences, observeSite } from '../../../demo/observe-site.ts';
import { quoteName } from '../../../demo/sql.ts';
import { type TestSshd, startSshd } from '../../../engine/test/storage/test-sshd.ts';
import { type Look, type TestHost, assertSame, lookAt, openTestHost } from './open-test-host.ts';

type Schema<T> = { parse(value: unknown): T };

describe('a point that two copies have', () => {
  let sshd: TestSshd;
  let test: TestHost;
  let site: DemoSite;
  let whole: Look;
  let local: string;
  let remote: string;
  let account: string;
  let night: string;

  before(async () => {
    sshd = await startSshd();
    test = await openTestHost({ withoutWordPress: true, drupalSites: ['a.example.org'], nodes: 8, files: 8 });
    [site] = test.host.sites as [DemoSite];
    account = test.host.account.name;
    const places = salvorPlaces(test.host);
    local = join(places.repositories, account);
    remote = join(places.remote, account);
    const { login, port } = sshd;
    const place = {
      url: `sftp://${login.user}@127.0.0.1:${port}/${places.remote}`,
      identityFile: login.privateKeyFile,
      knownHosts: login.trust.knownHostsFile,
    };
    const config = readFileSync(places.config, 'utf8')
      .replace(/^remote: .*$/m, '')
      .replace('{ format: none } }', '{ format: none }, leaveOut: { regenerable: no } }');
    writeFileSync(places.config, `${config}\nremote: ${JSON.stringify(place)}\n`, { mode: 0o600 });
    await test.run(['init'], InitDocument);
    whole = await lookAt(test.host, site);
    await test.run(['daily'], DailyDocument);
    const [point] = await test.run(['points', site.uri], PointsDocument);
    night = point?.id ?? '';
    assert.deepEqual(point?.copies, ['local', 'remote']);
  });
  after(async () => {
    await test[Symbol.asyncDispose]();
    await sshd[Symbol.asyncDispose]();
  });

  /** A command that ends so; its document, and what it complained of. */
  const ends = async <T>(
    exit: number,
    args: readonly string[],
    schema: Schema<T>,
  ): Promise<{ document: T; complaint: string }> => {
    const ran = await test.attempt(args);
    assert.equal(ran.exit, exit, `salvor ${args.join(' ')}: exit code ${ran.exit}\n${ran.complaint}\n${ran.output}`);
    return { document: schema.parse(ran.document), complaint: ran.complaint };
  };
  const codes = (problems: readonly { readonly code: string }[]): readonly string[] => problems.map(({ code }) => code);
  const query = (sql: string): Promise<string> => test.host.mariadb.query(`USE ${quoteName(site.database)}; ${sql}`);

  /** Nothing of it is there that a restore could take what it needs from. */
  const breakSite = async (): Promise<void> => {
    rmSync(join(site.path, 'files'), { recursive: true });
    await query('DROP TABLE node; DELETE FROM users;');
  };
  const isBack = (since: Date, refreshed: readonly string[]): Promise<void> =>
    assertSame(test.host, site, whole, { refreshed, since });
  const restored = async (exit: number, ...args: string[]): Promise<RestoreDocument> => {
    const since = new Date();
    const { document } = await ends(exit, ['restore', site.uri, night, ...args, '--yes'], RestoreDocument);
    if (exit !== 1) await isBack(since, document.refreshed);
    return document;
  };
  const points = async (exit: number): Promise<PointsDocument> =>
    (await ends(exit, ['points', site.uri], PointsDocument)).document;

  /** Turns bytes of packs over, of those that hold what is in files or of all. */
  const spoil = async (copy: 'local' | 'remote', which: 'data' | 'all'): Promise<ReadonlySet<string>> => {
    const [keys, place] = copy === 'local' ? ['keys', local] : ['remote-keys', remote];
    const key = readFileSync(join(salvorPlaces(test.host).stateDir, keys, account), 'utf8').trim();
    const repository = await openRepository(openLocalStorage(place), { kind: 'key', text: key });
    const index = await repository.index();
    const holding = new Set<string>();
    for (const snapshot of (await listSnapshots(repository)).snapshots)
      for await (const { entry } of (await openView(repository, snapshot)).walk('/'))
        for (const id of entry.contentIds) holding.add(index.find('data', id)?.pack ?? '');
    for (const name of readdirSync(join(place, 'data'), { recursive: true, encoding: 'utf8' })) {
      const path = join(place, 'data', name);
      if (!statSync(path).isFile() || (which === 'data' && !holding.has(basename(name)))) continue;
      chmodSync(path, 0o600);
      const bytes = readFileSync(path);
      for (let at = 40; at < bytes.length - 4; at += 500) bytes[at] = (bytes[at] ?? 0) ^ 0xff;
      writeFileSync(path, bytes);
    }
    return holding;
  };

  it('is restored from the remote one where packs of the local one turn out to be damaged in the middle; named with what mends it', async () => {
    const packs = await spoil('local', 'data');
    await breakSite();
    const { task, plan, problems, safetyPoint } = await restored(3);
    assert.equal(plan.copy, 'remote');
    assert.deepEqual(codes(problems), ['local-copy-damaged']);
    const [, pack = ''] = /The pack file ([0-9a-f]{64}) is damaged/.exec(problems[0]?.message ?? '') ?? [];
    assert.ok(packs.has(pack), pack);
    assert.ok(safetyPoint !== null);
    const log = await test.attempt(['task', 'log', task ?? '']);
    assert.match(log.output, /local-copy-damaged/);
  });

  it('is read from the remote one where listings are damaged too, by who looks into it and by a dry run', async () => {
    await spoil('local', 'all');
    const { document, complaint } = await ends(3, ['ls', night, '/site'], LsDocument);
    assert.ok(document.some(({ path }) => path === '/site/settings.php'));
    assert.match(complaint, /local-copy-damaged/);
    const cat = await test.attempt(['cat', night, '/site/settings.php']);
    assert.equal(cat.output, readFileSync(join(site.path, 'settings.php'), 'utf8'));
    const dry = await ends(3, ['restore', site.uri, night, '--dry-run'], RestoreDocument);
    assert.equal(dry.document.plan.copy, 'remote');
    const alone = await ends(1, ['ls', night, '--from', 'local'], ErrorDocument);
    assert.equal(alone.document.error.code, 'pack-damaged');
  });

  it('is whole in both again after the command that was named', async () => {
    const { document } = await ends(3, ['restore', site.uri, night, '--dry-run'], RestoreDocument);
    const [, command = ''] = /with: salvor (repo heal .*)$/.exec(document.problems[0]?.message ?? '') ?? [];
    const config = readFileSync(salvorPlaces(test.host).config, 'utf8');
    const { identityFile, knownHosts } = JSON.parse(/^remote: (.*)$/m.exec(config)?.[1] ?? '') as Record<
      string,
      string
    >;
    assert.ok(identityFile !== undefined && knownHosts !== undefined);
    await ends(0, command.split(' '), RepoHealDocument);
    await breakSite();
    const { plan, problems } = await restored(0);
    assert.deepEqual([plan.copy, problems], ['local', []]);
  });

  it('is listed, looked into and brought back whole, in parts and beside where the local repository is gone', async () => {
    renameSync(local, `${local}.away`);
    const listed = await points(3);
    // The night, and what the restore out of a damaged copy replaced, which that copy was not trusted with.
    assert.deepEqual(
      listed.map(({ origin, copies }) => [origin, copies]),
      [
        ['task', ['remote']],
        ['daily', ['remote']],
      ],
    );
    await breakSite();
    assert.deepEqual(codes((await restored(3)).problems), ['local-copy-gone']);
    await breakSite();
    await ends(3, ['restore', site.uri, night, '--path', 'files', '--yes'], RestoreDocument);
    await ends(3, ['restore', site.uri, night, '--table', 'node', '--table', 'users', '--yes'], RestoreDocument);
    const now = await observeSite(test.host, site);
    assert.deepEqual(differences(whole.site.database, now.database), []);
    // What was removed from it and put back has given the directory the time of now.
    const inside = (files: typeof now.files): typeof now.files => new Map([...files].filter(([name]) => name !== '.'));
    assert.deepEqual(differences(inside(whole.site.files), inside(now.files)), []);
    const beside = join(test.host.directory, 'beside');
    await ends(3, ['restore', site.uri, night, '--to', beside], RestoreDocument);
    assert.deepEqual(readFileSync(join(beside, 'site/settings.php')), readFileSync(join(site.path, 'settings.php')));
  });

  it('is cloned, exported and backed up without the local repository; what is new is in the remote one', async () => {
    const { document } = await ends(3, ['clone', site.uri, 'b.example.org'], IdentityDocument);
    assert.equal(document.state, 'warned');
    const clone = join(site.path, '../b.example.org');
    execFileSync('diff', ['-r', '--no-dereference', join(site.path, 'files'), join(clone, 'files')]);
    const [twin = ''] = document.plan.databases.map(({ newName }) => newName);
    const sums = async (name: string): Promise<string> =>
      (await test.host.mariadb.query(`USE ${quoteName(name)}; CHECKSUM TABLE node, users`)).replaceAll(`${name}.`, '');
    assert.equal(await sums(twin), await sums(site.database));
    const archive = join(test.host.directory, 'a.tar.gz');
    await ends(3, ['export', site.uri, night, '--output', archive], ExportDocument);
    const { document: backup } = await ends(3, ['backup', site.uri], BackupDocument);
    const made = (await points(3)).find(({ id }) => id === backup.point);
    assert.deepEqual([made?.complete, made?.copies], [true, ['remote']]);
  });

  it('is known to be in one copy: by the night, which begins none in its place, by status and by doctor', async () => {
    const { document: night } = await ends(3, ['daily'], DailyDocument);
    const [of] = night.accounts;
    assert.deepEqual(
      of?.copies.map(({ copy, state }) => `${copy} ${state}`),
      ['local behind', 'remote complete'],
    );
    assert.deepEqual(codes(of?.problems ?? []), ['repository-gone']);
    assert.equal(existsSync(local), false);
    const { document: status } = await ends(3, ['status'], StatusDocument);
    assert.deepEqual(
      status.repositories.map(({ copy, state }) => `${copy} ${state}`),
      ['local missing', 'remote ready'],
    );
    assert.match(JSON.stringify(status.sites), /local-copy-gone.*recover --only copies/);
    const { findings } = (await ends(1, ['doctor'], DoctorDocument)).document;
    const lost = findings.find(({ code }) => code === 'repository-lost');
    assert.match(lost?.remedy ?? '', /salvor recover --only copies --account/);
  });

  it('is in both again after recover --only copies, which stock restic finds whole', async () => {
    const { document } = await ends(0, ['recover', '--only', 'copies'], RecoverCopiesDocument);
    assert.deepEqual(
      document.copies.map(({ account: of, copy, url }) => [of, copy, url]),
      [[account, 'local', local]],
    );
    const check = await runRestic(test.host, ['check', '--read-data']);
    assert.match(check.output, /no errors were found/);
    const listed = await points(0);
    assert.ok(
      listed.every(({ copies }) => copies.join() === 'local,remote'),
      JSON.stringify(listed),
    );
    await breakSite();
    const { plan, problems } = await restored(0);
    assert.deepEqual([plan.copy, problems], ['local', []]);
    assert.equal((await test.run(['daily'], DailyDocument)).state, 'succeeded');
  });

  it('that can be read from neither is not restored, with a code, and the site stays as it is', async () => {
    await spoil('local', 'data');
    await spoil('remote', 'data');
    await breakSite();
    const broken = await lookAt(test.host, site);
    const { document } = await ends(1, ['restore', site.uri, night, '--yes'], ErrorDocument);
    assert.equal(document.error.code, 'point-unreadable');
    await assertSame(test.host, site, broken);
  });
});
