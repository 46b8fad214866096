/** The agent that serves a host, on a clock of its own: jobs when they are due, and a policy that changes under it. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import type { DemoSite } from '../../../demo/host.ts';
import { salvorPlaces } from '../../../demo/salvor-command.ts';
import { serveHost } from '../../src/compose.ts';
import { Way } from '../../src/agent/way.ts';
import { loadConfig } from '../../src/config.ts';
import { openTestHost, type TestHost } from './open-test-host.ts';

const HOUR_MS = 3_600_000;

describe('the agent that serves a host', () => {
  let test: TestHost;
  let config: string;
  let original: string;

  before(async () => {
    test = await openTestHost({ withoutWordPress: true, nodes: 5, files: 5 });
    config = salvorPlaces(test.host).config;
    original = readFileSync(config, 'utf8');
  });
  after(() => test[Symbol.asyncDispose]());

  /** Lets hours go by; `onHour` is told each of them. The lines that it said. */
  async function serve(
    from: Date,
    hours: number,
    policy: string,
    onHour: (hour: number) => void | Promise<void> = () => {},
    way = new Way(),
  ): Promise<string[]> {
    writeFileSync(
      config,
      original.replace(/^policy:.*\n/m, `policy: { archives: { format: none }, timeZone: UTC, ${policy} }\n`),
    );
    const lines: string[] = [];
    const stopping = new AbortController();
    let now = from.getTime();
    let hour = 0;
    await serveHost({
      load: () => loadConfig([config]),
      clock: () => new Date(now),
      uptime: () => ({ boot: 'one', seconds: now / 1000 }),
      signal: stopping.signal,
      way,
      pause: async () => {
        now += HOUR_MS;
        hour += 1;
        await onHour(hour);
        if (hour === hours) stopping.abort();
      },
      // Three collections of all garbage after each of some 150 rounds: most of their time. The service gives memory back.
      release: () => {},
      onLine: (line) => lines.push(`${new Date(now).toISOString().slice(5, 16)} ${line.replace(/, point .*/, '')}`),
    });
    return lines;
  }

  it('lets a night give way, and no backup that somebody asks for meanwhile over the socket', async () => {
    const site = test.host.sites[0];
    assert.ok(site !== undefined);
    const entered: boolean[] = [];
    class RecordedWay extends Way {
      override enter(isGentle: boolean): Disposable {
        entered.push(isGentle);
        return super.enter(isGentle);
      }
    }
    const way = new RecordedWay(() => ({ [Symbol.dispose]: () => {} }));
    const ask = async (): Promise<void> => void (await test.backUp(site));
    await serve(new Date('2026-03-01T02:30:00Z'), 1, 'nightly: { spread: 0 }', ask, way);
    assert.deepEqual(new Set(entered), new Set([true, false]));
  });

  it('begins each night when it is due, and once', async () => {
    const lines = await serve(new Date('2026-04-01T20:00:00Z'), 32, 'nightly: { spread: 0 }');
    assert.deepEqual(
      lines.filter((line) => line.includes(' o1: nightly')),
      // Nobody knows of a night before: the last one that was missed is made up for at once.
      ['04-01T20:00', '04-02T02:00', '04-03T02:00'].flatMap((time) => [
        `${time} o1: nightly begins`,
        `${time} o1: nightly succeeded`,
      ]),
    );
  });

  it('does what the policy says as it changes, and keeps the one before where the new one can’t be read', async () => {
    const lines = await serve(new Date('2026-04-03T03:00:00Z'), 12, 'nightly: { spread: 0 }', (hour) => {
      const text = readFileSync(config, 'utf8');
      if (hour === 3) writeFileSync(config, text.replace('nightly:', 'nigthly:'));
      if (hour === 5) writeFileSync(config, text.replace('nigthly: {', 'databases: { every: 4h }, nightly: {'));
      if (hour === 9)
        writeFileSync(config, text.replace('nightly: {', 'keep: { files: 1d, thirdCopy: 1d }, nightly: {'));
    });
    assert.equal(lines.filter((line) => line.includes('keeps the configuration of before')).length, 1);
    assert.match(lines.find((line) => line.includes('keeps')) ?? '', /nigthly/);
    const goes = lines.filter((line) => line.includes('lets go of') && line.includes(' o1: '));
    const gone =
      '2 snapshots of the local copy (2026-04-01T20:00:00.000Z to 2026-04-02T02:00:00.000Z), 2 days of third copies (2026-04-01 to 2026-04-02)';
    assert.deepEqual(goes, [`04-03T12:00 o1: the next night lets go of ${gone}`]);
    const databases = lines.filter((line) => line.includes('databases succeeded'));
    assert.equal(databases.length, 3, lines.join('\n'));
    assert.ok(databases.every((line) => line >= '04-03T08:00'));
  });

  it('restores the newest whole point where none is named, not one of databases alone', async () => {
    const site = test.host.sites[0];
    assert.ok(site !== undefined);
    const plan = await test.attempt(['restore', site.uri, '--dry-run']);
    const { pointTime } = (plan.document as { plan: { pointTime: string } }).plan;
    assert.ok(pointTime.startsWith('2026-04-03T02:00'), pointTime);
  });

  it('keeps the newest whole point of each site that broke for as long as no newer one is whole', async () => {
    const [first, second] = test.host.sites;
    assert.ok(first !== undefined && second !== undefined);
    const rights = (verb: 'REVOKE' | 'GRANT', { database, user }: DemoSite): Promise<string> =>
      test.host.mariadb.query(
        `${verb} ALL PRIVILEGES ON \`${database}\`.* ${verb === 'GRANT' ? 'TO' : 'FROM'} '${user}'@'localhost'`,
      );
    const nights = async (from: string, hours: number): Promise<void> => {
      const lines = await serve(new Date(from), hours, 'nightly: { spread: 0 }, keep: { files: 1d, databases: 1d }');
      assert.ok(
        lines.some((line) => line.includes(' o1: nightly warned')),
        lines.join('\n'),
      );
    };
    await rights('REVOKE', first);
    await nights('2026-04-04T01:30:00Z', 26);
    await rights('REVOKE', second);
    await nights('2026-04-06T01:30:00Z', 75);
    const wholeOf = async ({ uri }: DemoSite): Promise<readonly string[]> => {
      const { document } = await test.attempt(['points', uri]);
      const points = document as { time: string; complete: boolean; holds: string[] }[];
      // One of databases alone, made after the last whole night, is no reason to let that go.
      const isWhole = ({ complete, holds }: (typeof points)[number]): boolean => complete && holds.includes('files');
      assert.ok(points.filter(isWhole).every(({ holds }) => holds.includes('databases')));
      return points.filter(isWhole).map(({ time }) => time.slice(0, 10));
    };
    assert.deepEqual(await wholeOf(first), ['2026-04-03']);
    // On 04-05 its account's point was not complete: the other site was broken already.
    assert.deepEqual(await wholeOf(second), ['2026-04-05', '2026-04-03']);
    for (const site of [first, second]) await rights('GRANT', site);
  });

  it('says of a job that finds no database to dump that it failed, and begins it again an hour later', async () => {
    const site = test.host.sites[0];
    assert.ok(site !== undefined);
    for (const { user, database } of test.host.sites)
      await test.host.mariadb.query(`REVOKE ALL PRIVILEGES ON \`${database}\`.* FROM '${user}'@'localhost'`);
    const lines = await serve(new Date('2026-04-03T16:00:00Z'), 3, 'nightly: { spread: 0 }, databases: { every: 12h }');
    const failures = lines.filter((line) => line.includes('databases failed'));
    assert.ok(failures.length >= 2, lines.join('\n'));
    const codes = lines.map((line) => /problem ([a-z-]+):/.exec(line)?.[1]);
    assert.ok(codes.includes('dumps-missing'));
  });
});
