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

const TIME = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)$/;

/** The inverse, for any zone. @throws RangeError for other text. */
export function parseTime(text: string): bigint {
  const match = TIME.exec(text);
  if (match === null) throw new RangeError(`not a time: ${text.slice(0, 60)}`);
  const [, year, month, day, hour, minute, second, fraction = '', zone = 'Z'] = match;
  const date = new Date(0);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  date.setUTCHours(Number(hour), Number(minute), Number(second));
  let seconds = Math.round(date.getTime() / 1000);
  if (zone !== 'Z') {
    const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4, 6));
    seconds += (zone.startsWith('+') ? -60 : 60) * minutes;
  }
  return BigInt(seconds) * NS + BigInt(fraction.padEnd(9, '0') || '0');
}
