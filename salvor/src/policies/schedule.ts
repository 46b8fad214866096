/**
 * When jobs begin: pure arithmetic on a policy, an account's name and instants. Times of day are meant in the policy's
 * zone: what falls into the hour that summer time skips begins an hour later, what falls into the one that comes twice
 * begins once.
 */
import { hash } from 'node:crypto';
import type { Policy } from './settings.ts';

export type Job = 'nightly' | 'databases';

type NightlyRules = Pick<Policy, 'nightlyAt' | 'nightlySpreadMs' | 'nightlyWeekdays'>;
type DatabaseRules = Pick<Policy, 'databasesEveryMs' | 'databasesWindow' | 'databasesWeekdays'>;
export type ScheduleRules = NightlyRules & DatabaseRules & Pick<Policy, 'timeZone'>;

const MINUTE_MS = 60_000;
/** A schedule of at least one day a week has a start in any eight days; one more for changes of the clock. */
const DAYS_LOOKED_AT = 9;

/** The first start of a job after an instant; null where it has none. `hostZone` is meant where the policy names no zone. */
export function nextStart(job: Job, rules: ScheduleRules, account: string, hostZone: string, after: Date): Date | null {
  const today = dayAt(rules, hostZone, after);
  for (let day = -1; day <= DAYS_LOOKED_AT; day++) {
    const found = startsOfDay(job, rules, account, today.add({ days: day })).find((start) => start > after);
    if (found !== undefined) return found;
  }
  return null;
}

/** The last start of a job at an instant or before it; null where it has none. */
export function lastStart(job: Job, rules: ScheduleRules, account: string, hostZone: string, until: Date): Date | null {
  const today = dayAt(rules, hostZone, until);
  for (let day = 1; day >= -DAYS_LOOKED_AT; day--) {
    const found = startsOfDay(job, rules, account, today.add({ days: day })).findLast((start) => start <= until);
    if (found !== undefined) return found;
  }
  return null;
}

/** All starts of a job after `from` and up to `until`. */
export function startsBetween(
  job: Job,
  rules: ScheduleRules,
  account: string,
  hostZone: string,
  [from, until]: readonly [from: Date, until: Date],
): readonly Date[] {
  const starts: Date[] = [];
  for (
    let start = nextStart(job, rules, account, hostZone, from);
    start !== null && start <= until;
    start = nextStart(job, rules, account, hostZone, start)
  )
    starts.push(start);
  return starts;
}

/** Whether a job that last began at `lastBegan` should begin: one missed start or many, it begins once. */
export function isDue(
  job: Job,
  rules: ScheduleRules,
  account: string,
  hostZone: string,
  { lastBegan, now }: { readonly lastBegan: Date | null; readonly now: Date },
): boolean {
  const start = lastStart(job, rules, account, hostZone, now);
  return start !== null && (lastBegan === null || lastBegan < start);
}

function dayAt({ timeZone }: ScheduleRules, hostZone: string, at: Date): Temporal.ZonedDateTime {
  const zoned = Temporal.Instant.fromEpochMilliseconds(at.getTime()).toZonedDateTimeISO(timeZone ?? hostZone);
  return zoned.startOfDay();
}

function startsOfDay(job: Job, rules: ScheduleRules, account: string, day: Temporal.ZonedDateTime): readonly Date[] {
  const start = day.startOfDay();
  return job === 'nightly' ? nightlyStarts(rules, account, start) : databaseStarts(rules, account, start);
}

function nightlyStarts(rules: NightlyRules, account: string, day: Temporal.ZonedDateTime): readonly Date[] {
  if (!rules.nightlyWeekdays.includes(day.dayOfWeek)) return [];
  const at = day.withPlainTime({ hour: Math.floor(rules.nightlyAt / 60), minute: rules.nightlyAt % 60 });
  return [new Date(at.epochMilliseconds + offsetOf(account, rules.nightlySpreadMs))];
}

/** At even distances from midnight; those that the window or the weekday shuts out are left out. */
function databaseStarts(rules: DatabaseRules, account: string, day: Temporal.ZonedDateTime): readonly Date[] {
  const everyMs = rules.databasesEveryMs;
  if (everyMs < MINUTE_MS) return [];
  const until = day.add({ days: 1 }).epochMilliseconds;
  const starts: Date[] = [];
  for (let at = day.epochMilliseconds + offsetOf(account, everyMs); at < until; at += everyMs) {
    const wall = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(day.timeZoneId);
    if (isOpen(rules, wall)) starts.push(new Date(at));
  }
  return starts;
}

/** A window over midnight belongs to the day that it begins on. */
function isOpen(rules: DatabaseRules, wall: Temporal.ZonedDateTime): boolean {
  const window = rules.databasesWindow;
  const minute = wall.hour * 60 + wall.minute;
  if (window === null) return rules.databasesWeekdays.includes(wall.dayOfWeek);
  const isOverMidnight = window.from > window.to;
  const isInside = isOverMidnight
    ? minute >= window.from || minute < window.to
    : minute >= window.from && minute < window.to;
  if (!isInside) return false;
  const opened = isOverMidnight && minute < window.to ? wall.subtract({ days: 1 }) : wall;
  return rules.databasesWeekdays.includes(opened.dayOfWeek);
}

/** An account's own place in a spread, the same every day: drawn from its name, to the second. */
function offsetOf(account: string, spreadMs: number): number {
  const share = Number.parseInt(hash('sha256', account, 'hex').slice(0, 12), 16) / 2 ** 48;
  return Math.floor((share * spreadMs) / 1000) * 1000;
}
