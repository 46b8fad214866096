/**
 * Days on a simulated host, each with its night: the command itself, at a made-up time. Some nights are killed in the middle
 * and begun again, or the agent that serves them or their database server is; in some the remote place is away; some are
 * followed by one for which the clock is a day ahead or behind. What is promised of all that is judged in `judge.ts`.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { DailyDocument, StatusDocument } from '@salvor/contract';
import { Random } from '../../../demo/random.ts';
import { openAgentFor } from '../../src/compose.ts';
import { loadConfig } from '../../src/config.ts';
import { DAY_MS, Judge, REMOTE_WAITS_DAYS, type ReportedPoint, dayOf, keyOf, timeOf } from './judge.ts';
import { type Seen, SimulatedHost } from './simulated-host.ts';

/** `night`: the command `salvor daily`. `agent`: `salvor agent`, which begins the nights by itself. `server`: MariaDB. */
export type Victim = 'night' | 'agent' | 'server';

export type SimulationSize = {
  readonly accounts: number;
  readonly sites: number;
  readonly days: number;
  readonly requests: number;
  readonly seed: number;
  /** Of a hundred nights, how many are killed before they end, up to three times. */
  readonly killPercent: number;
  /** What is killed on which days whatever chance says. */
  readonly kills: Readonly<Record<number, Victim>>;
  /** Days after whose night one follows for which the clock is a day ahead, or a day behind, in turns. */
  readonly clockJumps: readonly number[];
  /** Nights in which the remote place is away, from the first of them on. */
  readonly remoteAway: readonly number[];
};

export type SimulationReport = {
  readonly nights: number;
  readonly killed: Readonly<Record<Victim, number>>;
  readonly points: number;
  readonly requests: number;
};

const COMMAND = fileURLToPath(new URL('command-at.ts', import.meta.url));
const HOUR_MS = 3_600_000;
/** Of the night before: one with less to do is shorter, and what must be hit is hit early. */
const LATEST_PERCENT = { surely: 30, anywhere: 90 } as const;
/** Later in the day than any night: what such a night makes is told from the others by its time. */
const JUMPED_AT_MS = 12 * HOUR_MS;

/** Throws an assertion error for each promise that is broken. */
export async function simulateDays(size: SimulationSize, tell: (line: string) => void): Promise<SimulationReport> {
  await using host = await SimulatedHost.open({ ...size, remoteDeletes: `${REMOTE_WAITS_DAYS}d` });
  tell(`${size.accounts} accounts, ${host.sites.length} sites`);
  const simulation = new Simulation(host, size, tell);
  for (let day = 0; day < size.days; day++) await simulation.day(day);
  return await simulation.judge();
}

class Simulation {
  readonly #host: SimulatedHost;
  readonly #size: SimulationSize;
  readonly #tell: (line: string) => void;
  readonly #random: Random;
  /** By day, then by ACCOUNT/URI. */
  readonly #seen: ReadonlyMap<string, Seen>[] = [];
  readonly #reported: ReportedPoint[] = [];
  /** By the day that the third copy calls itself: of which day it is. */
  readonly #thirdCopies = new Map<number, number>();
  readonly #killed = { night: 0, agent: 0, server: 0 };
  readonly #killedDays = new Set<number>();
  /** How long the last whole night took. */
  #nightMs = 3000;
  /** The clock was wrong in the night before: the next one doubts it. */
  #isInDoubt = false;

  constructor(host: SimulatedHost, size: SimulationSize, tell: (line: string) => void) {
    this.#host = host;
    this.#size = size;
    this.#tell = tell;
    this.#random = new Random(size.seed).fork('nights');
  }

  async day(day: number): Promise<void> {
    await this.#host.live(day);
    const seen = new Map<string, Seen>();
    for (const site of this.#host.sites) seen.set(keyOf(site), await this.#host.look(site));
    this.#seen.push(seen);
    const isAway = this.#size.remoteAway.includes(day);
    this.#moveRemote(isAway);
    const forced = this.#size.kills[day];
    if (forced !== undefined) await this.#kill(day, forced, 'surely');
    if (this.#random.between(1, 100) <= this.#size.killPercent)
      for (let left = this.#random.between(1, 3); left > 0; left--)
        await this.#kill(day, this.#random.pick(['night', 'night', 'agent', 'server'] as const), 'anywhere');
    const night = await this.#night(day);
    const expected = isAway || this.#isInDoubt ? 'warned' : 'succeeded';
    assert.equal(night.state, expected, describe(day, night));
    this.#requireDoubt(night);
    this.#isInDoubt = false;
    for (const { copies, account } of night.accounts)
      assert.deepEqual(
        copies.map(({ copy, state }) => `${copy} ${state}`),
        ['local complete', isAway ? 'remote behind' : 'remote complete'],
        `day ${day}, ${account}`,
      );
    await this.#requireStatus(day, isAway);
    const jump = this.#size.clockJumps.indexOf(day);
    if (jump !== -1) await this.#jumpedNight(day, jump % 2 === 0 ? 1 : -1);
    this.#tell(`day ${day + 1} of ${this.#size.days}${isAway ? ', the remote place away' : ''}`);
  }

  /** The clock says another day than it is: a point is made, nothing is let go of, also not in the night after. */
  async #jumpedNight(day: number, byDays: number): Promise<void> {
    const night = await this.#night(day, byDays * DAY_MS);
    this.#isInDoubt = true;
    assert.equal(night.state, 'warned', describe(day, night));
    this.#requireDoubt(night);
    this.#tell(`the clock ${byDays < 0 ? 'a day behind' : 'a day ahead'}`);
  }

  #requireDoubt({ accounts }: DailyDocument): void {
    if (!this.#isInDoubt) return;
    for (const { account, copies, problems } of accounts) {
      assert.ok(
        problems.some(({ code }) => code === 'clock-in-doubt'),
        account,
      );
      assert.deepEqual(
        copies.map(({ forgotten }) => forgotten),
        copies.map(() => 0),
        account,
      );
    }
  }

  /** A whole one, and what it reports. */
  async #night(day: number, clockOffMs = 0): Promise<DailyDocument> {
    const began = performance.now();
    const { output, complaint } = await readAll(this.#start(day, ['daily', '--json'], clockOffMs));
    if (clockOffMs === 0) this.#nightMs = performance.now() - began;
    assert.ok(output.startsWith('{"state"'), `the night of day ${day}: ${output} ${complaint}`);
    const night = DailyDocument.parse(JSON.parse(output));
    this.#report(day, clockOffMs, night, true);
    return night;
  }

  #report(day: number, clockOffMs: number, { accounts }: DailyDocument, isWhole: boolean): void {
    const time = timeOf(day) + (clockOffMs === 0 ? 0 : JUMPED_AT_MS + clockOffMs);
    for (const { account, point, databases, state } of accounts) {
      if (point === null) continue;
      // Where the server was killed the night names the databases that it could not read.
      const isDumped = databases > 0 && (isWhole || state === 'succeeded');
      const halves = isDumped ? (['files', 'databases'] as const) : (['files'] as const);
      this.#reported.push({ account, point, time, halves, isWhole });
    }
    this.#thirdCopies.set(dayOf(time), day);
  }

  /** At any moment of the night, be it the last account's pruning. A night whose server is killed goes on, and may report. */
  async #kill(day: number, victim: Victim, how: keyof typeof LATEST_PERCENT): Promise<void> {
    this.#killedDays.add(day);
    const child = this.#start(day, victim === 'agent' ? ['agent'] : ['daily', '--json']);
    const said = readAll(child);
    const delayMs = Math.round((this.#nightMs * this.#random.between(5, LATEST_PERCENT[how])) / 100);
    const isOver = await Promise.race([said.then(() => true), sleep(delayMs, false)]);
    if (victim === 'server') await this.#host.mariadb.kill('SIGKILL');
    else child.kill('SIGKILL');
    const { output } = await said;
    if (victim === 'server') await this.#host.mariadb.start();
    if (!isOver) this.#killed[victim] += 1;
    this.#tell(
      `${victim} killed after ${delayMs} of ${Math.round(this.#nightMs)} ms${isOver ? ', when it was over' : ''}`,
    );
    if (output.startsWith('{"state"')) this.#report(day, 0, DailyDocument.parse(JSON.parse(output)), false);
  }

  /** While the remote place is away the status says so, and how far it is behind; when it is back, that nothing is. */
  async #requireStatus(day: number, isAway: boolean): Promise<void> {
    const child = this.#start(day, ['status', '--json'], 0, HOUR_MS);
    const { output } = await readAll(child);
    const status = StatusDocument.parse(JSON.parse(output));
    assert.equal(child.exitCode, isAway ? 3 : 0, `the status of day ${day}: ${output}`);
    const missed = isAway ? this.#size.remoteAway.indexOf(day) + 1 : 0;
    for (const { name } of this.#host.accounts.map(({ account }) => account)) {
      const { behind, lateSince } = status.accounts.find(({ account }) => account === name) ?? assert.fail(name);
      assert.equal(lateSince, null);
      if (!isAway) assert.equal(behind, null, `${name} on day ${day}`);
      else assert.ok((behind?.points ?? 0) >= missed, `${name} on day ${day}: ${JSON.stringify(behind)}`);
      const remote = status.repositories.find(({ account, copy }) => account === name && copy === 'remote');
      assert.equal(remote?.state === 'ready', !isAway, `${name} on day ${day}: ${JSON.stringify(remote)}`);
    }
    assert.deepEqual(
      status.tasks.filter(({ state }) => state === 'running' || state === 'queued'),
      [],
    );
  }

  /** `clockOffMs`: how far the clock is from what it should be, in the middle of the day. */
  #start(day: number, command: readonly string[], clockOffMs = 0, afterMs = 0): Child {
    const laterMs = clockOffMs === 0 ? afterMs : JUMPED_AT_MS;
    const time = new Date(timeOf(day) + laterMs + clockOffMs).toISOString();
    const seconds = String((day * DAY_MS + laterMs) / 1000);
    return spawn(process.execPath, [COMMAND, time, seconds, ...command, '--config', this.#host.config], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, HOME: this.#host.directory, TZ: 'UTC' },
    });
  }

  /** Another disk that is not there: nothing lies where it was. */
  #moveRemote(isAway: boolean): void {
    const place = join(this.#host.directory, 'remote');
    const away = `${place}.away`;
    if (isAway && existsSync(place) && !existsSync(away)) renameSync(place, away);
    if (!isAway && existsSync(away)) renameSync(away, place);
  }

  async judge(): Promise<SimulationReport> {
    const { days, requests } = this.#size;
    const lastNight = timeOf(days - 1);
    const agent = {
      clock: () => new Date(lastNight + HOUR_MS),
      uptime: () => ({ boot: 'one', seconds: ((days - 1) * DAY_MS + HOUR_MS) / 1000 }),
    };
    await using opened = await openAgentFor(loadConfig([this.#host.config]), agent);
    const lived = {
      days,
      seen: this.#seen,
      reported: this.#reported,
      thirdCopies: this.#thirdCopies,
      killedDays: this.#killedDays,
    };
    const judge = new Judge(this.#host, opened, lived, this.#random.fork('requests'));
    const points = await judge.points();
    await judge.repositories();
    await judge.thirdCopies();
    for (let at = 0; at < requests; at++) await judge.request(at);
    return { nights: days, killed: this.#killed, points, requests };
  }
}

type Child = ChildProcess & { stdout: NodeJS.ReadableStream; stderr: NodeJS.ReadableStream };

async function readAll(child: Child): Promise<{ readonly output: string; readonly complaint: string }> {
  const [output, complaint] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { output, complaint };
}

function describe(day: number, { accounts }: DailyDocument): string {
  return `day ${day}: ${JSON.stringify(accounts.map(({ problems }) => problems))}`;
}
