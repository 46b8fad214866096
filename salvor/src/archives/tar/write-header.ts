/**
 * A member's header blocks as GNU tar, bsdtar and every other reader of POSIX archives take them: one ustar block, and
 * before it a PAX header with what that block has no room for. Knows nothing of content.
 *
 * Names that are not UTF-8 may not stand in a PAX header: where they are too long for the block they go in GNU's own
 * long-name members, which are bytes.
 */
import { BLOCK_BYTES, type TarMember, TYPE_FLAGS, isAscii, paddingOf } from './tar-member.ts';

/** What fits in the fields of a ustar block. */
const MAX_OCTAL_7 = 0o7777777;
const MAX_OCTAL_11 = 0o77777777777;
const NAME_BYTES = 100;
const PREFIX_BYTES = 155;
const OWNER_BYTES = 31;
const NS_PER_S = 1_000_000_000n;

/** All blocks of a member that stand before its content. Directories' names get the slash that ends them. */
export function encodeHeader(member: TarMember): Buffer {
  const name = member.type === 'directory' && !member.name.endsWith('/') ? `${member.name}/` : member.name;
  const long: Buffer[] = [];
  const records: Buffer[] = [];
  const place = placeName(name);
  if (place === null) addName('path', 'L', name, records, long);
  if (member.linkName.length > NAME_BYTES) addName('linkpath', 'K', member.linkName, records, long);
  addNumbers(member, records);
  addOwners(member, records);
  for (const { name: key, value } of member.xattrs) {
    // An equals sign would end the key too early.
    records.push(paxRecord(`SCHILY.xattr.${key.replaceAll('%', '%25').replaceAll('=', '%3D')}`, Buffer.from(value)));
  }
  const block = ustarBlock(member, place ?? { prefix: '', name: name.slice(0, NAME_BYTES) }, TYPE_FLAGS[member.type]);
  if (records.length === 0 && long.length === 0) return block;
  return Buffer.concat([...long, ...paxBlocks(name, records), block]);
}

/** The two empty blocks that end an archive, up to a whole record as tar writes it. */
export function encodeEnd(bytesBefore: number): Buffer {
  const record = 20 * BLOCK_BYTES;
  const end = bytesBefore + 2 * BLOCK_BYTES;
  return Buffer.alloc(2 * BLOCK_BYTES + ((record - (end % record)) % record));
}

function addNumbers({ size, uid, gid, mtimeNs }: TarMember, records: Buffer[]): void {
  if (size > MAX_OCTAL_11) records.push(paxRecord('size', String(size)));
  if (uid > MAX_OCTAL_7) records.push(paxRecord('uid', String(uid)));
  if (gid > MAX_OCTAL_7) records.push(paxRecord('gid', String(gid)));
  const isWhole = mtimeNs >= 0n && mtimeNs % NS_PER_S === 0n && mtimeNs / NS_PER_S <= BigInt(MAX_OCTAL_11);
  if (!isWhole) records.push(paxRecord('mtime', formatSeconds(mtimeNs)));
}

function addOwners({ user, group }: TarMember, records: Buffer[]): void {
  for (const [key, owner] of [
    ['uname', user],
    ['gname', group],
  ] as const) {
    if (owner.length > OWNER_BYTES || !isAscii(owner)) records.push(paxRecord(key, Buffer.from(owner, 'latin1')));
  }
}

function addName(key: string, flag: 'K' | 'L', name: string, records: Buffer[], long: Buffer[]): void {
  const bytes = Buffer.from(name, 'latin1');
  if (isAscii(name) || Buffer.from(bytes.toString('utf8')).equals(bytes)) records.push(paxRecord(key, bytes));
  else long.push(...gnuLongName(flag, bytes));
}

/** `length key=value\n`, the length counting itself. */
export function paxRecord(key: string, value: string | Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value as string), Buffer.from('\n')]);
  let digits = 1;
  while (String(body.length + digits).length > digits) digits += 1;
  return Buffer.concat([Buffer.from(String(body.length + digits)), body]);
}

/** Seconds since 1970 with as many digits as there are. */
function formatSeconds(ns: bigint): string {
  const size = ns < 0n ? -ns : ns;
  const rest = (size % NS_PER_S).toString().padStart(9, '0').replace(/0+$/, '');
  return `${ns < 0n ? '-' : ''}${size / NS_PER_S}${rest === '' ? '' : `.${rest}`}`;
}

function paxBlocks(name: string, records: readonly Buffer[]): Buffer[] {
  if (records.length === 0) return [];
  const body = Buffer.concat(records);
  // Readers that know no PAX headers unpack them as files of this name.
  const base = name.replace(/\/$/, '').split('/').at(-1) ?? '';
  const header = extraBlock(`./PaxHeaders/${isAscii(base) ? base : ''}`.slice(0, NAME_BYTES), 'x', body.length);
  return [header, body, Buffer.alloc(paddingOf(body.length))];
}

function gnuLongName(flag: 'K' | 'L', name: Buffer): Buffer[] {
  const size = name.length + 1;
  return [extraBlock('././@LongLink', flag, size), name, Buffer.alloc(1 + paddingOf(size))];
}

function extraBlock(name: string, flag: string, size: number): Buffer {
  const extra = { mode: 0o644, uid: 0, gid: 0, user: '', group: '', size, mtimeNs: 0n, linkName: '' };
  return ustarBlock(extra, { prefix: '', name }, flag);
}

type Place = { readonly prefix: string; readonly name: string };

/** Where a name stands in the block; null where it does not fit. */
function placeName(name: string): Place | null {
  if (name.length <= NAME_BYTES) return { prefix: '', name };
  // The slash between both parts is not written; a directory's own slash at the end is.
  const at = name.lastIndexOf('/', Math.min(PREFIX_BYTES, name.length - 2));
  if (at <= 0 || name.length - at - 1 > NAME_BYTES) return null;
  return { prefix: name.slice(0, at), name: name.slice(at + 1) };
}

type BlockFields = Pick<TarMember, 'mode' | 'uid' | 'gid' | 'user' | 'group' | 'size' | 'mtimeNs' | 'linkName'>;

function ustarBlock(fields: BlockFields, place: Place, flag: string): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES);
  block.write(place.name, 0, NAME_BYTES, 'latin1');
  writeNumber(block, 100, 8, fields.mode & 0o7777);
  writeNumber(block, 108, 8, fields.uid);
  writeNumber(block, 116, 8, fields.gid);
  writeNumber(block, 124, 12, fields.size);
  const seconds = fields.mtimeNs / NS_PER_S - (fields.mtimeNs % NS_PER_S < 0n ? 1n : 0n);
  writeNumber(block, 136, 12, seconds < 0n ? 0 : Number(seconds));
  block.write(flag, 156, 1, 'latin1');
  block.write(fields.linkName.slice(0, NAME_BYTES), 157, NAME_BYTES, 'latin1');
  block.write('ustar\u000000', 257, 8, 'latin1');
  if (isAscii(fields.user)) block.write(fields.user.slice(0, OWNER_BYTES), 265, OWNER_BYTES, 'latin1');
  if (isAscii(fields.group)) block.write(fields.group.slice(0, OWNER_BYTES), 297, OWNER_BYTES, 'latin1');
  block.write(place.prefix, 345, PREFIX_BYTES, 'latin1');
  block.write('        ', 148, 8, 'latin1');
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 8, 'latin1');
  return block;
}

/** Octal digits with a zero byte behind; what has no room is written as GNU tar does: a set first bit, then the bytes. */
function writeNumber(block: Buffer, at: number, width: number, value: number): void {
  const digits = value.toString(8);
  if (digits.length < width) {
    block.write(`${digits.padStart(width - 1, '0')}\0`, at, width, 'latin1');
    return;
  }
  block[at] = 0x80;
  block.writeBigUInt64BE(BigInt(value), at + width - 8);
  if (width === 8) block[at] = 0x80;
}
