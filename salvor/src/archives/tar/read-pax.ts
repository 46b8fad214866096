/** The records of a PAX header: `length key=value\n`, the length counting the whole record. */
import { ArchiveFault } from './archive-fault.ts';
import { bytesToName } from './tar-member.ts';

export type PaxRecord = { readonly key: string; readonly value: string };

/** Keys and values as byte strings, in their order: a later record wins but where GNU lists pieces. Throws `damaged`. */
export function readPax(bytes: Uint8Array): PaxRecord[] {
  const records: PaxRecord[] = [];
  const text = bytesToName(bytes);
  for (let at = 0; at < text.length;) {
    const space = text.indexOf(' ', at);
    const digits = space === -1 ? '' : text.slice(at, space);
    const end = at + Number(digits);
    if (!/^[1-9]\d{0,8}$/.test(digits) || end > text.length || text[end - 1] !== '\n' || end <= space + 1) {
      throw new ArchiveFault('damaged', 'an extended header does not hold what its lengths say');
    }
    const record = text.slice(space + 1, end - 1);
    const equals = record.indexOf('=');
    if (equals <= 0) throw new ArchiveFault('damaged', 'an extended header has a record without a key');
    records.push({ key: record.slice(0, equals), value: record.slice(equals + 1) });
    at = end;
  }
  return records;
}

/** A whole number of a record. Throws `hostile` for what is none. */
export function paxCount(value: string, key: string): number {
  const number = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(number)) throw new ArchiveFault('hostile', `${key} in an extended header is no number`);
  return number;
}

/** Seconds with a fraction → nanoseconds. Throws `hostile` for what is none. */
export function paxTime(value: string): bigint {
  const match = /^(-?)(\d{1,13})(?:\.(\d*))?$/.exec(value);
  if (match === null) throw new ArchiveFault('hostile', 'mtime in an extended header is no time');
  const ns = BigInt(match[2] ?? 0) * 1_000_000_000n + BigInt((match[3] ?? '').slice(0, 9).padEnd(9, '0'));
  return match[1] === '-' ? -ns : ns;
}
