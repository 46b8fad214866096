/** Values of settings as people write them, and back. Each reader gives null for text that it does not understand. */
import { formatDurationMs } from '../lib/duration.ts';
import type { KindValues, Setting } from './settings.ts';
import type { HookCommands } from './task-steps.ts';

export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
const MINUTES_PER_DAY = 24 * 60;
const CLOCK = /^([01]?\d|2[0-3]):([0-5]\d)$/;
const RATE_UNITS: Readonly<Record<string, number>> = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 };

/** `02:00` → minutes since midnight. */
export function parseClock(text: string): number | null {
  const match = CLOCK.exec(text);
  return match === null ? null : Number(match[1]) * 60 + Number(match[2]);
}

export function formatClock(minute: number): string {
  const inDay = ((minute % MINUTES_PER_DAY) + MINUTES_PER_DAY) % MINUTES_PER_DAY;
  return `${String(Math.floor(inDay / 60)).padStart(2, '0')}:${String(inDay % 60).padStart(2, '0')}`;
}

/** `22:00-05:00`; null also where both ends are the same. */
export function parseWindow(text: string): { from: number; to: number } | null {
  const [from, to, more] = text.split('-').map((part) => parseClock(part.trim()));
  if (from === undefined || from === null || to === undefined || to === null || more !== undefined) return null;
  return from === to ? null : { from, to };
}

/** `mon`, `Monday` → 1. */
export function parseWeekday(text: string): number | null {
  const at = WEEKDAYS.findIndex((day) => day === text.toLowerCase().slice(0, 3));
  const isName = /^(mon|tues?|wed(nes)?|thu(rs)?|fri|sat(ur)?|sun)(day)?$/i.test(text);
  return at === -1 || !isName ? null : at + 1;
}

/** `10M` → bytes a second. */
export function parseRate(text: string): number | null {
  const match = /^(\d{1,12})\s*([KMG]?)i?B?(?:\/s)?$/i.exec(text);
  const unit = RATE_UNITS[(match?.[2] ?? '').toUpperCase()];
  return match === null || unit === undefined ? null : Number(match[1]) * unit;
}

/** An address of the web with a place for the site's name; null also where it holds a user or password. */
export function parsePageUrl(text: string): string | null {
  const url = URL.parse(text.replaceAll('{uri}', 'example.org'));
  const isPage = url !== null && /^https?:$/.test(url.protocol) && url.hostname !== '';
  return isPage && url.username === '' && url.password === '' ? text : null;
}

/** Absolute, without steps upwards; `{home}` may be its beginning. */
export function parsePath(text: string): string | null {
  const filled = text.replace(/^\{home\}(?=\/)/, '/home').replaceAll(/\{(?:account|uri)\}/g, 'x');
  const isPath = /^\/[^\0\r\n{}]*[^\0\r\n{}/]$/.test(filled) && !filled.split('/').includes('..');
  return isPath ? text : null;
}

/** `127.0.0.1:443`, `[::1]:443`, `web.example:80`. */
export function parseAddress(text: string): { host: string; port: number } | null {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host === undefined || port < 1 || port > 65_535 ? null : { host, port };
}

function formatRate(rate: number): string {
  for (const unit of ['G', 'M', 'K'] as const) {
    const size = RATE_UNITS[unit] ?? 1;
    if (rate >= size && rate % size === 0) return `${rate / size}${unit}`;
  }
  return String(rate);
}

function isHooks(kind: Setting['kind'], value: KindValues[keyof KindValues]): value is HookCommands {
  return kind === 'hooks' && value !== null;
}

function formatHooks(commands: HookCommands): string {
  const places = Object.entries(commands).map(([place, words]) => `${place}: [${(words ?? []).join(', ')}]`);
  return places.length === 0 ? 'none' : `{ ${places.join(', ')} }`;
}

/** A value as `salvor.yaml` would hold it. */
export function formatSetting({ kind }: Setting, value: KindValues[keyof KindValues]): string {
  if (isHooks(kind, value)) return formatHooks(value);
  if (value === null) return kind === 'zone' ? "the host's" : kind === 'window' ? 'all day' : 'none';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'number')
    return kind === 'duration'
      ? formatDurationMs(value)
      : kind === 'clock'
        ? formatClock(value)
        : kind === 'rate'
          ? formatRate(value)
          : String(value);
  if (typeof value === 'string') return value;
  if ('host' in value) return `${value.host.includes(':') ? `[${value.host}]` : value.host}:${value.port}`;
  if ('from' in value) return `${formatClock(value.from)}-${formatClock(value.to)}`;
  if (kind === 'command') return `[${value.join(', ')}]`;
  if (kind !== 'weekdays') return value.length === 0 ? 'none' : value.join(', ');
  return value.length === WEEKDAYS.length ? 'every day' : value.map((day) => WEEKDAYS[Number(day) - 1]).join(', ');
}
