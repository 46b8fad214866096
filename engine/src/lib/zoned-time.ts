/** Times with the zone that they were written in: calendar rules ask what the clock on the wall said there. */
import { parseTime } from '../format/time.ts';

const NS_PER_MS = 1_000_000n;
const MS_PER_MINUTE = 60_000;
const MS_PER_DAY = 86_400_000;
const DAYS_PER_WEEK = 7;
const ZONE = /([+-])(\d\d):(\d\d)$/;

/** An instant, and the same as a wall clock shows it: `wall`'s UTC fields are the zone's. */
export type ZonedTime = { readonly ns: bigint; readonly offsetMinutes: number; readonly wall: Date };

/** A stretch of the calendar; months and years are as long as they are. */
export type Duration = {
  readonly years: number;
  readonly months: number;
  readonly days: number;
  readonly hours: number;
};

/** RFC 3339 → time and zone. @throws RangeError for other text. */
export function parseZonedTime(text: string): ZonedTime {
  const ns = parseTime(text);
  const zone = ZONE.exec(text);
  const minutes = zone === null ? 0 : Number(zone[2]) * 60 + Number(zone[3]);
  const offsetMinutes = zone?.[1] === '-' ? -minutes : minutes;
  // Rounded down before 1970 too: half a millisecond before midnight is still the day before.
  const ms = Number((ns - (((ns % NS_PER_MS) + NS_PER_MS) % NS_PER_MS)) / NS_PER_MS);
  return { ns, offsetMinutes, wall: new Date(ms + offsetMinutes * MS_PER_MINUTE) };
}

/**
 * The instant that lies a duration before `time`, in nanoseconds since 1970. Calendar arithmetic in the zone of the
 * time: what overflows goes on in the next month (a month before 31 March is 3 March, or 2 March in a leap year).
 */
export function subtractDuration(time: ZonedTime, duration: Duration): bigint {
  const date = new Date(time.wall);
  const year = date.getUTCFullYear() - duration.years;
  date.setUTCFullYear(year, date.getUTCMonth() - duration.months, date.getUTCDate() - duration.days);
  const movedMs = date.getTime() - time.wall.getTime() - duration.hours * 60 * MS_PER_MINUTE;
  return time.ns + BigInt(movedMs) * NS_PER_MS;
}

/** `2026-11-23` on the wall. */
export function dayOf({ wall }: Pick<ZonedTime, 'wall'>): string {
  return wall.toISOString().slice(0, -'T00:00:00.000Z'.length);
}

/** ISO 8601 week and the year that it belongs to, as one number: 202653 is the last week of 2026. */
export function weekOf({ wall }: Pick<ZonedTime, 'wall'>): number {
  // A week belongs to the year that its Thursday lies in.
  const day = wall.getUTCDay() === 0 ? DAYS_PER_WEEK : wall.getUTCDay();
  const thursday = new Date(wall);
  thursday.setUTCDate(wall.getUTCDate() + 4 - day);
  const year = thursday.getUTCFullYear();
  const newYear = new Date(0);
  newYear.setUTCFullYear(year, 0, 1);
  const days = Math.floor((thursday.getTime() - newYear.getTime()) / MS_PER_DAY);
  return year * 100 + Math.floor(days / DAYS_PER_WEEK) + 1;
}

const PART = /(\d+)([ymdh])/y;

/**
 * `1y5m7d2h` → years, months, days and hours, in any order, each at most once.
 * @throws RangeError for other text.
 */
export function parseDuration(text: string): Duration {
  const found = new Map<string, number>();
  PART.lastIndex = 0;
  for (let match = PART.exec(text); match !== null; match = PART.exec(text)) {
    const [, count = '', unit = ''] = match;
    if (found.has(unit)) throw new RangeError(`'${text}' names '${unit}' twice`);
    if (Number(count) > MAX_COUNT) throw new RangeError(`'${text}' is longer than there are times`);
    found.set(unit, Number(count));
    if (PART.lastIndex === text.length) {
      const part = (name: string): number => found.get(name) ?? 0;
      return { years: part('y'), months: part('m'), days: part('d'), hours: part('h') };
    }
  }
  throw new RangeError(`'${text.slice(0, 40)}' is no duration like 1y5m7d2h`);
}

/** Far beyond what a calendar holds, far below where dates overflow: 2,700 years in days. */
const MAX_COUNT = 1_000_000;

/** The inverse; `0d` where it is empty. */
export function formatDuration({ years, months, days, hours }: Duration): string {
  const parts = [
    [years, 'y'],
    [months, 'm'],
    [days, 'd'],
    [hours, 'h'],
  ] as const;
  const text = parts.map(([count, unit]) => (count === 0 ? '' : `${count}${unit}`)).join('');
  return text === '' ? '0d' : text;
}

export function isEmptyDuration({ years, months, days, hours }: Duration): boolean {
  return years === 0 && months === 0 && days === 0 && hours === 0;
}
