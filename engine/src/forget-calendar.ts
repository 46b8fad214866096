/**
 * Shows what a policy keeps as a calendar: by day, which rules keep what. Either of a plan, or simulated: snapshots
 * are made up as a schedule would make them and the policy is applied after each, so that what is shown is what will
 * be there then, not what one night decides. Pure: nothing is read or removed.
 */
import type { Snapshot } from './format/snapshot-file.ts';
import { formatTime } from './format/time.ts';
import { parseSnapshotId, parseTreeId } from './ids.ts';
import { dayOf, parseZonedTime } from './lib/zoned-time.ts';
import { planForget } from './plan-forget.ts';
import type { ForgetGroup, ForgetPolicy, KeepRule, KeptSnapshot } from './plan-forget.ts';

/** What is kept of one day, in the zone of its snapshots. */
export type CalendarDay = {
  /** `2026-11-23`, in the zone of its snapshots. */
  readonly day: string;
  /** Newest first. */
  readonly kept: readonly KeptSnapshot[];
  /** How many go. */
  readonly removed: number;
};

/** Days that have snapshots, newest first; `rules` are those that keep anything. */
export type ForgetCalendar = { readonly days: readonly CalendarDay[]; readonly rules: readonly KeepRule[] };

/** The calendar of one group of a plan. */
export function calendarOf(group: Pick<ForgetGroup, 'keep' | 'remove'>): ForgetCalendar {
  const days = new Map<string, { kept: KeptSnapshot[]; removed: number }>();
  const at = (snapshot: Snapshot): { kept: KeptSnapshot[]; removed: number } => {
    const day = dayOf(parseZonedTime(snapshot.time));
    const known = days.get(day) ?? { kept: [], removed: 0 };
    days.set(day, known);
    return known;
  };
  for (const kept of group.keep) at(kept.snapshot).kept.push(kept);
  for (const snapshot of group.remove) at(snapshot).removed++;
  const seen = new Set(group.keep.flatMap(({ reasons }) => reasons.map(({ rule }) => rule)));
  return {
    days: [...days].map(([day, each]) => ({ day, ...each })).sort((a, b) => (a.day < b.day ? 1 : -1)),
    rules: RULES.filter((rule) => seen.has(rule)),
  };
}

/** How many runs are played through, from when on, and how far apart. */
export type SimulateOptions = {
  /** When the first snapshot is made. */
  readonly from: Date;
  /** How many are made. */
  readonly runs: number;
  /** Hours between two; by default 24. */
  readonly everyHours?: number;
  /** What is there already; of one group. */
  readonly snapshots?: readonly Snapshot[];
  readonly isPinned?: (snapshot: Snapshot) => boolean;
  /** Go on where a night leaves nothing. */
  readonly allowRemoveAll?: boolean;
};

/** More would take minutes and show nothing new: 27 years of days. */
const MAX_RUNS = 10_000;
const HOUR_MS = 3_600_000;

/**
 * What is left after the last of `runs` snapshots, each followed by a forget. The days also count what went from
 * them on the way.
 * @throws EngineError `policy-empty`, `policy-removes-all`; RangeError for more than 10,000 runs.
 */
export function simulateForget(policy: ForgetPolicy, options: SimulateOptions): ForgetCalendar {
  const { from, runs, everyHours = 24, snapshots = [], isPinned, allowRemoveAll = false } = options;
  if (runs > MAX_RUNS || everyHours <= 0) throw new RangeError(`${runs} runs every ${everyHours} h can't be simulated`);
  let left: readonly Snapshot[] = snapshots;
  let keep: readonly KeptSnapshot[] = [];
  const removed: Snapshot[] = [];
  for (let run = 0; run < runs; run++) {
    const at = new Date(from.getTime() + run * everyHours * HOUR_MS);
    const plan = planForget([...left, makeUp(at, run)], policy, {
      // A moment later: what was just made is not in the future.
      now: new Date(at.getTime() + 1),
      groupBy: [],
      allowRemoveAll,
      ...(isPinned === undefined ? {} : { isPinned }),
    });
    keep = plan.groups.flatMap((group) => group.keep);
    left = keep.map(({ snapshot }) => snapshot);
    removed.push(...plan.groups.flatMap((group) => group.remove));
  }
  return calendarOf({ keep, remove: removed });
}

/** A snapshot that only has a time. */
function makeUp(at: Date, run: number): Snapshot {
  return {
    id: parseSnapshotId(run.toString(16).padStart(64, '0')),
    time: formatTime(BigInt(at.getTime()) * 1_000_000n),
    tree: parseTreeId('0'.repeat(64)),
    parent: null,
    paths: [],
    hostname: '',
    username: '',
    uid: 0,
    gid: 0,
    excludes: [],
    tags: [],
    original: null,
    programVersion: '',
    summary: null,
  };
}

/** In the order in which they are shown. */
const RULES: readonly KeepRule[] = [
  'last',
  'hourly',
  'daily',
  'weekly',
  'monthly',
  'yearly',
  'within',
  'within-hourly',
  'within-daily',
  'within-weekly',
  'within-monthly',
  'within-yearly',
  'tag',
  'pin',
];

/**
 * The calendar as a table in plain text: a line for each kept snapshot, an `x` under each rule that keeps it, and one
 * line for each stretch of days of which nothing is kept.
 */
export function renderCalendar({ days, rules }: ForgetCalendar): string {
  const lines = [['DAY       ', 'TIME ', ...rules].join('  ')];
  let gone: CalendarDay[] = [];
  const tellGone = (): void => {
    const [last, first] = [gone[0], gone.at(-1)];
    if (last === undefined || first === undefined) return;
    const stretch = first === last ? last.day : `${first.day} to ${last.day}`;
    lines.push(`  (${gone.reduce((sum, { removed }) => sum + removed, 0)} gone of ${stretch})`);
    gone = [];
  };
  for (const day of days) {
    if (day.kept.length === 0) gone.push(day);
    else {
      tellGone();
      lines.push(...day.kept.map((kept) => renderKept(day.day, kept, rules)));
    }
  }
  tellGone();
  return lines.map((line) => line.trimEnd()).join('\n');
}

function renderKept(day: string, { snapshot, reasons }: KeptSnapshot, rules: readonly KeepRule[]): string {
  const time = parseZonedTime(snapshot.time).wall.toISOString().slice(11, 16);
  const marks = rules.map((rule) => (reasons.some((reason) => reason.rule === rule) ? 'x' : '').padEnd(rule.length));
  return [day, time, ...marks].join('  ');
}
