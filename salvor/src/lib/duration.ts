/** Stretches of time as people write them: `90m`, `7d`, `1h30m`. A day has 24 hours and a week 7 days here. */

const UNITS_MS = { w: 604_800_000, d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000 } as const;
type Unit = keyof typeof UNITS_MS;
const WHOLE = /^(?:\d{1,6}[wdhms])+$/;
const PART = /(\d{1,6})([wdhms])/g;

/** The milliseconds of `7d`, `1h30m` …; null for other text, and where a unit stands twice. `0` is none. */
export function parseDurationMs(text: string): number | null {
  if (text === '0') return 0;
  if (!WHOLE.test(text)) return null;
  const seen = new Set<string>();
  let sum = 0;
  for (const [, count = '', unit = ''] of text.matchAll(PART)) {
    if (seen.has(unit)) return null;
    seen.add(unit);
    sum += Number(count) * UNITS_MS[unit as Unit];
  }
  return sum;
}

/** The inverse, in at most three parts: `7d`, `1h30m`; `0` where it is less than a second. */
export function formatDurationMs(durationMs: number): string {
  let left = Math.floor(durationMs / 1000) * 1000;
  const parts: string[] = [];
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    const count = Math.floor(left / UNITS_MS[unit]);
    if (count > 0 && parts.length < 3) parts.push(`${count}${unit}`);
    left -= count * UNITS_MS[unit];
  }
  return parts.length === 0 ? '0' : parts.join('');
}
