/**
 * A month in which nothing goes well: a database that is gone, a site that is empty, a server that is away, and thirty
 * snapshots that somebody who has the account's key dated in the future. What was whole before stays for as long as the
 * policy says, and the newest whole one stays whatever the policy says.
 */
import assert from 'node:assert/strict';
import { renameSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PointDocument } from '@salvor/contract';
import { listSnapshots, openLocalStorage, openRepository } from '@salvor/engine';
import { quoteName } from '../../../demo/sql.ts';
import { saveSnapshot } from '../../../engine/src/snapshots.ts';
import type { Agent } from '../../src/agent/agent.ts';
import { openAgentFor } from '../../src/compose.ts';
import { loadConfig } from '../../src/config.ts';
import { type Seen, SimulatedHost, type SimulatedSite, hashOf, readDump } from './simulated-host.ts';

const DAY_MS = 86_400_000;
const FIRST_NIGHT = Date.UTC(2026, 2, 1, 2);
const GOOD_NIGHTS = 3;
const BAD_DAYS = 30;
/** Of the preset. */
const KEPT_DAYS = { files: 7, databases: 14 };
const FORGED = 30;

const WHOLE = { only: null, paths: [], tables: [], into: null, dryRun: false } as const;

/** Three good nights, then thirty days with a bad one each so many. Throws an assertion error where a promise is broken; gives the number of bad nights. */
export async function liveThroughBadNights({ everyDays }: { readonly everyDays: number }): Promise<number> {
  await using host = await SimulatedHost.open({ accounts: 1, sites: 1, seed: 7 });
  const month = new BadMonth(host, host.sites[0] ?? assert.fail());
  for (let day = 0; day < GOOD_NIGHTS; day++) {
    await host.live(day);
    assert.equal((await month.night(day)).state, 'succeeded');
  }
  const seen = await host.look(month.site);
  for (const place of ['local', 'remote'] as const) await month.forge(place);
  let nights = 0;
  for (let day = GOOD_NIGHTS; day < GOOD_NIGHTS + BAD_DAYS; day += everyDays) {
    const mend = await month.spoil(nights++);
    const night = await month.night(day);
    if (day <= KEPT_DAYS.files)
      for (const { copies } of night.accounts)
        assert.deepEqual(
          copies.filter(({ forgotten }) => forgotten > 0),
          [],
          `day ${day}`,
        );
    await mend();
    await month.requireKept(day);
  }
  await month.requireReadable(GOOD_NIGHTS + BAD_DAYS, seen);
  return nights;
}

class BadMonth {
  readonly site: SimulatedSite;
  readonly #host: SimulatedHost;

  constructor(host: SimulatedHost, site: SimulatedSite) {
    this.#host = host;
    this.site = site;
  }

  async night(day: number): ReturnType<Agent['daily']> {
    return await this.#withAgent(day, (agent) => agent.daily({ account: this.site.account }));
  }

  /** Somebody else's, of days that are yet to come, with all that a night's snapshots say of themselves. */
  async forge(place: 'local' | 'remote'): Promise<void> {
    const [repositories, keys] = place === 'local' ? ['repositories', 'keys'] : ['remote', 'remote-keys'];
    const { directory } = this.#host;
    const storage = openLocalStorage(join(directory, repositories, this.site.account));
    const text = readFileSync(join(directory, 'state', keys, this.site.account), 'utf8').trim();
    const repository = await openRepository(storage, { kind: 'key', text });
    const { snapshots } = await listSnapshots(repository);
    for (let at = 1; at <= FORGED; at++) {
      for (const { id: _, ...like } of snapshots.slice(-2)) {
        const point = `point:${String(at).padStart(32, 'f')}`;
        const tags = like.tags.map((tag) => (tag.startsWith('point:') ? point : tag));
        const time = new Date(FIRST_NIGHT + (GOOD_NIGHTS + at * 3) * DAY_MS).toISOString();
        await saveSnapshot(repository, { ...like, tags, time });
      }
    }
  }

  /** One of three things breaks; what is returned mends it. */
  async spoil(number: number): Promise<() => Promise<void>> {
    if (number % 3 === 0) return await this.#takeRights();
    // The site's directory, and with it all that is known of its database; or the place of the local copies.
    return takeAway(number % 3 === 1 ? this.site.path : join(this.#host.directory, 'repositories'));
  }

  async #takeRights(): Promise<() => Promise<void>> {
    const { database, user } = this.site;
    const change = (verb: 'REVOKE' | 'GRANT', word: 'FROM' | 'TO'): Promise<string> =>
      this.#host.mariadb.query(`${verb} ALL PRIVILEGES ON ${quoteName(database)}.* ${word} '${user}'@'localhost'`);
    await change('REVOKE', 'FROM');
    return async () => void (await change('GRANT', 'TO'));
  }

  async requireKept(day: number): Promise<void> {
    const points = await this.#withAgent(day, (agent) => agent.points(this.#key));
    for (const copy of ['local', 'remote'] as const)
      assert.ok(
        points.some(({ complete, copies }) => complete && copies.includes(copy)),
        `on day ${day} the ${copy} copy has no whole point`,
      );
    for (let made = 0; made < GOOD_NIGHTS; made++) {
      const time = new Date(FIRST_NIGHT + made * DAY_MS).toISOString();
      const point = points.find((each) => each.time === time);
      const isNewest = made === GOOD_NIGHTS - 1;
      const about = `of day ${made}, on day ${day}: ${JSON.stringify(point)}`;
      for (const part of ['files', 'databases'] as const)
        if (isNewest || day - made <= KEPT_DAYS[part])
          assert.ok(point?.holds.includes(part) === true, `${part} ${about}`);
      if (isNewest) assert.equal(point?.complete, true, about);
      if (point === undefined) continue;
      if (day - made <= KEPT_DAYS.files) assert.deepEqual(point.copies, ['local', 'remote'], about);
      // Later each copy keeps its own newest whole one: the remote copy has some of nights for which the local ones were away.
      else if (isNewest) assert.ok(point.copies.includes('local'), about);
      // And of older ones it keeps the files for longer.
      else assert.ok(point.copies.includes('remote'), about);
    }
  }

  /** What was there in the last good night, also out of nights for which the local copies alone were away. */
  async requireReadable(day: number, seen: Seen): Promise<void> {
    const points: readonly PointDocument[] = await this.#withAgent(day, (agent) => agent.points(this.#key));
    const lastGood = new Date(FIRST_NIGHT + (GOOD_NIGHTS - 1) * DAY_MS).toISOString();
    const whole = points.filter(({ complete }) => complete);
    assert.deepEqual(
      whole.filter(({ copies }) => copies.includes('local')).map(({ time }) => time),
      [lastGood],
    );
    for (const { id, time } of whole.filter((point, at) => at === 0 || point.time === lastGood)) {
      const target = join(this.#host.directory, id);
      await this.#withAgent(day, (agent) => agent.restore(this.#key, { ...WHOLE, point: id, to: target }));
      for (const [path, hash] of seen.files)
        assert.equal(hashOf(readFileSync(join(target, 'site', path))), hash, `${path} of ${time} on day ${day}`);
      const dump = readDump(join(target, 'databases', this.site.database));
      assert.deepEqual(
        await this.#host.checksumsOfDump(this.site, dump),
        seen.tables,
        `the rows of ${time} on day ${day}`,
      );
    }
  }

  get #key(): string {
    return `${this.site.account}/${this.site.uri}`;
  }

  async #withAgent<T>(day: number, body: (agent: Agent) => Promise<T>): Promise<T> {
    const now = new Date(FIRST_NIGHT + day * DAY_MS);
    await using agent = await openAgentFor(loadConfig([this.#host.config]), {
      clock: () => now,
      uptime: () => ({ boot: 'one', seconds: (day * DAY_MS) / 1000 }),
    });
    return await body(agent);
  }
}

function takeAway(path: string): () => Promise<void> {
  renameSync(path, `${path}.away`);
  return () => Promise.resolve(renameSync(`${path}.away`, path));
}
