/**
 * Whether the host's clock can be believed where something would be deleted by age. From look to look the time of day must
 * have moved as far as the time since the boot has. A clock that jumped is doubted for most of a day: by all accounts'
 * nights of that day, and by one that is begun again, nothing is let go of.
 */
import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { join } from 'node:path';
import { writeDurably } from '../lib/write-durably.ts';

/** Of the machine: which boot, and seconds since it. */
export type Uptime = { readonly boot: string; readonly seconds: number };

type Look = {
  readonly wall: string;
  readonly boot: string;
  readonly seconds: number;
  /** When it was seen to have jumped, by itself; null where it is believed. */
  readonly doubted: string | null;
};

/** Clocks are set by small steps all the time. */
const TOLERANCE_MS = 10 * 60_000;
/** Over a boot nothing but the clock itself says how long the machine was off. */
const MAX_OFF_MS = 3 * 86_400_000;
/** Less than from one night to the next, and more than the starts of one night are spread. */
const DOUBTED_FOR_MS = 20 * 3_600_000;

export function readUptime(): Uptime {
  return { boot: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(), seconds: uptime() };
}

/** Looks at the clock, compares with the last look and keeps this one in STATE/clock.json. */
export function watchClock(state: string, now: Date, sinceBoot: Uptime): boolean {
  const before = readLook(lookFileOf(state))?.doubted ?? null;
  const wall = now.toISOString();
  const isOver = before === null || now.getTime() - Date.parse(before) >= DOUBTED_FOR_MS;
  const doubted = isClockAsKept(state, now, sinceBoot) ? (isOver ? null : before) : wall;
  writeDurably(lookFileOf(state), `${JSON.stringify({ wall, ...sinceBoot, doubted } satisfies Look)}\n`);
  return doubted === null;
}

/** Compares with the last look, and keeps nothing. */
export function isClockAsKept(state: string, now: Date, { boot, seconds }: Uptime): boolean {
  const last = readLook(lookFileOf(state));
  if (last === null) return true;
  const movedMs = now.getTime() - Date.parse(last.wall);
  if (last.boot === boot) return Math.abs(movedMs - (seconds - last.seconds) * 1000) <= TOLERANCE_MS;
  return movedMs >= 0 && movedMs <= MAX_OFF_MS;
}

function lookFileOf(state: string): string {
  return join(state, 'clock.json');
}

function readLook(file: string): Look | null {
  try {
    const look = JSON.parse(readFileSync(file, 'utf8')) as Partial<Look>;
    if (typeof look.wall !== 'string' || Number.isNaN(Date.parse(look.wall))) return null;
    const doubted = typeof look.doubted === 'string' && !Number.isNaN(Date.parse(look.doubted)) ? look.doubted : null;
    return { wall: look.wall, boot: String(look.boot), seconds: Number(look.seconds), doubted };
  } catch {
    return null;
  }
}
