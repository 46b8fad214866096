/**
 * Nights on a simulated host: each in a process of its own at a made-up time, some killed in the middle and begun again, or their
 * database server is, some with the remote place away, some followed by one for which the clock is a day ahead or behind. Afterwards exactly the promised points are in both copies, stock restic agrees, and what is
 * asked for of any kept day is what was there that day.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { DailyDocument, type PointDocument } from '@salvor/contract';
import { Random } from '../../../demo/random.ts';
import { makeTemporaryDirectory } from '../../../demo/temporary-directory.ts';
import type { Agent } from '../../src/agent/agent.ts';
import { openAgentFor } from '../../src/compose.ts';
import { loadConfig } from '../../src/config.ts';
import { runCommand } from '../../../bench/measure/run-command.ts';
import { type Seen, SimulatedHost, type SimulatedSite, hashOf } from './simulated-host.ts';

export type SimulationSize = {
  readonly accounts: number;
  readonly sites: number;
  readonly days: number;
  readonly requests: number;
  readonly seed: number;
  /** Of a hundred nights, how many are killed once before they end: themselves or the database server, as chance will. */
  readonly killPercent: number;
  /** Days after whose night one follows for which the clock is a day ahead, or a day behind, in turns. */
  readonly clockJumps: readonly number[];
  /** Nights in which the remote place is away, from the first of them on. */
  readonly remoteAway: readonly number[];
};

export type SimulationReport = {
  readonly nights: number;
  readonly killed: number;
  readonly serversKilled: number;
  readonly points: number;
  readonly requests: number;
};

const NIGHT = fileURLToPath(new URL('night.ts', import.meta.url));
const FIRST_NIGHT = Date.UTC(2026, 2, 1, 2);
const DAY_MS = 86_400_000;
/** Later in the day than any night: what such a night makes is told from the others by its time. */
const JUMPED_AT_MS = 12 * 3_600_000;
const KEPT_DAYS = { files: 7, databases: 14, thirdCopy: 7 };

/** Throws an assertion error for each promise that is broken. */
export async function simulateDays(size: SimulationSize, tell: (line: string) => void): Promise<SimulationReport> {
  await using host = await SimulatedHost.open(size);
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
  #killed = 0;
  #serversKilled = 0;
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
    if (this.#random.between(1, 100) <= this.#size.killPercent) {
      if (this.#random.between(0, 2) === 0) await this.#killServer(day);
      else await this.#killNight(day);
    }
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

  async #night(day: number, clockOffMs = 0): Promise<DailyDocument> {
    const child = this.#start(day, clockOffMs);
    const [output, complaint] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
    assert.equal(child.exitCode, 0, `the night of day ${day}: ${complaint}`);
    return DailyDocument.parse(JSON.parse(output));
  }

  async #killNight(day: number): Promise<void> {
    const child = this.#start(day);
    child.stdout.resume();
    child.stderr.resume();
    const closed = once(child, 'close');
    const timer = setTimeout(() => child.kill('SIGKILL'), this.#random.between(300, 9000));
    await closed;
    clearTimeout(timer);
    if (child.signalCode === 'SIGKILL') this.#killed += 1;
  }

  async #killServer(day: number): Promise<void> {
    const child = this.#start(day);
    child.stdout.resume();
    child.stderr.resume();
    const closed = once(child, 'close');
    const isOver = await Promise.race([closed.then(() => true), sleep(this.#random.between(300, 9000), false)]);
    if (!isOver) this.#serversKilled += 1;
    await this.#host.mariadb.kill('SIGKILL');
    await closed;
    await this.#host.mariadb.start();
  }

  /** `clockOffMs`: how far the clock is from what it should be, in the middle of the day. */
  #start(day: number, clockOffMs = 0): ChildProcess & { stdout: NodeJS.ReadableStream; stderr: NodeJS.ReadableStream } {
    const laterMs = clockOffMs === 0 ? 0 : JUMPED_AT_MS;
    const time = new Date(timeOf(day) + laterMs + clockOffMs).toISOString();
    return spawn(process.execPath, [NIGHT, this.#host.config, time, String((day * DAY_MS + laterMs) / 1000)], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, HOME: this.#host.directory, TZ: 'UTC' },
    });
  }

  /** Another disk that is not there: a file lies where it was. */
  #moveRemote(isAway: boolean): void {
    const place = join(this.#host.directory, 'remote');
    const away = `${place}.away`;
    if (isAway && existsSync(place) && !existsSync(away)) renameSync(place, away);
    if (!isAway && existsSync(away)) renameSync(away, place);
  }

  async judge(): Promise<SimulationReport> {
    await using agent = await this.#openAgent();
    let points = 0;
    for (const site of this.#host.sites) points += await this.#judgePoints(agent, site);
    for (const { account } of this.#host.accounts) await this.#judgeRepositories(account.name);
    const status = await agent.status();
    assert.deepEqual(
      status.tasks.filter(({ state }) => state === 'running' || state === 'queued'),
      [],
    );
    for (let at = 0; at < this.#size.requests; at++) await this.#judgeRequest(agent);
    const { days: nights, requests } = this.#size;
    return { nights, killed: this.#killed, serversKilled: this.#serversKilled, points, requests };
  }

  async #openAgent(): Promise<Agent> {
    const now = new Date(timeOf(this.#size.days - 1) + 3_600_000);
    const seconds = (timeOf(this.#size.days - 1) - FIRST_NIGHT + 3_600_000) / 1000;
    return await openAgentFor(loadConfig([this.#host.config]), {
      clock: () => now,
      uptime: () => ({ boot: 'one', seconds }),
    });
  }

  /** A point for each night that the policy keeps, in both copies, and no other. Nights that were killed may have left one more. */
  async #judgePoints(agent: Agent, site: SimulatedSite): Promise<number> {
    const points = await agent.points(keyOf(site));
    const days = Map.groupBy(points, ({ time }) => dayOf(time));
    for (let day = 0; day < this.#size.days; day++) {
      const age = this.#size.days - 1 - day;
      const found = days.get(day) ?? [];
      const whole = found.filter(({ copies }) => copies.length === 2);
      const about = `${keyOf(site)}, day ${day}: ${JSON.stringify(found)}`;
      for (const part of ['files', 'databases'] as const) {
        // What is as old as the policy keeps it, to the minute, went or stays by the minutes that this night began later.
        if (age === KEPT_DAYS[part]) continue;
        assert.equal(whole.some(holding(part)), age < KEPT_DAYS[part], `${part} of ${about}`);
      }
    }
    return points.length;
  }

  async #judgeRepositories(account: string): Promise<void> {
    const { directory } = this.#host;
    for (const [place, keys] of [
      ['repositories', 'keys'],
      ['remote', 'remote-keys'],
    ] as const) {
      const repository = [
        '--repo',
        join(directory, place, account),
        '--password-file',
        join(directory, 'state', keys, account),
      ];
      const command = ['restic', '--no-cache', ...repository, 'check', '--read-data'] as const;
      await runCommand(command, { work: directory, signal: AbortSignal.timeout(600_000) });
    }
    const days = readdirSync(join(directory, 'sql', account));
    assert.equal(days.length, Math.min(this.#size.days, KEPT_DAYS.thirdCopy), days.join());
  }

  /** A file or a table of a site as it was in a night that is kept. */
  async #judgeRequest(agent: Agent): Promise<void> {
    const site = this.#random.pick(this.#host.sites);
    const kind = this.#random.pick(['files', 'databases'] as const);
    const oldest = Math.max(0, this.#size.days - KEPT_DAYS[kind]);
    const day = this.#random.between(oldest, this.#size.days - 1);
    const isOfNight = ({ time }: PointDocument): boolean => Math.abs(Date.parse(time) - timeOf(day)) < JUMPED_AT_MS / 2;
    const points = (await agent.points(keyOf(site))).filter(isOfNight);
    const point = points.find(holding(kind));
    assert.ok(point !== undefined, `${keyOf(site)} has no point of day ${day}`);
    const seen = this.#seen[day]?.get(keyOf(site));
    assert.ok(seen !== undefined);
    await using place = await makeTemporaryDirectory('salvor-request');
    const target = join(place.path, 'out');
    if (kind === 'files') {
      const [path, expected] = this.#random.pick([...seen.files]);
      await agent.restore(keyOf(site), { ...WHOLE, point: point.id, paths: [path], to: target });
      assert.equal(hashOf(readFileSync(join(target, 'site', path))), expected, `${path} of ${keyOf(site)}, day ${day}`);
      return;
    }
    await agent.restore(keyOf(site), { ...WHOLE, point: point.id, tables: ['diary'], to: target });
    const dump = readdirSync(join(target, 'databases', site.database));
    const file = dump.find((name) => name.endsWith('-diary.sql')) ?? '';
    const scratch = `judge_${this.#random.next()}`;
    const sql = readFileSync(join(target, 'databases', site.database, file), 'utf8');
    await this.#host.mariadb.query(`CREATE DATABASE ${scratch}; USE ${scratch};\n${sql}`);
    assert.equal(await this.#host.diaryOf(scratch), seen.diary, `the diary of ${keyOf(site)}, day ${day}`);
    await this.#host.mariadb.query(`DROP DATABASE ${scratch}`);
  }
}

const WHOLE = { only: null, paths: [], tables: [], into: null, dryRun: false } as const;

function holding(part: 'files' | 'databases'): (point: PointDocument) => boolean {
  return ({ holds }) => holds.includes(part);
}

function describe(day: number, { accounts }: DailyDocument): string {
  return `day ${day}: ${JSON.stringify(accounts.map(({ problems }) => problems))}`;
}

function keyOf({ account, uri }: SimulatedSite): string {
  return `${account}/${uri}`;
}

function timeOf(day: number): number {
  return FIRST_NIGHT + day * DAY_MS;
}

function dayOf(time: string): number {
  return Math.floor((Date.parse(time) - FIRST_NIGHT) / DAY_MS);
}
