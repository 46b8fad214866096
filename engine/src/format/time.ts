/** Times as restic writes them: RFC 3339 with as many digits of the second's fraction as are needed, in UTC. */
const NS = 1_000_000_000n;
const YEAR_0_SECONDS = -62_167_219_200;
const YEAR_9999_SECONDS = 253_402_300_799;

let lastSecond = Number.NaN;
let lastText = '';

/** Nanoseconds since 1970 → `2026-11-23T02:00:00.25Z`. Years outside 0–9999 are clamped, as restic does. */
export function formatTime(ns: bigint): string {
  let fraction = Number(ns % NS);
  if (fraction < 0) fraction += 1_000_000_000;
  let second = Number((ns - BigInt(fraction)) / NS);
  if (second < YEAR_0_SECONDS) second = YEAR_0_SECONDS;
  if (second > YEAR_9999_SECONDS) second = YEAR_9999_SECONDS;
  if (second !== lastSecond) {
    lastSecond = second;
    lastText = new Date(second * 1000).toISOString().slice(0, -5);
  }
  if (fraction === 0) return `${lastText}Z`;
  return `${lastText}.${String(fraction).padStart(9, '0').replace(/0+$/, '')}Z`;
}

const ZERO = 0x30;

/** The number that the digits of a part are, or NaN. */
function digits(text: string, from: number, to: number): number {
  let value = 0;
  for (let at = from; at < to; at++) {
    const digit = text.charCodeAt(at) - ZERO;
    if (!(digit >= 0 && digit <= 9)) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}

/** The places of what stands between the numbers of `2026-11-23T02:00:00`. */
const SEPARATORS = [
  [4, '-'],
  [7, '-'],
  [10, 'T'],
  [13, ':'],
  [16, ':'],
] as const;
const SECONDS_END = 19;

/** The inverse, for any zone. @throws RangeError for other text. */
export function parseTime(text: string): bigint {
  // Listings hold two of them for each file, so no regular expression: it took half of reading them.
  let at = SECONDS_END;
  let fraction = 0;
  if (text[at] === '.') {
    const from = at + 1;
    for (at = from; digits(text, at, at + 1) >= 0;) at++;
    // Digits beyond the ninth say nothing that is kept.
    const kept = Math.min(at, from + 9);
    fraction = at === from ? Number.NaN : digits(text, from, kept) * 10 ** (from + 9 - kept);
  }
  const year = digits(text, 0, 4);
  // A year below 100 is one of the 1900s to `Date.UTC`; 400 years later the calendar is the same.
  const ms = Date.UTC(
    year + 400,
    digits(text, 5, 7) - 1,
    digits(text, 8, 10),
    digits(text, 11, 13),
    digits(text, 14, 16),
    digits(text, 17, SECONDS_END),
  );
  const seconds = ms / 1000 - SECONDS_OF_400_YEARS - zoneSeconds(text, at);
  if (!Number.isInteger(seconds + fraction) || SEPARATORS.some(([place, mark]) => text[place] !== mark))
    throw new RangeError(`not a time: ${text.slice(0, 60)}`);
  return BigInt(seconds) * NS + BigInt(fraction);
}

const SECONDS_OF_400_YEARS = 146_097 * 86_400;

/** How far the zone at the end of a time is before UTC; NaN where there is none. */
function zoneSeconds(text: string, at: number): number {
  if (text[at] === 'Z') return text.length === at + 1 ? 0 : Number.NaN;
  const sign = text[at] === '+' ? 1 : text[at] === '-' ? -1 : Number.NaN;
  if (text.length !== at + 6 || text[at + 3] !== ':') return Number.NaN;
  return sign * (digits(text, at + 1, at + 3) * 3600 + digits(text, at + 4, at + 6) * 60);
}
