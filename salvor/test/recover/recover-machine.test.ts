/** A lost host on an empty machine: from its printed kit and the remote copy alone, every site answers as it did. */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { DailyDocument, PointsDocument, RecoverDocument } from '@salvor/contract';
import { LostHost } from './lost-host.ts';
import { writeScriptByHand } from './by-hand.ts';
import type { MachineReport } from './empty-machine.ts';

const RECOVER = ['recover', '--kit', '-'] as const;

describe('a lost host', () => {
  let lost: LostHost;
  const seed = Number(process.env['SALVOR_TEST_SEED'] ?? randomInt(2 ** 31));
  const uris = (account?: string): readonly string[] =>
    lost.sites.filter((site) => account === undefined || site.account === account).map(({ uri }) => uri);
  const documentOf = ({ commands }: MachineReport, at: number): RecoverDocument => {
    const { document, output = '', complaint = '' } = commands[at] ?? {};
    assert.ok(document, `${output}\n${complaint}`);
    return RecoverDocument.parse(document);
  };

  before(async () => {
    lost = await LostHost.open({ accounts: 2, sites: 3, seed });
  });
  after(() => lost[Symbol.asyncDispose]());

  it('comes back from kit and remote copy alone, also where the recovery is killed in step after step', async (t) => {
    t.diagnostic(`SALVOR_TEST_SEED=${seed}`);
    const there = lost.listRemote();
    const report = await lost.onEmptyMachine({
      kills: { share: 0.15, seed },
      commands: [{ args: RECOVER }, { args: ['points', `a0/${uris('a0')[0]}`] }, { args: ['daily'] }],
      look: uris(),
    });
    t.diagnostic(`killed in ${report.hits.join(', ') || 'no step'}`);
    const document = documentOf(report, 0);
    assert.equal(document.state, 'succeeded', JSON.stringify(document, null, 1));
    assert.deepEqual(report.left, [], 'the log-in of the kit lies nowhere else');
    assert.deepEqual(report.looks, lost.looks);
    assert.ok(lost.looks.every(({ status }) => status === 200));
    const [point] = PointsDocument.parse(report.commands[1]?.document);
    assert.deepEqual([point?.origin, point?.complete, point?.copies], ['daily', true, ['local', 'remote']]);

    // With the log-in that the recovery has put into the state: the host's own is lost.
    const night = DailyDocument.parse(report.commands[2]?.document);
    assert.equal(night.state, 'succeeded', JSON.stringify(night, null, 1));
    assert.deepEqual(
      night.accounts.map(({ copies }) => copies.map(({ copy, state }) => `${copy} ${state}`)),
      ['a0', 'a1', '@host'].map(() => ['local complete', 'remote complete']),
    );

    for (const { account } of lost.host.accounts) {
      assert.match(
        report.passwd,
        new RegExp(`^${account.name}:x:${account.uid}:${account.gid}::${account.home}:/bin/sh$`, 'm'),
      );
      assert.match(report.shadow, new RegExp(`^${account.name}:\\$6\\$salt\\$x{86}:`, 'm'));
    }
    assert.match(report.group, /^www-data:.*\ba0\b/m);
    const now = new Set(lost.listRemote());
    assert.deepEqual(
      there.filter((path) => !now.has(path)),
      [],
      'nothing in the repositories is removed',
    );
  });

  it('comes back in parts: one site alone, then the rest of its account; and over a database that lives there nothing is written', async () => {
    const [first = '', ...others] = uris('a0');
    assert.ok(others.length > 0);
    const living = lost.sites.find(({ account }) => account === 'a1')?.database ?? '';
    const report = await lost.onEmptyMachine({
      sql: `CREATE DATABASE ${living}; CREATE TABLE ${living}.living (a INT);`,
      script: `mariadb --no-defaults --socket=${lost.host.mariadb.socket} -N -e 'SHOW TABLES' ${living}`,
      commands: [
        { args: [...RECOVER, '--dry-run'] },
        { args: [...RECOVER, '--site', `a0/${first}`] },
        { args: [...RECOVER, '--account', 'a0'] },
        { args: [...RECOVER, '--account', 'a1'] },
      ],
      look: uris('a0'),
    });
    const [planned, one, all] = [documentOf(report, 0), documentOf(report, 1), documentOf(report, 2)];
    assert.deepEqual([planned.state, planned.written], ['succeeded', false]);
    assert.deepEqual(
      planned.accounts.map(({ account, users, homes }) => [account, users, homes.map(({ state }) => state)]),
      lost.host.accounts.map(({ account: { name } }) => [name, [name, `${name}.ftp`], ['missing']]),
    );
    for (const document of [one, all]) assert.equal(document.state, 'succeeded', JSON.stringify(document, null, 1));
    assert.deepEqual(
      one.accounts.map(({ account, sites }) => [account, sites.map(({ uri }) => uri)]),
      [['a0', [first]]],
    );
    assert.deepEqual(
      all.accounts[0]?.sites.map(({ databases }) => databases.length),
      [0, ...others.map(() => 1)],
    );
    assert.deepEqual(
      report.looks,
      lost.looks.filter(({ uri }) => uris('a0').includes(uri)),
    );
    // A database that lives is newer than any night, whatever lies in it.
    const other = documentOf(report, 3);
    assert.equal(other.state, 'warned');
    assert.deepEqual(
      other.accounts.flatMap(({ sites }) => sites.flatMap(({ problems }) => problems.map(({ code }) => code))),
      ['database-there'],
    );
    assert.equal(report.script, 'living\n');
  });

  it('comes back by hand, every site of it, with stock restic and the printed page', async () => {
    const script = writeScriptByHand(readFileSync(lost.kit, 'utf8'), lost.sites, lost.host.mariadb.socket);
    const report = await lost.onEmptyMachine({ commands: [], script, look: uris() });
    assert.deepEqual(report.looks, lost.looks);
  });

  it('that lives is left as it is: homes that are there are refused, and nothing is written over', async () => {
    const before = await lost.look();
    const { exit, output } = await lost.attempt(['recover', '--kit', lost.kit]);
    const document = RecoverDocument.parse(JSON.parse(output));
    assert.deepEqual([exit, document.state, document.written], [1, 'failed', false]);
    for (const { state, problems, homes } of document.accounts) {
      assert.deepEqual([state, homes.map((home) => home.state)], ['failed', ['taken']]);
      assert.deepEqual(
        problems.map(({ code }) => code),
        ['place-taken'],
      );
    }
    assert.deepEqual(await lost.look(), before);
  });
});
