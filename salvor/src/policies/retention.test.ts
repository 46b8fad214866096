import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { presetPolicy } from './policy.ts';
import { planRetention } from './retention.ts';
import type { Content, RetainedSnapshot, RetentionOptions } from './retention.ts';
import { simulateRetention } from './simulate-retention.ts';

const DAY_MS = 86_400_000;
const rules = presetPolicy('standard');
const now = new Date('2026-11-26T03:00:00Z');
const trusted: RetentionOptions = { now, isClockTrusted: true };

function snapshot(
  daysAgo: number,
  change: Partial<RetainedSnapshot> & { readonly holds: readonly Content[] },
): RetainedSnapshot {
  const time = new Date(now.getTime() - daysAgo * DAY_MS);
  const id = `${change.holds.join('+')} ${daysAgo} ${change.scope ?? ''}`;
  return { id, time, scope: 'o1', within: 'o1', isComplete: true, isOurs: true, isPinned: false, ...change };
}

const nights = (days: number, change: Partial<RetainedSnapshot> = {}): RetainedSnapshot[] =>
  Array.from({ length: days }, (_, n) => [
    snapshot(n + 0.01, { holds: ['files'], ...change }),
    snapshot(n + 0.01, { holds: ['databases'], ...change }),
  ]).flat();

const kept = (snapshots: readonly RetainedSnapshot[], options = trusted): string[] =>
  planRetention(snapshots, rules, options).keep.map(({ id }) => id);
const count = (ids: readonly string[], content: Content): number => ids.filter((id) => id.startsWith(content)).length;

describe('retention', () => {
  it('keeps seven nights of files and fourteen of databases', () => {
    const ids = kept(nights(30));
    assert.equal(count(ids, 'files'), 7);
    assert.equal(count(ids, 'databases'), 14);
  });

  it('goes by what was lived through, where the clock has jumped ahead', () => {
    const ageOf = (time: Date): number => now.getTime() - time.getTime() - 3 * DAY_MS;
    assert.equal(count(kept(nights(30), { ...trusted, ageOf }), 'files'), 10);
  });

  it('keeps a snapshot that holds both as long as what it holds longest', () => {
    const both = snapshot(10, { holds: ['files', 'databases'], scope: 'site' });
    assert.ok(kept([...nights(3), both]).includes(both.id));
  });

  it('never lets go of the newest complete one, after 30 nights that failed or were empty', () => {
    const old = [snapshot(31, { holds: ['files'] }), snapshot(31, { holds: ['databases'] })];
    const failed = nights(30, { isComplete: false });
    const ids = kept([...old, ...failed]);
    for (const { id } of old) assert.ok(ids.includes(id), id);
  });

  it('never lets go of the newest complete one for snapshots that others wrote with the key of the account', () => {
    const old = snapshot(31, { holds: ['files'] });
    const foreign = nights(30, { isOurs: false }).filter(({ holds }) => holds[0] === 'files');
    assert.ok(kept([old, ...foreign]).includes(old.id));
  });

  it('takes no notice of snapshots from the future, and does not let go of them either', () => {
    const ours = nights(8);
    const ahead = Array.from({ length: 30 }, (_, n) => snapshot(-n - 1, { holds: ['files'] }));
    const { keep } = planRetention([...ours, ...ahead], rules, trusted);
    assert.deepEqual(keep.find(({ id }) => id === ahead[3]?.id)?.reasons, ['from-the-future']);
    assert.equal(keep.filter(({ reasons }) => reasons.includes('within')).length, 7 + 8);
    assert.ok(keep.some(({ id, reasons }) => id === ours[0]?.id && reasons.includes('newest-complete')));
  });

  it('lets nothing go while the clock is in doubt', () => {
    const all = nights(40);
    assert.equal(kept(all, { now, isClockTrusted: false }).length, all.length);
  });

  it('never lets go of what is pinned, or of what it does not know', () => {
    const pinned = snapshot(90, { holds: ['databases'], isPinned: true });
    const foreign = snapshot(90, { holds: [], isOurs: false });
    const ids = kept([...nights(3), pinned, foreign]);
    assert.ok(ids.includes(pinned.id) && ids.includes(foreign.id));
  });

  it("lets an old point of a site go where the account's nights hold the same, and not where they don't", () => {
    const site = snapshot(60, { holds: ['databases'], scope: 'o1/example.com' });
    assert.ok(!kept([...nights(3), site]).includes(site.id));
    assert.ok(kept([site]).includes(site.id));
    const filesOnly = nights(3).filter(({ holds }) => holds[0] === 'files');
    assert.ok(kept([...filesOnly, site]).includes(site.id));
  });

  it('of a remote copy waits', () => {
    const ids = kept(nights(60), { ...trusted, waitMs: 14 * DAY_MS });
    assert.equal(count(ids, 'files'), 21);
    assert.equal(count(ids, 'databases'), 28);
  });

  it('lets go only of what is older than the rules say, and never of everything complete (random histories)', () => {
    const history = fc.array(
      fc.record({
        daysAgo: fc.double({ min: -40, max: 60, noNaN: true }),
        content: fc.constantFrom<Content>('files', 'databases'),
        isComplete: fc.boolean(),
        isOurs: fc.boolean(),
        isPinned: fc.boolean(),
      }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(history, (drawn) => {
        const all = drawn.map(({ daysAgo, content, ...rest }, n) => ({
          ...snapshot(daysAgo, { holds: [content], ...rest }),
          id: String(n),
        }));
        const { keep, expire } = planRetention(all, rules, trusted);
        assert.equal(keep.length + expire.length, all.length);
        const gone = all.filter(({ id }) => expire.includes(id));
        for (const { time, holds, isPinned } of gone) {
          const keepMs = holds[0] === 'files' ? rules.keepFilesMs : rules.keepDatabasesMs;
          assert.ok(now.getTime() - time.getTime() > keepMs && !isPinned);
        }
        for (const content of ['files', 'databases'] as const) {
          const sound = all.filter(
            (each) => each.holds[0] === content && each.isComplete && each.isOurs && each.time <= now,
          );
          assert.ok(sound.length === 0 || sound.some(({ id }) => !expire.includes(id)));
        }
      }),
    );
  });
});

describe('a simulated policy', () => {
  it('ends with seven days of files and fourteen of databases', () => {
    const policy = { ...rules, timeZone: 'UTC' };
    const { days } = simulateRetention({
      policy,
      account: 'o1',
      hostZone: 'UTC',
      from: new Date('2026-11-01T00:00:00Z'),
      days: 60,
    });
    assert.equal(days.length, 60);
    assert.ok(days.every(({ made }) => made.files === 1 && made.databases === 1));
    assert.equal(days.filter(({ left }) => left.files > 0).length, 7);
    assert.equal(days.filter(({ left }) => left.databases > 0).length, 14);
  });
});
