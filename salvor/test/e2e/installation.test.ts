/** What `doctor` and `status` say of an installation: one that is well, and one in which a dozen things are wrong. */
import assert from 'node:assert/strict';
import { chmodSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import { DailyDocument, DoctorDocument, StatusDocument } from '@salvor/contract';
import type { DemoSite } from '../../../demo/host.ts';
import { salvorPlaces, type SalvorPlaces } from '../../../demo/salvor-command.ts';
import { openAgentFor } from '../../src/compose.ts';
import { loadConfig } from '../../src/config.ts';
import { renderStatus } from '../../src/cli/commands/status.ts';
import { makePaint } from '../../src/cli/paint.ts';
import { openTestHost, type TestHost } from './open-test-host.ts';

const DAY_MS = 86_400_000;

describe('an installation', () => {
  let test: TestHost;
  let places: SalvorPlaces;
  let site: DemoSite;

  before(async () => {
    test = await openTestHost({ withoutWordPress: true, nodes: 5, files: 5, withRemote: true });
    places = salvorPlaces(test.host);
    const [first] = test.host.sites;
    assert.ok(first !== undefined);
    site = first;
    await test.run(['daily', '--account', 'o1'], DailyDocument);
  });
  after(() => test[Symbol.asyncDispose]());

  const examine = async (): Promise<DoctorDocument & { exit: number }> => {
    const { exit, document } = await test.attempt(['doctor']);
    return { ...DoctorDocument.parse(document), exit };
  };
  const codesOf = ({ findings }: DoctorDocument, severity: 'error' | 'warning'): readonly string[] =>
    findings.filter((one) => one.severity === severity).map(({ code }) => code);

  const openStore = (): Disposable & { exec: (sql: string) => void } => {
    const database = new DatabaseSync(join(places.stateDir, 'salvor.sqlite'));
    return { exec: (sql) => database.exec(sql), [Symbol.dispose]: () => database.close() };
  };

  /** How the host stands at another time. */
  const statusAt = async (time: Date): Promise<StatusDocument> => {
    await using agent = await openAgentFor(loadConfig([places.config]), { clock: () => time });
    return StatusDocument.parse(await agent.status());
  };
  const textOf = (document: StatusDocument, time: Date): string =>
    renderStatus(document, false, { clock: () => time, terminal: { output: makePaint(false) } });

  it('that is well has no error, and says that its disks are one and that nobody serves it', async () => {
    const doctor = await examine();
    assert.deepEqual(codesOf(doctor, 'error'), []);
    const warnings = codesOf(doctor, 'warning').filter((code) => code !== 'agent-not-installed');
    assert.deepEqual(warnings, ['home-shares-disk', 'copies-share-disk', 'agent-not-running']);
    assert.equal(doctor.exit, 3);
    for (const { remedy } of doctor.findings) assert.ok(remedy.length > 10);
  });

  it('says at a glance what is safe, late, running and next', async () => {
    const now = new Date();
    const document = await statusAt(now);
    assert.equal(document.accounts[0]?.lastNight?.state, 'succeeded');
    assert.equal(document.accounts[0].lateSince, null);
    assert.equal(document.agent, null);
    const lines = textOf(document, now).split('\n');
    assert.match(lines[0] ?? '', /^Safe {5}2 of 2 sites have a complete point, the oldest of 20/);
    assert.match(lines[1] ?? '', /^Late {5}nothing$/);
    assert.match(lines[2] ?? '', /^Running {2}nothing$/);
    assert.match(lines[3] ?? '', /^Next {5}nightly of o1, 20/);
    assert.match(lines[4] ?? '', /nobody begins it/);
  });

  it('is late three hours after a night should have begun that nobody began', async () => {
    const inTwoDays = new Date(Date.now() + 2 * DAY_MS);
    const document = await statusAt(inTwoDays);
    const since = document.accounts[0]?.lateSince ?? '';
    assert.ok(Date.parse(since) > Date.now() && Date.parse(since) < inTwoDays.getTime(), since);
    assert.match(textOf(document, inTwoDays), /^Late {5}o1: no good night since the one that was due 20.*succeeded$/m);
    const next = document.accounts[0]?.next?.at ?? '';
    assert.ok(Date.parse(next) > inTwoDays.getTime(), next);
  });

  it('whose clock is behind is told so: its newest point lies ahead', async () => {
    await using agent = await openAgentFor(loadConfig([places.config]), { clock: () => new Date(Date.now() - DAY_MS) });
    const { findings } = await agent.doctor();
    const behind = findings.find(({ code }) => code === 'clock-behind');
    assert.deepEqual([behind?.severity, behind?.path], ['error', 'o1']);
    assert.match(behind?.message ?? '', /^the newest point of o1 is of 20.*, which lies ahead/);
  });

  it('names points that nobody confirmed for two weeks, and how much they hold', async () => {
    using store = openStore();
    store.exec(`UPDATE points SET pinned = 1 WHERE uri = '${site.uri}'`);
    const soon = await statusAt(new Date(Date.now() + 13 * DAY_MS));
    assert.equal(soon.accounts[0]?.oldPins, null);
    const later = new Date(Date.now() + 15 * DAY_MS);
    const document = await statusAt(later);
    assert.equal(document.accounts[0]?.oldPins?.points, 1);
    assert.ok(document.accounts[0].oldPins.bytes > 0);
    assert.match(textOf(document, later), /o1: 1 point \(.*\) pinned since .*salvor confirm TASK/);
    store.exec('UPDATE points SET pinned = 0');
  });

  it('names the points that the last night did not bring to the remote copy', async () => {
    using store = openStore();
    const move = (from: string, to: string): void => {
      for (const table of ['made_snapshots', 'points'])
        store.exec(`UPDATE ${table} SET copy = '${to}' WHERE copy = '${from}'`);
    };
    move('remote', 'away');
    const document = await statusAt(new Date());
    assert.equal(document.accounts[0]?.behind?.points, 1);
    assert.match(textOf(document, new Date()), /^Late {5}o1: 1 point not yet in the remote copy, the oldest of 20/m);
    const doctor = await examine();
    assert.ok(codesOf(doctor, 'warning').includes('copy-behind'));
    move('away', 'remote');
    assert.equal((await statusAt(new Date())).accounts[0]?.behind, null);
  });

  it('has each thing that is wrong named with what to do: modes, keys, log-ins, locks, the kit', async () => {
    const { mariadb } = test.host;
    chmodSync(places.keyFile, 0o644);
    chmodSync(places.repositories, 0o755);
    rmSync(join(places.stateDir, 'recovery-kit.html'));
    const lock = join(places.remote, 'o1/locks/', 'a'.repeat(64));
    writeFileSync(lock, 'a lock');
    utimesSync(lock, new Date(Date.now() - 3_600_000), new Date(Date.now() - 3_600_000));
    await mariadb.query(`ALTER USER '${site.user}'@'localhost' IDENTIFIED BY 'another'`);
    const config = readFileSync(places.config, 'utf8');
    writeFileSync(places.config, config.replace('policy:', `sites: { gone.example.com: {} }\npolicy:`));
    const doctor = await examine();
    const errors = codesOf(doctor, 'error');
    for (const code of ['mode-too-open', 'key-unreadable', 'database-login-refused'])
      assert.ok(errors.includes(code), code);
    assert.equal(doctor.findings.filter(({ code }) => code === 'mode-too-open').length, 2);
    const warnings = codesOf(doctor, 'warning');
    for (const code of ['recovery-kit-missing', 'repository-lock-old']) assert.ok(warnings.includes(code), code);
    assert.equal(doctor.exit, 1);
    const login = doctor.findings.find(({ code }) => code === 'database-login-refused');
    assert.ok(login !== undefined && login.message.startsWith(`o1/${site.uri}: `), login?.message ?? '');
    chmodSync(places.keyFile, 0o600);
    rmSync(lock);
    await mariadb.query(`ALTER USER '${site.user}'@'localhost' IDENTIFIED BY '${site.password}'`);
  });

  it('whose remote place can’t be written is told so, with the step that failed', async () => {
    const data = join(places.remote, 'o1/data');
    renameSync(data, `${data}.away`);
    writeFileSync(data, '');
    const doctor = await examine();
    rmSync(data);
    renameSync(`${data}.away`, data);
    assert.ok(codesOf(doctor, 'error').includes('place-unusable'), JSON.stringify(doctor.findings));
  });

  it('that can’t be opened at all is a finding, not a failure of the doctor', async () => {
    const config = readFileSync(places.config, 'utf8');
    writeFileSync(places.config, config.replace('homes:', 'hoems:'));
    const doctor = await examine();
    writeFileSync(places.config, config);
    assert.deepEqual([doctor.exit, codesOf(doctor, 'error')], [1, ['config-invalid']]);
  });
});
