/**
 * Whether the host's clock can be believed where something would be deleted by age, and how old things are by what the host
 * has lived through. From look to look the time of day must have moved as far as the time since the boot has: each time it
 * has not, another stretch begins (`policies/lived-time.ts`), and a clock that jumped is doubted for most of a day: by all
 * accounts' nights of that day, and by one that is begun again, nothing is let go of. Believed again or not, what it jumped
 * by never counts as age.
 */
import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { writeDurably } from '../lib/write-durably.ts';
import { CLOCK_TOLERANCE_MS, type LivedTime } from '../policies/lived-time.ts';

/** Of the machine: which boot, and seconds since it. */
export type Uptime = { readonly boot: string; readonly seconds: number };

const Time = z.iso.datetime();

const Stretches = z.array(z.object({ wall: z.number(), lived: z.number(), until: z.number().nullable() })).min(1);

const Look = z.object({
  wall: Time,
  boot: z.string(),
  seconds: z.number(),
  /** When it was seen to have jumped, by itself; null where it is believed. */
  doubted: Time.nullable(),
  /** Absent in those of before ages went by it: milliseconds. */
  lived: z.number().optional(),
  stretches: Stretches.optional(),
});
type Look = Omit<z.infer<typeof Look>, 'lived' | 'stretches'> & {
  readonly lived: number;
  readonly stretches: z.infer<typeof Stretches>;
};

/** What a look at the clock says. */
export type ClockLook = LivedTime & { readonly isTrusted: boolean };

/** Over a boot nothing but the clock itself says how long the machine was off. */
const MAX_OFF_MS = 3 * 86_400_000;
/** Less than from one night to the next, and more than the starts of one night are spread. */
const DOUBTED_FOR_MS = 20 * 3_600_000;
/** A look that tells nothing new is kept so often: as much as a boot makes unknown. */
const KEEP_EVERY_MS = 5 * 60_000;
/** More jumps and long boots than a policy keeps anything over; of what is older the clock is believed. */
const MAX_STRETCHES = 1000;

export function readUptime(): Uptime {
  return { boot: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(), seconds: uptime() };
}

/** Looks at the clock, compares with the last look and keeps this one in STATE/clock.json. */
export function watchClock(state: string, now: Date, sinceBoot: Uptime): ClockLook {
  const last = readLook(lookFileOf(state));
  const look = lookOn(last, now.getTime(), sinceBoot);
  const isNews =
    last === null ||
    last.boot !== look.boot ||
    last.doubted !== look.doubted ||
    last.stretches.length !== look.stretches.length ||
    look.lived - last.lived >= KEEP_EVERY_MS;
  if (isNews) writeDurably(lookFileOf(state), `${JSON.stringify(look)}\n`);
  return tell(look);
}

/** Compares with the last look, and keeps nothing. */
export function readClock(state: string, now: Date, sinceBoot: Uptime): ClockLook {
  return tell(lookOn(readLook(lookFileOf(state)), now.getTime(), sinceBoot));
}

function tell({ doubted, stretches, lived }: Look): ClockLook {
  return { isTrusted: doubted === null, stretches, lived };
}

/** Pure: this look, after the last one. */
function lookOn(last: Look | null, now: number, { boot, seconds }: Uptime): Look {
  const wall = new Date(now).toISOString();
  const at = { wall, boot, seconds };
  if (last === null) return { ...at, doubted: null, lived: 0, stretches: [{ wall: now, lived: 0, until: null }] };
  // Of another boot nothing is known but the time since it.
  const ranMs = Math.max(0, last.boot === boot ? seconds - last.seconds : seconds) * 1000;
  const movedMs = now - Date.parse(last.wall);
  const hasJumped =
    last.boot === boot ? Math.abs(movedMs - ranMs) > CLOCK_TOLERANCE_MS : movedMs < 0 || movedMs > MAX_OFF_MS;
  const isOver = last.doubted === null || Math.abs(now - Date.parse(last.doubted)) >= DOUBTED_FOR_MS;
  const lived = last.lived + ranMs;
  return { ...at, doubted: hasJumped ? wall : isOver ? null : last.doubted, lived, stretches: goOn(last, now, lived) };
}

/** Another stretch where the clock and what was lived through have come apart since the last began: it may have begun right after the last look. */
function goOn(last: Look, now: number, lived: number): Look['stretches'] {
  const current = last.stretches.at(-1) ?? { wall: now, lived, until: null };
  const apartMs = now - current.wall - (lived - current.lived);
  if (Math.abs(apartMs) <= CLOCK_TOLERANCE_MS) return last.stretches;
  const next = { wall: now - (lived - last.lived), lived: last.lived, until: null };
  return [...last.stretches.slice(0, -1), { ...current, until: lived }, next].slice(-MAX_STRETCHES);
}

function lookFileOf(state: string): string {
  return join(state, 'clock.json');
}

/** One that can't be read is none. */
function readLook(file: string): Look | null {
  try {
    const { lived = 0, stretches, ...look } = Look.parse(JSON.parse(readFileSync(file, 'utf8')));
    return { ...look, lived, stretches: stretches ?? [{ wall: Date.parse(look.wall), lived, until: null }] };
  } catch {
    return null;
  }
}
