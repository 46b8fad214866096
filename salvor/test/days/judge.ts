/**
 * What the simulated days must have left: exactly the promised snapshots in both copies as stock restic lists them, the same
 * points as the product lists them, a week of the third copy, and of any kept day what was there that day, given back by the
 * product and by stock restic alike.
 */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import type { Random } from '../../../demo/random.ts';
import { makeTemporaryDirectory } from '../../../demo/temporary-directory.ts';
import type { Agent } from '../../src/agent/agent.ts';
import { pointIdOfSite } from '../../src/points/point-id.ts';
import { type Seen, type SimulatedHost, type SimulatedSite, hashOf, readDump } from './simulated-host.ts';
import { type CopyPlace, type Half, type ListedSnapshot, StockRestic } from './stock-restic.ts';

export const DAY_MS = 86_400_000;
const FIRST_NIGHT = Date.UTC(2026, 2, 1, 2);
/** Of the preset, but for the days that the remote copy waits: else nothing of it would go within the days. */
export const REMOTE_WAITS_DAYS = 2;
const KEPT_DAYS = {
  local: { files: 7, databases: 14 },
  remote: { files: 7 + REMOTE_WAITS_DAYS, databases: 14 + REMOTE_WAITS_DAYS },
} as const;
const THIRD_COPY_DAYS = 7;
/** What is as old as the policy keeps it goes or stays by the minutes that a night began later. */
const EDGE_DAYS = 0.1;
const WHOLE = { only: null, paths: [], tables: [], into: null, dryRun: false } as const;
const PLACES = ['local', 'remote'] as const;

/** What a night said that it made, of one account. */
export type ReportedPoint = {
  readonly account: string;
  readonly point: string;
  /** Of the night's own clock. */
  readonly time: number;
  readonly halves: readonly Half[];
  /** Nothing was killed in that night. */
  readonly isWhole: boolean;
};

export type Lived = {
  readonly days: number;
  /** By day, then by ACCOUNT/URI. */
  readonly seen: readonly ReadonlyMap<string, Seen>[];
  readonly reported: readonly ReportedPoint[];
  /** By the day that the third copy calls itself: of which day it is. */
  readonly thirdCopies: ReadonlyMap<number, number>;
  readonly killedDays: ReadonlySet<number>;
};

type Listing = Readonly<Record<CopyPlace, ReadonlyMap<string, ListedSnapshot>>>;

/** Each of its verbs throws an assertion error where a promise is broken. */
export class Judge {
  readonly #host: SimulatedHost;
  readonly #agent: Agent;
  readonly #lived: Lived;
  readonly #random: Random;
  readonly #restic: StockRestic;
  readonly #listings = new Map<string, Listing>();

  constructor(host: SimulatedHost, agent: Agent, lived: Lived, random: Random) {
    this.#host = host;
    this.#agent = agent;
    this.#lived = lived;
    this.#random = random;
    this.#restic = new StockRestic(host.directory);
  }

  /** Of every account, the host's own among them. Returns how many points of sites there are. */
  async points(): Promise<number> {
    for (const account of new Set(this.#lived.reported.map((each) => each.account))) {
      const local = byPointAndHalf(await this.#restic.snapshots(account, 'local'));
      const remote = byPointAndHalf(await this.#restic.snapshots(account, 'remote'));
      this.#listings.set(account, { local, remote });
      for (const place of PLACES) this.#judgeCopy(account, place);
      for (const [key, { tree, time, half }] of local) {
        const other = remote.get(key);
        assert.equal(other?.tree, tree, `${account}: ${key} of day ${dayOf(time)} is the same in both copies`);
        assert.equal(other.time, time, `${account}: ${key} ${half}`);
      }
    }
    let points = 0;
    for (const site of this.#host.sites) points += await this.#judgeSite(site);
    return points;
  }

  /** All that nights reported is there as long as it is promised and no longer; and nothing else but what killed nights left. */
  #judgeCopy(account: string, place: CopyPlace): void {
    const found = this.#listings.get(account)?.[place] ?? assert.fail(account);
    const known = new Set<string>();
    for (const { point, time, halves } of this.#reported(account)) {
      for (const half of halves) {
        known.add(`${point} ${half}`);
        const isThere = found.has(`${point} ${half}`);
        const left = this.#daysLeft(time, place, half);
        if (Math.abs(left) < EDGE_DAYS) continue;
        assert.equal(isThere, left > 0, `${half} of day ${dayOf(time)} (${point}) of ${account} in ${place}`);
      }
    }
    for (const [key, { time, half }] of found) {
      if (known.has(key)) continue;
      const about = `${key} of ${account} in ${place}, of day ${dayOf(time)}, was reported by no night`;
      assert.ok(this.#lived.killedDays.has(dayOf(time)), about);
      assert.ok(this.#daysLeft(time, place, half) > -EDGE_DAYS, `${about}, and past its age`);
    }
  }

  #reported(account: string): readonly ReportedPoint[] {
    return this.#lived.reported.filter((each) => each.account === account);
  }

  #daysLeft(time: number, place: CopyPlace, half: Half): number {
    return KEPT_DAYS[place][half] - (timeOf(this.#lived.days - 1) - time) / DAY_MS;
  }

  /** The product lists what stock restic does: of what is in both copies, what the local one still has. */
  async #judgeSite(site: SimulatedSite): Promise<number> {
    const { local, remote } = this.#listings.get(site.account) ?? assert.fail(site.account);
    const listed = await this.#agent.points(keyOf(site));
    const disturbed = new Set(this.#reported(site.account).flatMap(({ point, isWhole }) => (isWhole ? [] : [point])));
    const reported = new Set(this.#reported(site.account).map(({ point }) => point));
    const expected = new Map<string, string>();
    const possible = new Set<string>();
    for (const { point } of [...local.values(), ...remote.values()]) {
      const id = pointIdOfSite(point, site.uri);
      possible.add(id);
      if (!reported.has(point) || disturbed.has(point)) continue;
      const there = PLACES.filter((place) => halvesIn({ local, remote }[place], point).length > 0);
      const [first] = there;
      const holds = first === undefined ? [] : halvesIn({ local, remote }[first], point);
      // One that has let go of its files is called what it is: not whole any more.
      const isWhole = holds.length === 2;
      expected.set(id, `${id} ${holds.join()} in ${there.join()}${isWhole ? ' complete' : ''}`);
    }
    const found = listed.map(({ id, holds, copies, complete }) => ({
      id,
      line: `${id} ${holds.toSorted().join()} in ${copies.join()}${complete ? ' complete' : ''}`,
    }));
    assert.deepEqual(
      found.flatMap(({ id, line }) => (expected.has(id) ? [line] : [])).toSorted(),
      [...expected.values()].toSorted(),
      keyOf(site),
    );
    assert.deepEqual(
      found.filter(({ id }) => !possible.has(id)),
      [],
      keyOf(site),
    );
    return listed.length;
  }

  async repositories(): Promise<void> {
    for (const account of this.#listings.keys())
      for (const place of PLACES) await this.#restic.run(account, place, 'check', '--read-data');
  }

  /** The last week's days, each with every database, closed to others; one of them at random holds what was there. */
  async thirdCopies(): Promise<void> {
    const last = this.#lived.days - 1;
    const kept = Array.from({ length: Math.min(this.#lived.days, THIRD_COPY_DAYS) }, (_, at) => last - at).toReversed();
    for (const { account } of this.#host.accounts) {
      const place = join(this.#host.directory, 'sql', account.name);
      assert.deepEqual(readdirSync(place).toSorted(), kept.map(dateOf), account.name);
      const sites = this.#host.sites.filter((site) => site.account === account.name);
      for (const day of kept) {
        const files = readdirSync(join(place, dateOf(day))).toSorted();
        assert.deepEqual(files, sites.map(({ database }) => `${database}.sql.zst`).toSorted());
        for (const file of files) assert.equal(statSync(join(place, dateOf(day), file)).mode & 0o7777, 0o600, file);
      }
      const site = this.#random.pick(sites);
      const day = this.#random.pick(kept);
      const dump = zstdDecompressSync(readFileSync(join(place, dateOf(day), `${site.database}.sql.zst`)));
      const of = this.#lived.thirdCopies.get(day) ?? day;
      const expected = this.#seenOf(site, of).tables;
      const about = `the third copy of ${keyOf(site)} of ${dateOf(day)}`;
      assert.deepEqual(await this.#host.checksumsOfDump(site, dump), expected, about);
    }
  }

  /** Any file, or any table, of a site as it was in a night that is kept; every other one from the remote copy. */
  async request(at: number): Promise<void> {
    const site = this.#random.pick(this.#host.sites);
    const half = at % 4 < 2 ? 'files' : 'databases';
    const from: CopyPlace = at % 2 === 0 ? 'local' : 'remote';
    // The local copy's nights alone: of what it let go of the product lists no more.
    const oldest = Math.max(0, this.#lived.days - KEPT_DAYS.local[half]);
    const day = this.#random.between(oldest, this.#lived.days - 1);
    const night = this.#reported(site.account).findLast(({ time, isWhole }) => isWhole && time === timeOf(day));
    assert.ok(night !== undefined, `${site.account} has no night of day ${day}`);
    const snapshot = this.#listings.get(site.account)?.[from].get(`${night.point} ${half}`);
    assert.ok(snapshot !== undefined, `${keyOf(site)}, ${half} of day ${day}, in ${from}`);
    await using place = await makeTemporaryDirectory('salvor-request');
    const wanted = {
      site,
      day,
      from,
      snapshot: snapshot.id,
      point: pointIdOfSite(night.point, site.uri),
      place: place.path,
    };
    await (half === 'files' ? this.#requestFile(wanted) : this.#requestTable(wanted));
  }

  async #requestFile({ site, day, from, snapshot, point, place }: Wanted): Promise<void> {
    const then = [...this.#seenOf(site, day).files];
    const now = this.#seenOf(site, this.#lived.days - 1).files;
    const deleted = then.filter(([path]) => !now.has(path));
    const [path, expected] = this.#random.pick(deleted.length > 0 && this.#random.between(0, 1) === 0 ? deleted : then);
    const about = `${path} of ${keyOf(site)}, day ${day}, from ${from}`;
    const target = join(place, 'out');
    await this.#agent.restore(keyOf(site), { ...WHOLE, point, paths: [path], to: target, from });
    assert.equal(hashOf(readFileSync(join(target, 'site', path))), expected, about);
    const dumped = await this.#restic.run(site.account, from, 'dump', snapshot, join(site.path, path));
    assert.equal(hashOf(dumped), expected, `${about}, by stock restic`);
  }

  async #requestTable({ site, day, from, snapshot, point, place }: Wanted): Promise<void> {
    const [table, expected] = this.#random.pick([...this.#seenOf(site, day).tables]);
    const about = `${table} of ${keyOf(site)}, day ${day}, from ${from}`;
    const target = join(place, 'out');
    await this.#agent.restore(keyOf(site), { ...WHOLE, point, tables: [table], to: target, from });
    const loaded = await this.#host.checksumsOfDump(site, readDump(join(target, 'databases', site.database), table));
    assert.deepEqual([...loaded], [[table, expected]], about);
    const directory = `/databases/${site.database}`;
    const whole = join(place, 'whole');
    await this.#restic.run(site.account, from, 'restore', snapshot, '--include', directory, '--target', whole);
    const all = await this.#host.checksumsOfDump(site, readDump(join(whole, directory)));
    assert.deepEqual(all, this.#seenOf(site, day).tables, `${about}, by stock restic`);
  }

  #seenOf(site: SimulatedSite, day: number): Seen {
    return this.#lived.seen[day]?.get(keyOf(site)) ?? assert.fail(`${keyOf(site)} was not looked at on day ${day}`);
  }
}

type Wanted = {
  readonly site: SimulatedSite;
  readonly day: number;
  readonly from: CopyPlace;
  readonly snapshot: string;
  readonly point: string;
  readonly place: string;
};

/** No half of a point is in a copy twice. */
function byPointAndHalf(snapshots: readonly ListedSnapshot[]): ReadonlyMap<string, ListedSnapshot> {
  const found = new Map(snapshots.map((snapshot) => [`${snapshot.point} ${snapshot.half}`, snapshot]));
  assert.equal(found.size, snapshots.length, JSON.stringify(snapshots));
  return found;
}

function halvesIn(copy: ReadonlyMap<string, ListedSnapshot>, point: string): readonly Half[] {
  return (['databases', 'files'] as const).filter((half) => copy.has(`${point} ${half}`));
}

export function keyOf({ account, uri }: SimulatedSite): string {
  return `${account}/${uri}`;
}

/** When the night of a day begins. */
export function timeOf(day: number): number {
  return FIRST_NIGHT + day * DAY_MS;
}

export function dayOf(time: number): number {
  return Math.floor((time - FIRST_NIGHT) / DAY_MS);
}

function dateOf(day: number): string {
  return new Date(timeOf(day)).toISOString().slice(0, 10);
}
