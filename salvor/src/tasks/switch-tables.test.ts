/** Two databases of one site, and what is settled behind them, on a real server. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode } from '../../test/fault/fault-host.ts';
import { openConnection } from '../databases/mariadb/connect.ts';
import { inspectSwap, readSwapFacts } from '../databases/mariadb/inspect-swap.ts';
import { planSwap, WHOLE_DATABASE } from '../databases/mariadb/plan-swap.ts';
import { moveTables } from '../databases/mariadb/swap.ts';
import { fingerprint, makeSite, openTestServer, type TestServer } from '../databases/mariadb/test-database.ts';
import { planMove } from './move-site.ts';
import {
  finishSwitch,
  makeSwitch,
  planSwitchBack,
  revertSwitch,
  surveySwitch,
  type Switch,
  type SwitchTools,
  type TableSwap,
} from './switch-site.ts';

const TABLES = Array.from({ length: 20 }, (_, number) => `CREATE TABLE t${number} (i INT PRIMARY KEY);`).join('\n');
const CONTENT = `${TABLES} CREATE TABLE counted (i INT PRIMARY KEY); CREATE VIEW v AS SELECT i FROM t1;
  CREATE TRIGGER counts BEFORE INSERT ON counted FOR EACH ROW SET NEW.i = NEW.i + 100;`;

describe('the databases of a switch', () => {
  let server: TestServer;
  let count = 0;
  before(async () => {
    server = await openTestServer();
  });
  after(() => server[Symbol.asyncDispose]());

  const lines: string[] = [];
  const toolsOf = (onLine: (line: string) => unknown = () => {}, others: readonly TestServer[] = []): SwitchTools => ({
    administratorOf: (address) =>
      Promise.resolve(
        [server, ...others].find(({ admin }) => admin.address === address)?.admin ?? assert.fail('a third server'),
      ),
    say: (line) => {
      lines.push(line);
      onLine(line);
    },
    audit: (_what, _path, body) => Promise.resolve(body()),
  });

  type Prepared = TableSwap & { readonly present: string; readonly coming: string; readonly on: TestServer };
  const prepare = async (on = server): Promise<Prepared> => {
    count += 1;
    const [live, scratch] = [`live_${count}`, `salvor_${count}_new`];
    const { account } = await makeSite(on, live, `${CONTENT} INSERT INTO t1 VALUES (1), (2)`);
    await on.server.query(
      `CREATE DATABASE ${scratch} CHARACTER SET utf8mb4; USE ${scratch}; ${CONTENT} INSERT INTO t1 VALUES (7)`,
    );
    const wish = { live, scratch, old: `salvor_${count}_old`, definer: account, definers: [], scope: WHOLE_DATABASE };
    const plan = planSwap(await readSwapFacts(on.admin, wish), wish);
    const [present, coming] = [await fingerprint(on, live), await fingerprint(on, scratch)];
    return { server: on.admin.address, plan, present, coming, on };
  };
  const switchOf = (tables: readonly Prepared[]): Switch => ({
    tables: tables.map(({ server: address, plan }) => ({ server: address, plan })),
    moves: [],
  });
  const assertAre = async (tables: readonly Prepared[], which: 'present' | 'coming'): Promise<void> => {
    for (const one of tables) {
      assert.equal(await fingerprint(one.on, one.plan.live), one[which]);
      const fired = `USE ${one.plan.live}; INSERT INTO counted VALUES (1); SELECT i FROM counted; DELETE FROM counted; SELECT COUNT(*) FROM v`;
      assert.equal(await one.on.server.query(fired), which === 'present' ? '101\n2\n' : '101\n1\n');
    }
  };
  /** Of somebody who is in no database: nobody sees beforehand what it has read. */
  const openReader = async (on: TestServer, table: string): Promise<AsyncDisposable> => {
    const connection = await openConnection(on.admin);
    await connection.execute('START TRANSACTION');
    await connection.query(`SELECT COUNT(*) FROM ${table}`);
    return connection;
  };

  /** A visitor of the new table: the old one has no such row. */
  const writeToRestored = async (table: string, signal: AbortSignal): Promise<void> => {
    await using connection = await openConnection(server.admin);
    while (!signal.aborted) {
      await connection.execute(`UPDATE ${table} SET i = 77 - i WHERE i IN (7, 70)`);
      await sleep(5);
    }
  };

  it('change places all at once: while the second is in use the first waits too, and an undo takes both back', async () => {
    const both = [await prepare(), await prepare()];
    const [first, second] = [both[0]?.plan.live ?? '', both[1]?.plan ?? assert.fail()];
    const reader = await openReader(server, `${second.live}.t1`);
    const states: Promise<string>[] = [];
    const look = async (): Promise<string> => {
      // Not by its own lock, which the switch holds.
      const gone = await server.server.query(`SELECT COUNT(*) FROM ${first}.t1; SHOW TABLES FROM ${second.old}`);
      await reader[Symbol.asyncDispose]();
      return gone;
    };
    lines.length = 0;
    const wanted = switchOf(both);
    assert.deepEqual(
      await makeSwitch(
        wanted,
        '/',
        toolsOf(() => states.length > 0 || states.push(look())),
      ),
      [],
    );
    assert.match(lines[0] ?? '', new RegExp(`^${first}, ${second.live} waits for: `));
    assert.equal(await states[0], '2\n');
    await assertAre(both, 'coming');
    const back = await planSwitchBack(wanted, '/', (index) => `salvor_${count}_undone${index}`, toolsOf());
    await makeSwitch(back, '/', toolsOf());
    await assertAre(both, 'present');
  });

  it('after a crash between the two, as it can only be of two servers, are finished both or taken back both', async () => {
    for (const [act, state] of [
      [finishSwitch, 'coming'],
      [revertSwitch, 'present'],
    ] as const) {
      const both = [await prepare(), await prepare()];
      await moveTables(server.admin, [both[0]?.plan ?? assert.fail()]);
      const wanted = switchOf(both);
      const survey = await surveySwitch(wanted, '/', toolsOf());
      assert.deepEqual([survey.isUntouched, survey.lost], [false, []]);
      for (let times = 0; times < 2; times += 1) {
        await act(wanted, '/', toolsOf());
        await assertAre(both, state);
      }
    }
  });

  it('are all before or all after it where the server is killed in it', async () => {
    const both = [await prepare(), await prepare()];
    const plans = both.map(({ plan }) => plan);
    const moving = moveTables(server.admin, plans).catch(() => undefined);
    await sleep(30);
    await server.server.kill('SIGKILL');
    await moving;
    await server.server.start();
    const states = [];
    for (const plan of plans) states.push((await inspectSwap(server.admin, plan)).state);
    assert.ok(states[0] !== 'mixed' && states[0] === states[1], states.join());
    await revertSwitch(switchOf(both), '/', toolsOf());
    await assertAre(both, 'present');
  });

  it('on two servers go back where the second one has to give way, within seconds, and what was written to the first meanwhile is named', async () => {
    await using other = await openTestServer();
    const both = [await prepare(), await prepare(other)];
    const wanted = switchOf(both);
    const tools = toolsOf(() => {}, [other]);
    const { live = '', scratch = '' } = both[0]?.plan ?? {};
    const end = new AbortController();
    const writing = writeToRestored(`${live}.t1`, end.signal);
    const reader = await openReader(other, `${both[1]?.plan.live}.t1`);
    lines.length = 0;
    await assert.rejects(makeSwitch(wanted, '/', tools), hasCode('swap-locked'));
    end.abort();
    await writing;
    await server.server.query(`UPDATE ${scratch}.t1 SET i = 7`);
    assert.deepEqual(
      lines.filter((line) => line.includes('was written to')),
      [`${live}.t1 was written to while the restored one was live: what was written then goes with that`],
    );
    assert.ok(lines.includes(`${both[0]?.plan.live} goes back: ${both[1]?.plan.live} can't move`), lines.join('\n'));
    assert.equal(
      lines.filter((line) => line.includes('waits for')).length,
      1,
      'no second try while the first has moved',
    );
    await reader[Symbol.asyncDispose]();
    await revertSwitch(wanted, '/', tools);
    await assertAre(both, 'present');
    await makeSwitch(wanted, '/', tools);
    await assertAre(both, 'coming');
  });

  it('give files the way: a trigger whose table is in use at once is made when they have moved, and no visitor waits for it before', async () => {
    const one = await prepare();
    const { live } = one.plan;
    const home = mkdtempSync(join(tmpdir(), 'salvor-switch-'));
    const places = {
      home,
      live: join(home, 'site'),
      staging: join(home, 'staging'),
      staged: join(home, 'staging/site'),
    };
    mkdirSync(places.staging, { mode: 0o700 });
    for (const path of [places.live, places.staged]) {
      mkdirSync(path);
      writeFileSync(join(path, 'name'), path);
    }
    const wanted = { ...switchOf([one]), moves: [planMove(places)] };
    let asked = 0;
    let reader: AsyncDisposable | null = null;
    const seen: string[] = [];
    const tools: SwitchTools = {
      ...toolsOf((line) => {
        if (!line.includes('now that the files have moved')) return;
        seen.push(readFileSync(join(places.live, 'name'), 'utf8'));
        void reader?.[Symbol.asyncDispose]();
      }),
      administratorOf: async () => {
        asked += 1;
        // Between the tables and what belongs to them.
        if (asked === 2) reader = await openReader(server, `${live}.counted`);
        return server.admin;
      },
    };
    assert.deepEqual(await makeSwitch(wanted, '/', tools), []);
    assert.deepEqual(seen, [places.staged]);
    await assertAre([one], 'coming');
    rmSync(home, { recursive: true });
  });
});
