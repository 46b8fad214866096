/** What a policy will have kept after some weeks of its own schedule: nights are made up and the rules applied after each. Pure. */
import { planRetention } from './retention.ts';
import type { Content, RetainedSnapshot } from './retention.ts';
import { startsBetween } from './schedule.ts';
import type { Policy } from './settings.ts';

export type SimulatedDay = {
  /** `2026-11-26` in the policy's zone. */
  readonly day: string;
  /** How many snapshots of each content begin on it. */
  readonly made: Readonly<Record<Content, number>>;
  /** How many of those are there at the end of the simulation. */
  readonly left: Readonly<Record<Content, number>>;
  /** When the last of each content goes, as far as the rules alone say. */
  readonly until: Readonly<Record<Content, string | null>>;
};

export type Simulation = {
  readonly from: string;
  readonly days: readonly SimulatedDay[];
};

export type SimulateRetentionOptions = {
  readonly policy: Policy;
  readonly account: string;
  readonly hostZone: string;
  readonly from: Date;
  readonly days: number;
};

const DAY_MS = 86_400_000;
/** A night takes some minutes, and the rules are applied at its end. */
const NIGHT_MS = 10 * 60_000;

/** Every day of the simulation, oldest first. Files and databases are apart, as the nightly job keeps them. */
export function simulateRetention({ policy, account, hostZone, from, days }: SimulateRetentionOptions): Simulation {
  const until = new Date(from.getTime() + days * DAY_MS);
  const zone = policy.timeZone ?? hostZone;
  const between = [from, until] as const;
  const nights = startsBetween('nightly', policy, account, hostZone, between);
  const further = startsBetween('databases', policy, account, hostZone, between);
  const made = [
    ...nights.flatMap((time) => [madeUp(time, 'files'), madeUp(time, 'databases')]),
    ...further.map((time) => madeUp(time, 'databases')),
  ].toSorted((a, b) => a.time.getTime() - b.time.getTime());
  const left = new Set(keptAtEnd(made, nights, policy));
  const calendar = new Map<string, SimulatedDay>();
  for (let at = from.getTime(); at < until.getTime(); at += DAY_MS)
    calendar.set(dayOf(new Date(at), zone), emptyDay(dayOf(new Date(at), zone)));
  for (const snapshot of made) {
    const day = dayOf(snapshot.time, zone);
    const known = calendar.get(day) ?? emptyDay(day);
    const [content] = snapshot.holds;
    if (content === undefined) continue;
    const keepMs = content === 'files' ? policy.keepFilesMs : policy.keepDatabasesMs;
    calendar.set(day, {
      day,
      made: { ...known.made, [content]: known.made[content] + 1 },
      left: { ...known.left, [content]: known.left[content] + (left.has(snapshot.id) ? 1 : 0) },
      until: { ...known.until, [content]: new Date(snapshot.time.getTime() + keepMs).toISOString() },
    });
  }
  return { from: from.toISOString(), days: [...calendar.values()].toSorted((a, b) => (a.day < b.day ? -1 : 1)) };
}

/** The rules are applied after each night, as the job does, so that what one night let go of is not judged again. */
function keptAtEnd(made: readonly RetainedSnapshot[], nights: readonly Date[], policy: Policy): readonly string[] {
  let there: readonly RetainedSnapshot[] = [];
  let next = 0;
  for (const night of nights) {
    const later = made.findIndex(({ time }, at) => at >= next && time > night);
    const end = later === -1 ? made.length : later;
    there = [...there, ...made.slice(next, end)];
    next = end;
    const gone = new Set(
      planRetention(there, policy, { now: new Date(night.getTime() + NIGHT_MS), isClockTrusted: true }).expire,
    );
    there = there.filter(({ id }) => !gone.has(id));
  }
  return [...there, ...made.slice(next)].map(({ id }) => id);
}

function madeUp(time: Date, content: Content): RetainedSnapshot {
  const id = `${content} ${time.toISOString()}`;
  return {
    id,
    time,
    scope: 'account',
    within: 'account',
    holds: [content],
    isComplete: true,
    isOurs: true,
    isPinned: false,
  };
}

function emptyDay(day: string): SimulatedDay {
  const none = { files: 0, databases: 0 };
  return { day, made: none, left: none, until: { files: null, databases: null } };
}

function dayOf(at: Date, zone: string): string {
  return Temporal.Instant.fromEpochMilliseconds(at.getTime()).toZonedDateTimeISO(zone).toPlainDate().toString();
}
