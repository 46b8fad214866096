import { SalvorError } from '../errors.ts';
import { WRITTEN_SUFFIXES, type WrittenCompression } from './compress/compression.ts';

/** What Aegir's name of an archive says: `<uri>-YYYYMMDD.HHMMSS.tar.gz`, `_1`, `_2`, … before the suffix. */
export type NamedArchive = { readonly uri: string; readonly time: Date; readonly number: number };

/** Names that are tried for archives of one second. */
const MAX_NUMBER = 999;

/** The names that an archive may take, in the order in which they are tried. `zone` is the one whose clock is written. */
export function* archiveNames(
  uri: string,
  time: Date,
  compression: WrittenCompression,
  zone = 'UTC',
): Generator<string> {
  // A name of a site is one part of a path, and shows in listings as it is.
  if (!/^[^/\0\s-][^/\0\s]*$/.test(uri)) throw new SalvorError('archive-name-refused', { uri });
  const clock = Temporal.Instant.fromEpochMilliseconds(time.getTime()).toZonedDateTimeISO(zone);
  const two = (number: number): string => String(number).padStart(2, '0');
  const day = `${String(clock.year).padStart(4, '0')}${two(clock.month)}${two(clock.day)}`;
  const base = `${uri}-${day}.${two(clock.hour)}${two(clock.minute)}${two(clock.second)}`;
  const suffix = WRITTEN_SUFFIXES[compression];
  yield base + suffix;
  for (let number = 1; number <= MAX_NUMBER; number++) yield `${base}_${number}${suffix}`;
}

const NAME = /^(.+)-(\d{4})(\d\d)(\d\d)\.(\d\d)(\d\d)(\d\d)(?:_(\d{1,9}))?(?:\.tar(?:\.[a-z0-9]+)?|\.t[a-z0-9]+)?$/;

/** Null for a name that Aegir does not give. Of a time that is there twice in the zone the earlier is taken. */
export function parseArchiveName(name: string, zone = 'UTC'): NamedArchive | null {
  const match = NAME.exec(name);
  if (match === null) return null;
  const [year, month, day, hour, minute, second] = match.slice(2, 8).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  try {
    const clock = { timeZone: zone, year, month, day, hour, minute, second };
    const zoned = Temporal.ZonedDateTime.from(clock, { overflow: 'reject' });
    return { uri: match[1] ?? '', time: new Date(zoned.epochMilliseconds), number: Number(match[8] ?? 0) };
  } catch {
    return null;
  }
}
