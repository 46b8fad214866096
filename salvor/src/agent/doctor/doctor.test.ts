import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { AccountStatus, DoctorFinding } from '@salvor/contract';
import { backup, entriesOfPaths } from '@salvor/engine';
import { openSmallDisks } from '../../../test/fault/small-disks.ts';
import { HostPoints } from '../../points/host-points.ts';
import { RECOVERY_USER, ensureRecoveryKey } from '../../points/recovery-key.ts';
import { writeRecoveryKit } from '../../points/write-recovery-kit.ts';
import type { FoundSites } from '../../sites/find-sites.ts';
import { openStore } from '../../store/open-store.ts';
import { growthOf } from '../../points/repository-growth.ts';
import { SalvorError } from '../../errors.ts';
import { readClock, watchClock } from '../clock-watch.ts';
import { judgeKit } from './check-files.ts';
import { judgeNights } from './check-nights.ts';
import { findMissing } from './check-programs.ts';
import { checkRepositories, findSharedDisks } from './check-repositories.ts';
import { checkSpace, judgeSpace } from './check-space.ts';
import { checkRecovery } from './check-recovery.ts';
import { type DoctorRoom, examineFailure } from './examine-host.ts';
import { FINDINGS, findingOfError } from './findings.ts';

const DAY_MS = 86_400_000;
const GIB = 1024 ** 3;

const codesOf = (findings: readonly { readonly code: string }[]): readonly string[] => findings.map(({ code }) => code);

describe('the doctor', () => {
  let room: string;
  before(() => {
    room = mkdtempSync('/tmp/salvor-doctor-');
  });
  after(() => rmSync(room, { recursive: true, force: true }));

  test('names the programs that nothing works without as errors, and what is only useful as a note', () => {
    const bin = join(room, 'bin');
    mkdirSync(bin);
    symlinkSync('/bin/true', join(bin, 'mariadb'));
    const findings = findMissing(`/nowhere:${bin}`);
    assert.deepEqual(
      findings.map(({ path, severity }) => [path, severity]),
      [
        ['mariadb-dump', 'error'],
        ['setpriv', 'error'],
        ['restic', 'note'],
        ['bzip2', 'note'],
      ],
    );
    assert.deepEqual([...new Set(codesOf(findings))], ['program-missing', 'program-useful']);
    assert.match(findings[0]?.remedy ?? '', /Debian: mariadb-client/);
  });

  test('warns of repositories on the disk of a home, and of both copies on one disk', () => {
    const home = join(room, 'home');
    mkdirSync(home);
    const both = findSharedDisks({ local: room, remote: { url: home } }, ['/proc', home]);
    assert.deepEqual(codesOf(both), ['home-shares-disk', 'copies-share-disk']);
    assert.match(both[0]?.message ?? '', new RegExp(`${home}:`));
    const more = [join(room, 'disk/o1'), join(room, 'disk/o2')];
    for (const each of more) mkdirSync(each, { recursive: true });
    const [all] = findSharedDisks({ local: room, remote: null }, [home, ...more]);
    assert.ok(all?.message.includes(`${home}, ${room}/disk/{o1,o2}: `), all?.message ?? '');
    assert.deepEqual(findSharedDisks({ local: room, remote: { url: '/proc' } }, ['/proc']), []);
    assert.deepEqual(findSharedDisks({ local: room, remote: { url: 'sftp:u@h:/x' } }, ['/proc']), []);
    assert.deepEqual(findSharedDisks({ local: join(room, 'gone'), remote: null }, [home]), []);
  });

  test('warns of a host whose backups are in one place only, until a second one is named', async () => {
    const state = join(room, 'one-place');
    const one = { state, local: join(room, 'one-place-repositories'), remote: null };
    const two = { ...one, remote: { url: join(room, 'one-place-remote'), identityFile: null, knownHosts: null } };
    await using store = await openStore(state);
    const found = { accounts: [{ name: 'o1', home: '/proc' }] } as unknown as FoundSites;
    const examine = async (config: typeof one | typeof two): Promise<readonly DoctorFinding[]> => {
      await using points = new HostPoints(config, store);
      await points.repositories.ensure(['o1']);
      const doctor = { config, points, clock: () => new Date() } as unknown as DoctorRoom;
      return await checkRepositories(doctor, found, undefined);
    };
    const [finding, ...others] = await examine(one);
    assert.deepEqual([finding?.code, finding?.severity, others], ['one-copy', 'warning', []]);
    assert.match(finding?.remedy ?? '', /remote/);
    assert.ok(!codesOf(await examine(two)).includes('one-copy'));
  });

  test('tries the recovery key of each repository once a month, and names one that it does not open', async () => {
    const state = join(room, 'recovery');
    const config = { state, local: join(room, 'repositories'), remote: null };
    await using store = await openStore(state);
    await using points = new HostPoints(config, store);
    const { repositories } = await points.repositories.ensure(['o1']);
    let now = new Date('2026-01-01T00:00:00Z');
    const doctor = { config, clock: () => now } as unknown as DoctorRoom;
    const found = { accounts: [{ name: 'o1' }, { name: 'new' }] } as unknown as FoundSites;
    assert.deepEqual(await checkRecovery(doctor, found, undefined), []);
    const key = join(repositories[0]?.url ?? '', 'keys');
    for (const name of readdirSync(key))
      if (readFileSync(join(key, name), 'utf8').includes(RECOVERY_USER)) rmSync(join(key, name));
    now = new Date('2026-01-20T00:00:00Z');
    assert.deepEqual(await checkRecovery(doctor, found, undefined), [], 'it was proven this month');
    now = new Date('2026-02-02T00:00:00Z');
    const [finding, ...others] = await checkRecovery(doctor, found, undefined);
    assert.deepEqual([finding?.code, finding?.severity, others.length], ['recovery-key-unproven', 'error', 0]);
    assert.match(finding?.message ?? '', /2026-01-01/);
    await points.repositories.ensure(['o1']);
    assert.deepEqual(await checkRecovery(doctor, found, undefined), [], 'what did not open is tried again at once');
  });

  test('names a recovery kit that says otherwise of the copies than the configuration does, or has another key', async () => {
    const state = join(room, 'kit');
    const places = { state, local: join(room, 'repositories'), remote: null };
    const kit = { host: 'h', date: new Date(0), recoveryKey: ensureRecoveryKey(state), repositories: [] };
    assert.deepEqual(codesOf(judgeKit(places)), ['recovery-kit-missing']);
    writeRecoveryKit(places, kit);
    assert.deepEqual(judgeKit(places), []);
    const remote = { url: '/mnt/other', identityFile: null, knownHosts: null };
    const [stale] = judgeKit({ ...places, remote });
    assert.deepEqual([stale?.code, stale?.severity], ['recovery-kit-stale', 'warning']);
    assert.match(stale?.message ?? '', /does not name the remote place \/mnt\/other/);
    assert.match(stale?.remedy ?? '', /salvor init/);
    writeRecoveryKit({ ...places, remote }, kit);
    assert.deepEqual(judgeKit({ ...places, remote }), []);
    writeFileSync(join(room, 'login'), 'PRIVATE');
    const moved = { url: 'sftp:b@store:/srv', identityFile: join(room, 'login'), knownHosts: join(room, 'known') };
    writeFileSync(join(room, 'known'), 'store ssh-ed25519 AAAA\n');
    assert.match(judgeKit({ ...places, remote: moved })[0]?.message ?? '', /names \/mnt\/other as the remote place/);
    writeRecoveryKit({ ...places, remote: moved }, { ...kit, recoveryKey: '0'.repeat(64) });
    writeFileSync(join(room, 'known'), 'store ssh-ed25519 BBBB\n');
    const message = judgeKit({ ...places, remote: moved })[0]?.message ?? '';
    assert.match(message, /recovery key is not the one in force; it knows none of the keys/);
    writeFileSync(join(state, 'recovery-kit.html'), 'torn');
    assert.deepEqual(codesOf(judgeKit(places)), ['kit-unreadable']);
  });

  test('says when a disk has little left, of bytes or of files', () => {
    assert.deepEqual(judgeSpace('/x', { bytes: 9 * GIB, free: 2 * GIB, freeFiles: null }), []);
    assert.deepEqual(codesOf(judgeSpace('/x', { bytes: 9 * GIB, free: GIB / 2, freeFiles: 50_000 })), ['space-low']);
    assert.deepEqual(codesOf(judgeSpace('/x', { bytes: 9 * GIB, free: GIB * 2, freeFiles: 12 })), ['inodes-short']);
  });

  test('says on what day a disk will be full that a repository grows on', async () => {
    // Files of the account, on a disk that is small enough for them to count.
    using disks = openSmallDisks({ local: 64 });
    const state = join(room, 'growing');
    const config = { state, local: join(disks.directory, 'local'), thirdCopy: state, staging: null, remote: null };
    await using store = await openStore(state);
    await using points = new HostPoints(config, store);
    await points.repositories.ensure(['o1']);
    const repository = await points.repositories.open('o1');
    const data = join(config.local, 'o1/data');
    const home = join(room, 'growing-home');
    mkdirSync(home);
    const grow = async (bytes: number, daysAgo: number): Promise<void> => {
      writeFileSync(join(home, `${daysAgo}`), randomBytes(bytes));
      const known = new Set(readdirSync(data, { recursive: true }).map(String));
      await backup({ source: entriesOfPaths([home]), repositories: [repository], paths: [home] });
      const at = new Date(Date.now() - daysAgo * DAY_MS);
      for (const name of readdirSync(data, { recursive: true }).map(String))
        if (!known.has(name)) utimesSync(join(data, name), at, at);
    };
    const doctor = { config, clock: () => new Date() } as unknown as DoctorRoom;
    const found = { accounts: [{ name: 'o1' }, { name: 'new' }] } as unknown as FoundSites;
    const examine = async (): Promise<readonly DoctorFinding[]> =>
      (await checkSpace(doctor, found, undefined)).filter(({ path }) => path === config.local);
    await grow(1024, 4);
    assert.deepEqual(codesOf(await examine()), ['space-low']);
    await grow(12 * 1024 ** 2, 2);
    const [low, full] = await examine();
    assert.deepEqual([low?.code, full?.code, full?.severity], ['space-low', 'space-runs-out', 'warning']);
    // Twelve in the three days since its second.
    assert.match(full?.message ?? '', /grow by up to 5 MiB a day, and 5\d MiB are free: full in about 1\d days$/);
  });

  test('takes the growth of a repository from its last week, without its first day', () => {
    const now = 100 * DAY_MS;
    const ago = (days: number, bytes: number): { at: number; bytes: number } => ({ at: now - days * DAY_MS, bytes });
    assert.equal(growthOf([], now), 0);
    assert.equal(growthOf([ago(0.5, GIB)], now), 0, 'a first backup tells nothing of the next');
    assert.equal(growthOf([ago(5, 100 * GIB), ago(3, GIB), ago(1, 3 * GIB)], now), GIB);
    assert.equal(growthOf([ago(50, 100 * GIB), ago(30, GIB), ago(7, 7 * GIB)], now), GIB);
  });

  test('names nights that are late, that failed, that named problems, copies that are behind, and old pins', () => {
    const well: AccountStatus = {
      account: 'o1',
      lastNight: {
        task: 'mwtud5ya6orn',
        state: 'succeeded',
        startedAt: '2026-04-01T02:00:00.000Z',
        endedAt: '2026-04-01T02:05:00.000Z',
      },
      next: null,
      lateSince: null,
      behind: null,
      oldPins: null,
    };
    const time = '2026-03-30T02:00:00.000Z';
    const codes = (change: Partial<AccountStatus>): readonly string[] =>
      codesOf(judgeNights({ ...well, ...change }, 2));
    const ended = (state: 'failed' | 'warned'): Partial<AccountStatus> =>
      well.lastNight === null ? {} : { lastNight: { ...well.lastNight, state } };
    assert.deepEqual(codes({}), []);
    assert.deepEqual(codes({ lateSince: time, lastNight: null }), ['night-late']);
    assert.deepEqual(codes({ ...ended('failed'), lateSince: time }), ['night-late', 'night-failed']);
    assert.deepEqual(codes(ended('warned')), ['night-with-problems']);
    assert.deepEqual(codes({ behind: { points: 2, oldest: time } }), ['copy-behind']);
    const pins = judgeNights({ ...well, oldPins: { points: 1, bytes: 3 * 1024 ** 2, oldest: time } }, 0);
    assert.match(pins[0]?.message ?? '', /^1 point of account o1, holding 3 MiB,/);
    assert.deepEqual(codesOf(pins), ['pins-old']);
  });

  test('sees that the clock has jumped without taking the last look away', () => {
    const start = new Date('2026-04-01T02:00:00Z');
    const later = new Date(start.getTime() + DAY_MS);
    assert.equal(watchClock(room, start, { boot: 'one', seconds: 100 }).isTrusted, true);
    assert.equal(readClock(room, later, { boot: 'one', seconds: 200 }).isTrusted, false);
    assert.equal(readClock(room, later, { boot: 'one', seconds: 100 + 86_400 }).isTrusted, true);
  });

  test('makes a finding of what keeps it from looking, with the code and the hint of the error', () => {
    const error = new SalvorError('config-missing', { places: ['/etc/salvor/salvor.yaml'] });
    const document = examineFailure('configuration', error);
    assert.equal(document.state, 'failed');
    const [only] = document.findings;
    assert.equal(only?.code, 'config-missing');
    assert.match(only?.remedy ?? '', /salvor init/);
    assert.equal(findingOfError(new Error(''), 'warning').code, 'check-failed');
  });

  test('has each of its findings in docs/doctor.md, with its weight', () => {
    const page = readFileSync(join(import.meta.dirname, '../../../../docs/doctor.md'), 'utf8');
    for (const [code, { severity }] of Object.entries(FINDINGS))
      assert.match(page, new RegExp(`^\\| \`${code}\` +\\| ${severity} +\\|`, 'm'), code);
  });
});
