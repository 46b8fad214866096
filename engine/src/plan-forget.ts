/**
 * Decides which snapshots a policy keeps. Pure: it reads no clock and touches no repository; `forget.ts` acts on it.
 *
 *   group (host and paths) → newest first → each rule marks what it keeps, with the reason → pins → the rest goes
 *
 * The rules are restic's: a rule that counts keeps the newest snapshot of each hour, day, ISO week, month or year as
 * its own zone shows them, and the oldest of all while it has counts left; a rule `within` a time counts from the
 * newest snapshot that does not lie in the future. Snapshots kept by tag or pin are counted by the other rules too.
 */
import { EngineError } from './errors.ts';
import type { Snapshot } from './format/snapshot-file.ts';
import { dayOf, formatDuration, isEmptyDuration, parseZonedTime, subtractDuration, weekOf } from './lib/zoned-time.ts';
import type { Duration, ZonedTime } from './lib/zoned-time.ts';

/** How many to keep of each kind; −1 is all of them, 0 and absence none. */
export type KeepCounts = Readonly<Partial<Record<'last' | CalendarUnit, number>>>;
/** Spans of the calendar, in the zone of each snapshot. */
export type CalendarUnit = 'hourly' | 'daily' | 'weekly' | 'monthly' | 'yearly';

/** The rules; a snapshot stays that one of them keeps. */
export type ForgetPolicy = {
  readonly keep?: KeepCounts;
  /** Everything younger than this (`all`), or the newest of each hour … year that is younger than this. */
  readonly within?: Readonly<Partial<Record<'all' | CalendarUnit, Duration>>>;
  /** Snapshots that carry all tags of one of these lists; the tag `''` stands for having none. */
  readonly tags?: readonly (readonly string[])[];
};

/** By what snapshots are put into groups, to each of which a policy is applied for itself. */
export type GroupKey = 'host' | 'paths' | 'tags';

/** What a decision needs beside the policy; the time is handed in. */
export type PlanForgetOptions = {
  /** What is later than this is in the future, and no rule counts from it. */
  readonly now: Date;
  /** What the snapshots of a group have in common; by default host and paths. */
  readonly groupBy?: readonly GroupKey[];
  /** Snapshots that never go, besides those that carry `PIN_TAG`. */
  readonly isPinned?: (snapshot: Snapshot) => boolean;
  /** Allow the policy to be empty or to leave nothing of a group. */
  readonly allowRemoveAll?: boolean;
};

/** Which rule keeps a snapshot: `daily`, `within`, `within-daily`, `tag`, `pin` … */
export type KeepRule = 'last' | CalendarUnit | 'within' | `within-${CalendarUnit}` | 'tag' | 'pin';
/** `text` is what restic says, where it has the rule. */
export type KeepReason = { readonly rule: KeepRule; readonly text: string };
/** A snapshot that stays, with every rule that keeps it. */
export type KeptSnapshot = { readonly snapshot: Snapshot; readonly reasons: readonly KeepReason[] };

/** Newest first. What is not grouped by is null. */
export type ForgetGroup = {
  readonly host: string | null;
  readonly paths: readonly string[] | null;
  readonly tags: readonly string[] | null;
  readonly keep: readonly KeptSnapshot[];
  readonly remove: readonly Snapshot[];
};

/** What a policy keeps and what it lets go, group by group. */
export type ForgetPlan = { readonly groups: readonly ForgetGroup[] };

/** A snapshot with this tag is removed by no rule. */
export const PIN_TAG = 'salvor-pin';

const UNITS: readonly CalendarUnit[] = ['hourly', 'daily', 'weekly', 'monthly', 'yearly'];

/**
 * Every snapshot is in one group, and in `keep` or in `remove`.
 * @throws EngineError `policy-empty`, `policy-removes-all`.
 */
export function planForget(
  snapshots: readonly Snapshot[],
  policy: ForgetPolicy,
  options: PlanForgetOptions,
): ForgetPlan {
  if (isEmptyPolicy(policy) && options.allowRemoveAll !== true) throw new EngineError('policy-empty');
  const groupBy = options.groupBy ?? ['host', 'paths'];
  const isPinned = (snapshot: Snapshot): boolean =>
    snapshot.tags.includes(PIN_TAG) || options.isPinned?.(snapshot) === true;
  const groups = groupSnapshots(snapshots, groupBy).map((members): ForgetGroup => {
    const decided = decide(members, policy, options.now, isPinned);
    const [first] = members;
    return {
      host: groupBy.includes('host') ? (first?.hostname ?? null) : null,
      paths: groupBy.includes('paths') ? (first?.paths.toSorted() ?? null) : null,
      tags: groupBy.includes('tags') ? (first?.tags.toSorted() ?? null) : null,
      keep: decided.filter(({ reasons }) => reasons.length > 0),
      remove: decided.filter(({ reasons }) => reasons.length === 0).map(({ snapshot }) => snapshot),
    };
  });
  const emptied = groups.find(({ keep }) => keep.length === 0);
  if (emptied !== undefined && options.allowRemoveAll !== true) {
    throw new EngineError('policy-removes-all', {
      snapshots: emptied.remove.length,
      group: [emptied.host ?? '', ...(emptied.paths ?? []), ...(emptied.tags ?? [])].filter(Boolean).join(' ') || 'all',
    });
  }
  return { groups };
}

/** Whether no rule of the policy can keep anything. */
export function isEmptyPolicy(policy: ForgetPolicy): boolean {
  return (
    (policy.tags ?? []).length === 0 &&
    Object.values(policy.keep ?? {}).every((count) => count === 0) &&
    Object.values(policy.within ?? {}).every(isEmptyDuration)
  );
}

/** The groups in the order of what they have in common. */
function groupSnapshots(
  snapshots: readonly Snapshot[],
  groupBy: readonly GroupKey[],
): readonly (readonly Snapshot[])[] {
  const keyOf = (snapshot: Snapshot): string =>
    JSON.stringify([
      groupBy.includes('host') ? snapshot.hostname : '',
      groupBy.includes('paths') ? snapshot.paths.toSorted() : [],
      groupBy.includes('tags') ? snapshot.tags.toSorted() : [],
    ]);
  return Map.groupBy(snapshots, keyOf)
    .entries()
    .toArray()
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, members]) => members);
}

type Dated = { readonly snapshot: Snapshot; readonly time: ZonedTime };

function decide(
  members: readonly Snapshot[],
  policy: ForgetPolicy,
  now: Date,
  isPinned: (snapshot: Snapshot) => boolean,
): readonly KeptSnapshot[] {
  const dated = members
    .map((snapshot): Dated => ({ snapshot, time: parseZonedTime(snapshot.time) }))
    .sort(compareNewestFirst);
  const rules = makeRules(policy, newestBefore(dated, now));
  return dated.map(({ snapshot, time }, nr) => {
    const isOldest = nr === dated.length - 1;
    const reasons = rules.map((rule) => rule(snapshot, time, isOldest)).filter((reason) => reason !== null);
    if (isPinned(snapshot)) reasons.push({ rule: 'pin', text: 'pinned' });
    return { snapshot, reasons };
  });
}

function compareNewestFirst(a: Dated, b: Dated): number {
  if (a.time.ns !== b.time.ns) return a.time.ns > b.time.ns ? -1 : 1;
  return a.snapshot.id < b.snapshot.id ? -1 : 1;
}

/** Where all lie in the future, rules within a time count from the year 1, and keep all: nothing is lost by a wrong clock. */
const NEVER: ZonedTime = parseZonedTime('0001-01-01T00:00:00Z');

function newestBefore(newestFirst: readonly Dated[], now: Date): ZonedTime {
  const nowNs = BigInt(now.getTime()) * 1_000_000n;
  return newestFirst.find(({ time }) => time.ns < nowNs)?.time ?? NEVER;
}

/** Asked for each snapshot, newest first; remembers what it kept. */
type Rule = (snapshot: Snapshot, time: ZonedTime, isOldest: boolean) => KeepReason | null;

function makeRules(policy: ForgetPolicy, newest: ZonedTime): readonly Rule[] {
  const rules: Rule[] = (policy.tags ?? []).map((tags) => keepTagged(tags));
  const { keep = {}, within = {} } = policy;
  if (within.all !== undefined && !isEmptyDuration(within.all)) rules.push(keepWithin(within.all, newest));
  if (keep.last !== undefined && keep.last !== 0) rules.push(keepCount('last', keep.last));
  for (const unit of UNITS) {
    const count = keep[unit] ?? 0;
    if (count !== 0) rules.push(keepCount(unit, count));
  }
  for (const unit of UNITS) {
    const duration = within[unit];
    if (duration !== undefined && !isEmptyDuration(duration)) rules.push(keepUnitWithin(unit, duration, newest));
  }
  return rules;
}

function keepTagged(tags: readonly string[]): Rule {
  return (snapshot) => (hasTags(snapshot, tags) ? { rule: 'tag', text: `has tags [${tags.join(', ')}]` } : null);
}

/** Whether a snapshot carries all tags of a list; `''` in it stands for a snapshot without tags. */
export function hasTags(snapshot: Pick<Snapshot, 'tags'>, tags: readonly string[]): boolean {
  if (tags[0] === '' && snapshot.tags.length === 0) return true;
  return tags.every((tag) => snapshot.tags.includes(tag));
}

function keepWithin(duration: Duration, newest: ZonedTime): Rule {
  const after = subtractDuration(newest, duration);
  const text = `within ${formatDuration(duration)}`;
  return (_, time) => (time.ns > after ? { rule: 'within', text } : null);
}

function keepCount(unit: 'last' | CalendarUnit, count: number): Rule {
  if (!Number.isInteger(count) || count < -1) throw new RangeError(`${count} snapshots can't be kept`);
  let left = count;
  const isNew = makeBucket(unit);
  return (_, time, isOldest) => {
    if (left === 0) return null;
    const reason = isNew(time) ? `${unit} snapshot` : isOldest ? `oldest ${unit} snapshot` : null;
    if (reason === null) return null;
    if (left > 0) left--;
    return { rule: unit, text: reason };
  };
}

function keepUnitWithin(unit: CalendarUnit, duration: Duration, newest: ZonedTime): Rule {
  const after = subtractDuration(newest, duration);
  const isNew = makeBucket(unit);
  return (_, time, isOldest) => {
    if (time.ns <= after) return null;
    const reason = isNew(time) ? `${unit} within` : isOldest ? `oldest ${unit} within` : null;
    return reason === null ? null : { rule: `within-${unit}`, text: `${reason} ${formatDuration(duration)}` };
  };
}

/** Whether a time lies in another hour, day … than the one that was kept last; then that is kept. */
function makeBucket(unit: 'last' | CalendarUnit): (time: ZonedTime) => boolean {
  let last: string | null = null;
  return (time) => {
    const key = BUCKETS[unit](time);
    if (key !== null && key === last) return false;
    last = key;
    return true;
  };
}

/** The name of the hour, day … as the snapshot's own zone has it; null differs from every other. */
const BUCKETS: Readonly<Record<'last' | CalendarUnit, (time: ZonedTime) => string | null>> = {
  last: () => null,
  hourly: (time) => `${dayOf(time)} ${time.wall.getUTCHours()}`,
  daily: dayOf,
  weekly: (time) => String(weekOf(time)),
  monthly: (time) => dayOf(time).slice(0, -'-01'.length),
  yearly: (time) => String(time.wall.getUTCFullYear()),
};
