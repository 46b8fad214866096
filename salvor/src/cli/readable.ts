/** Sizes, times, counts and names as people read them. Nothing here is for programs: they have `--json`. */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** `1.4 MiB`: three figures at most. */
export function readableBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1023.5 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** `2026-11-23 22:03:51`, in the machine's zone. */
export function readableTime(time: string | Date): string {
  const at = new Date(time);
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

function two(n: number): string {
  return String(n).padStart(2, '0');
}

/** `8 s`, `3 min 20 s`, `2 h 5 min` */
export function readableSeconds(seconds: number): string {
  const whole = Math.max(1, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min${whole % 60 === 0 ? '' : ` ${whole % 60} s`}`;
  const minutes = Math.round(whole / 60);
  return `${Math.floor(minutes / 60)} h${minutes % 60 === 0 ? '' : ` ${minutes % 60} min`}`;
}

/** The start of a point's id: enough to be the only one, and every command takes it. */
export function shortPoint(id: string): string {
  return id.slice(0, SHOWN_DIGITS);
}

/** 48 bits: a host with a million points has two alike with a chance of 1 in 500. */
const SHOWN_DIGITS = 12;

/** `1,234` */
export function readableCount(count: number): string {
  return count.toLocaleString('en-US');
}

/** `1 file`, `2,000 files`, `3 directories` */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${readableCount(count)} ${count === 1 ? one : many}`;
}

/**
 * A name that came from a file, a database or a person, made harmless to a terminal: control characters, those
 * that reverse or hide text, and halves of characters are written out.
 */
export function escapeControl(text: string): string {
  return text.replace(
    // oxlint-disable-next-line no-control-regex -- they are what is looked for
    /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]|\p{Surrogate}/gu,
    (character) => {
      const code = character.codePointAt(0) ?? 0;
      if (character === '\n') return '\\n';
      if (character === '\t') return '\\t';
      return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
    },
  );
}
