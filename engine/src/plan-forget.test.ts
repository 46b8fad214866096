import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { openWorkplace, restic } from '../test/fixtures.ts';
import { EngineError } from './errors.ts';
import type { Snapshot } from './format/snapshot-file.ts';
import { formatTime } from './format/time.ts';
import { parseSnapshotId, parseTreeId } from './ids.ts';
import { inParallel } from './lib/in-parallel.ts';
import { parseDuration } from './lib/zoned-time.ts';
import { PIN_TAG, isEmptyPolicy, planForget } from './plan-forget.ts';
import type { CalendarUnit, ForgetPolicy, KeptSnapshot } from './plan-forget.ts';
import { initRepository } from './repository.ts';
import { generateKey } from './seal/password.ts';
import { listSnapshots, saveSnapshot } from './snapshots.ts';
import { openLocalStorage } from './storage/local-storage.ts';

const NOW = new Date('2026-11-23T12:00:00Z');
let serial = 0;

function snapshot(time: string, fields: Partial<Snapshot> = {}): Snapshot {
  return {
    id: parseSnapshotId((++serial).toString(16).padStart(64, '0')),
    time,
    tree: parseTreeId('0'.repeat(64)),
    parent: null,
    paths: ['/srv'],
    hostname: 'web',
    username: '',
    uid: 0,
    gid: 0,
    excludes: [],
    tags: [],
    original: null,
    programVersion: '',
    summary: null,
    ...fields,
  };
}

/** `time → reasons` of what is kept, newest first. */
function kept(times: readonly (string | Snapshot)[], policy: ForgetPolicy): Record<string, string[]> {
  const snapshots = times.map((each) => (typeof each === 'string' ? snapshot(each) : each));
  const { groups } = planForget(snapshots, policy, { now: NOW, allowRemoveAll: true });
  return Object.fromEntries(
    groups.flatMap(({ keep }) => keep.map((each) => [each.snapshot.time, each.reasons.map(({ text }) => text)])),
  );
}

const hasCode = (code: string) => (error: unknown) => error instanceof EngineError && error.code === code;

describe('a policy', () => {
  it('keeps the newest of each day in the zone that the snapshot was made in', () => {
    // In UTC the first two are of one day; where they were made they are of two.
    const times = ['2026-11-20T01:30:00+02:00', '2026-11-19T22:00:00+02:00', '2026-11-19T20:00:00+02:00'];
    assert.deepEqual(Object.keys(kept(times, { keep: { daily: 2 } })), times.slice(0, 2));
  });

  it('keeps the oldest snapshot while a rule has counts left, and no longer', () => {
    const times = ['2026-11-20T03:00:00Z', '2026-11-20T02:00:00Z', '2026-11-20T01:00:00Z'];
    assert.deepEqual(kept(times, { keep: { daily: 2 } }), {
      [times[0] ?? '']: ['daily snapshot'],
      [times[2] ?? '']: ['oldest daily snapshot'],
    });
    assert.deepEqual(Object.keys(kept(times, { keep: { daily: 1 } })), [times[0]]);
  });

  it('counts a time from the newest snapshot that is not in the future, and excludes its very edge', () => {
    const times = [
      '2030-01-01T00:00:00Z',
      '2026-11-20T00:00:00Z',
      '2026-11-13T00:00:00.000000001Z',
      '2026-11-13T00:00:00Z',
    ];
    assert.deepEqual(Object.keys(kept(times, { within: { all: parseDuration('7d') } })), times.slice(0, 3));
  });

  it('goes back by months as the calendar does: a month before 31 March is 3 March', () => {
    const times = ['2026-03-31T00:00:00Z', '2026-03-03T00:00:01Z', '2026-03-03T00:00:00Z'];
    assert.deepEqual(Object.keys(kept(times, { within: { all: parseDuration('1m') } })), times.slice(0, 2));
  });

  it('keeps all where all snapshots lie in the future', () => {
    const times = ['2030-01-02T00:00:00Z', '2030-01-01T00:00:00Z'];
    assert.equal(Object.keys(kept(times, { within: { all: parseDuration('1h') } })).length, 2);
  });

  it('takes -1 as no limit', () => {
    const times = Array.from({ length: 30 }, (_, i) => `2026-10-${String(30 - i).padStart(2, '0')}T00:00:00Z`);
    assert.equal(Object.keys(kept(times, { keep: { daily: -1 } })).length, 30);
  });

  it('never lets go of a pinned snapshot, by tag or by what the caller says', () => {
    const byTag = snapshot('2020-01-01T00:00:00Z', { tags: [PIN_TAG] });
    const byCaller = snapshot('2020-01-02T00:00:00Z');
    const other = snapshot('2020-01-03T00:00:00Z');
    const newest = snapshot('2026-01-01T00:00:00Z');
    const { groups } = planForget(
      [byTag, byCaller, other, newest],
      { keep: { last: 1 } },
      {
        now: NOW,
        isPinned: ({ id }) => id === byCaller.id,
      },
    );
    assert.deepEqual(groups[0]?.remove, [other]);
    assert.deepEqual(
      groups[0]?.keep.map(({ reasons }) => reasons.map(({ rule }) => rule)),
      [['last'], ['pin'], ['pin']],
    );
  });

  it('is applied to each host and set of paths alone, and to tags only where asked', () => {
    const snapshots = [
      snapshot('2026-01-01T00:00:00Z', { hostname: 'a', paths: ['/x', '/y'] }),
      snapshot('2026-01-02T00:00:00Z', { hostname: 'a', paths: ['/y', '/x'], tags: ['t'] }),
      snapshot('2026-01-03T00:00:00Z', { hostname: 'b', paths: ['/x'] }),
    ];
    const count = (groupBy?: readonly ('host' | 'paths' | 'tags')[]): number =>
      planForget(snapshots, { keep: { last: 1 } }, { now: NOW, ...(groupBy === undefined ? {} : { groupBy }) }).groups
        .length;
    assert.deepEqual([count(), count(['host', 'paths', 'tags']), count([])], [2, 3, 1]);
  });

  it('without a rule is refused with policy-empty', () => {
    for (const policy of [{}, { keep: { last: 0 } }, { within: { all: parseDuration('0d') } }, { tags: [] }]) {
      assert.throws(
        () => planForget([snapshot('2026-01-01T00:00:00Z')], policy, { now: NOW }),
        hasCode('policy-empty'),
      );
    }
  });

  it('that would leave nothing of a group is refused with policy-removes-all, unless that is allowed', () => {
    const one = [snapshot('2026-01-01T00:00:00Z')];
    const policy = { tags: [['keep-me']] };
    assert.throws(() => planForget(one, policy, { now: NOW }), hasCode('policy-removes-all'));
    assert.deepEqual(planForget(one, policy, { now: NOW, allowRemoveAll: true }).groups[0]?.remove, one);
  });
});

describe('a random history', () => {
  const seed = randomInt(2 ** 31);
  const place = openWorkplace();
  const key = generateKey();
  let snapshots: readonly Snapshot[];

  before(async () => {
    const repository = await initRepository(openLocalStorage(place.path), { kind: 'key', text: key });
    const histories = fc.sample(history, { seed, numRuns: 40 });
    const all = histories.flatMap((members, host) => members.map((each) => ({ ...each, hostname: `host${host}` })));
    await inParallel(all, 16, async ({ ns, zone, tags, hostname }) => {
      await saveSnapshot(repository, { ...snapshot(inZone(ns, zone)), hostname, tags });
    });
    ({ snapshots } = await listSnapshots(repository));
  });
  after(() => place[Symbol.dispose]());

  it('is decided as stock restic decides it, with the same reasons', async (t) => {
    t.diagnostic(`seed ${seed}`);
    assert.ok(snapshots.length > 150, `${snapshots.length} snapshots`);
    fc.assert(
      fc.property(anyPolicy, (policy) => {
        const flags = resticFlags(policy);
        const theirs = JSON.parse(restic(place.path, ['forget', '--dry-run', '--json', ...flags], key)) as TheirGroup[];
        const { groups } = planForget(snapshots, policy, { now: new Date(), allowRemoveAll: true });
        const ours = groups.map(({ host, keep, remove }) => ({
          host,
          ...withoutOldest(keep, remove),
        }));
        assert.deepEqual(ours.toSorted(byHost), theirs.map(describeTheirs).toSorted(byHost));
      }),
      { seed, numRuns: 14, endOnFailure: false },
    );
  });
});

const byHost = (a: { host: string | null }, b: { host: string | null }): number =>
  (a.host ?? '') < (b.host ?? '') ? -1 : 1;

/** restic keeps the oldest snapshot for a rule that has counts left since 0.16; what that alone keeps, 0.14 removes. */
function withoutOldest(keep: readonly KeptSnapshot[], remove: readonly Snapshot[]): { keep: unknown; remove: unknown } {
  const older = keep.map(({ snapshot: { id }, reasons }) => ({
    id,
    texts: reasons.map(({ text }) => text).filter((text) => !text.startsWith('oldest ')),
  }));
  return {
    keep: older.filter(({ texts }) => texts.length > 0).map(({ id, texts }) => [id, texts]),
    remove: [...remove.map(({ id }) => id), ...older.filter(({ texts }) => texts.length === 0).map(({ id }) => id)],
  };
}

type TheirGroup = {
  host: string;
  keep: { id: string }[] | null;
  remove: { id: string }[] | null;
  reasons: { matches: string[] }[] | null;
};

function describeTheirs({ host, keep, remove, reasons }: TheirGroup): { host: string; keep: unknown; remove: unknown } {
  return {
    host,
    keep: (keep ?? []).map(({ id }, i) => [id, reasons?.[i]?.matches]),
    remove: (remove ?? []).map(({ id }) => id),
  };
}

const HOUR_NS = 3_600_000_000_000n;

/** Times close together and far apart, around the ends of years, in several zones; no two at the same instant. */
const history = fc
  .tuple(
    fc.constantFrom('2026-11-01', '2024-03-01', '2020-01-01', '2021-01-04', '2016-01-03', '1969-12-31', '2100-01-01'),
    fc.array(
      fc.record({
        hours: fc.oneof(
          fc.integer({ min: 0, max: 5 }),
          fc.integer({ min: 12, max: 60 }),
          fc.integer({ min: 100, max: 9000 }),
        ),
        seconds: fc.integer({ min: 0, max: 3599 }),
        zone: fc.constantFrom(0, 120, -330, 765, -600),
        tags: fc.uniqueArray(fc.constantFrom('a', 'b', 'c'), { maxLength: 2 }),
      }),
      { minLength: 1, maxLength: 14 },
    ),
  )
  .map(([from, steps]) => {
    let ns = BigInt(Date.parse(from)) * 1_000_000n;
    return steps.map(({ hours, seconds, zone, tags }) => {
      ns += BigInt(hours) * HOUR_NS + BigInt(seconds) * 1_000_000_000n + 1n;
      return { ns, zone, tags };
    });
  });

/** RFC 3339 in a zone, minutes east of Greenwich. */
function inZone(ns: bigint, zone: number): string {
  if (zone === 0) return formatTime(ns);
  const two = (n: number): string => String(Math.abs(n)).padStart(2, '0');
  const offset = `${zone < 0 ? '-' : '+'}${two(Math.trunc(zone / 60))}:${two(zone % 60)}`;
  return formatTime(ns + BigInt(zone) * 60_000_000_000n).replace('Z', offset);
}

const count = fc.option(fc.integer({ min: -1, max: 5 }), { nil: undefined, freq: 2 });
const duration = fc.option(fc.constantFrom('3h', '2d', '7d', '1m', '5m3d', '1y', '2y5m7d3h'), {
  nil: undefined,
  freq: 1,
});
const optional = <T>(value: T | undefined, name: string): Record<string, T> =>
  value === undefined ? {} : { [name]: value };
const UNITS: readonly CalendarUnit[] = ['hourly', 'daily', 'weekly', 'monthly', 'yearly'];

const anyPolicy: fc.Arbitrary<ForgetPolicy> = fc
  .tuple(
    fc.array(count, { minLength: 6, maxLength: 6 }),
    fc.array(duration, { minLength: 6, maxLength: 6 }),
    fc.array(fc.constantFrom(['a'], ['b', 'c'], ['']), { maxLength: 1 }),
  )
  .map(([counts, durations, tags]) => ({
    keep: Object.assign({}, ...(['last', ...UNITS] as const).map((unit, i) => optional(counts[i], unit))) as object,
    within: Object.assign(
      {},
      ...(['all', ...UNITS] as const).map((unit, i) => {
        const text = durations[i];
        return optional(text === undefined ? undefined : parseDuration(text), unit);
      }),
    ) as object,
    tags,
  }))
  .filter((policy) => !isEmptyPolicy(policy));

function resticFlags(policy: ForgetPolicy): readonly string[] {
  const flags: string[] = [];
  for (const [unit, n] of Object.entries(policy.keep ?? {})) {
    // restic 0.14 does not know -1 yet; more than there are is the same.
    flags.push(`--keep-${unit}`, String(n === -1 ? 1_000_000 : n));
  }
  for (const [unit, { years, months, days, hours }] of Object.entries(policy.within ?? {})) {
    flags.push(unit === 'all' ? '--keep-within' : `--keep-within-${unit}`, `${years}y${months}m${days}d${hours}h`);
  }
  for (const tags of policy.tags ?? []) flags.push('--keep-tag', tags.join(','));
  return flags;
}
