/** One header block as numbers and byte strings: old, ustar and GNU's. Knows nothing of what the next block means. */
import { ArchiveFault } from './archive-fault.ts';
import { BLOCK_BYTES, bytesToName } from './tar-member.ts';

export type HeaderBlock = {
  readonly name: string;
  readonly flag: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly user: string;
  readonly group: string;
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly linkName: string;
  /** The block itself, for what GNU keeps behind the common fields. */
  readonly bytes: Uint8Array;
};

/** Null for an empty block. Throws `damaged` where the block is no header. */
export function decodeHeader(bytes: Uint8Array, offset: number): HeaderBlock | null {
  if (bytes.every((byte) => byte === 0)) return null;
  if (!hasRightSum(bytes)) throw new ArchiveFault('damaged', `there is no header at byte ${offset}`);
  const magic = text(bytes, 257, 6);
  const isUstar = magic === 'ustar';
  const prefix = isUstar ? text(bytes, 345, 155) : '';
  const name = text(bytes, 0, 100);
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    flag: String.fromCharCode(bytes[156] ?? 0),
    mode: count(bytes, 100, 8, 'mode', offset) & 0o7777,
    uid: count(bytes, 108, 8, 'owner', offset),
    gid: count(bytes, 116, 8, 'group', offset),
    size: count(bytes, 124, 12, 'size', offset),
    mtimeNs: readNumber(bytes, 136, 12, 'time', offset) * 1_000_000_000n,
    linkName: text(bytes, 157, 100),
    user: isUstar || magic === 'ustar ' ? text(bytes, 265, 32) : '',
    group: isUstar || magic === 'ustar ' ? text(bytes, 297, 32) : '',
    bytes,
  };
}

/** A field's bytes up to the first zero. */
function text(bytes: Uint8Array, at: number, width: number): string {
  const field = bytes.subarray(at, at + width);
  const end = field.indexOf(0);
  return bytesToName(end === -1 ? field : field.subarray(0, end));
}

function count(bytes: Uint8Array, at: number, width: number, what: string, offset: number): number {
  const value = readNumber(bytes, at, width, what, offset);
  if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER))
    throw new ArchiveFault('hostile', `the ${what} in the header at byte ${offset} is no number of a file`);
  return Number(value);
}

/** Octal digits between spaces and zeros, or GNU's: a set first bit, then two's complement. */
export function readNumber(bytes: Uint8Array, at: number, width: number, what: string, offset: number): bigint {
  const first = bytes[at] ?? 0;
  if ((first & 0x80) !== 0) {
    let value = BigInt(first & 0x7f);
    for (let i = 1; i < width; i++) value = (value << 8n) | BigInt(bytes[at + i] ?? 0);
    return (first & 0x40) === 0 ? value : value - (1n << BigInt(8 * width - 1));
  }
  const digits = bytesToName(bytes.subarray(at, at + width))
    .replace(/\0[^]*$/, '')
    .trim();
  if (!/^[0-7]*$/.test(digits))
    throw new ArchiveFault('damaged', `the ${what} in the header at byte ${offset} is no number`);
  return digits === '' ? 0n : BigInt(`0o${digits}`);
}

/** Some old programs added up signed bytes. */
function hasRightSum(bytes: Uint8Array): boolean {
  const said = /^[ \0]*([0-7]+)[ \0]*$/.exec(bytesToName(bytes.subarray(148, 156)))?.[1];
  if (said === undefined) return false;
  let sum = 0;
  let signed = 0;
  for (let i = 0; i < BLOCK_BYTES; i++) {
    const byte = i >= 148 && i < 156 ? 0x20 : (bytes[i] ?? 0);
    sum += byte;
    signed += byte > 127 ? byte - 256 : byte;
  }
  const expected = Number.parseInt(said, 8);
  return sum === expected || signed === expected;
}
