/**
 * Directory listings (tree blobs), byte for byte as restic writes them: a tree's id is the hash of this text, and
 * an unchanged directory must give the same one.
 *
 *   {"nodes":[NODE,…]}\n      nodes ascending by the raw bytes of their names
 *
 * A node's text is `head + content`: everything up to `"content":` comes from the file system, the rest from what was
 * stored. Comparing heads as text is how an unchanged file is found without parsing its parent's node.
 */
import { MAX_BLOB_BYTES } from '../limits.ts';
import { goJsonString } from './go-json.ts';
import { quoteName, unquoteName } from './go-quote.ts';
import { JsonCursor } from './json-cursor.ts';
import { countOf, isObject, listOf, parseObject, textOf, textsOf } from './json.ts';
import type { JsonObject } from './json.ts';
import { formatTime, parseTime } from './time.ts';

/** Kinds of nodes, in restic's words (docs/format.md, Trees). */
export type NodeType = 'file' | 'dir' | 'symlink' | 'dev' | 'chardev' | 'fifo' | 'socket' | 'irregular';

const NODE_TYPES: ReadonlySet<string> = new Set<NodeType>([
  'file',
  'dir',
  'symlink',
  'dev',
  'chardev',
  'fifo',
  'socket',
  'irregular',
]);

export type ExtendedAttribute = { readonly name: string; readonly value: Uint8Array };

/** What a node says beside its content. Names and targets are byte strings (one character per byte). */
export type NodeFields = {
  readonly name: string;
  readonly type: NodeType;
  /** As `stat` gives it, type bits included. */
  readonly mode: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly uid: number;
  readonly gid: number;
  readonly user: string;
  readonly group: string;
  readonly inode: bigint;
  readonly device: bigint;
  readonly size: bigint;
  readonly links: bigint;
  readonly linkTarget: string;
  readonly extendedAttributes: readonly ExtendedAttribute[];
  /** `st_rdev` of device nodes. */
  readonly specialDevice: bigint;
};

/** A node as read: times and ids exact, `mode` as `stat` would give it. */
export type TreeNode = NodeFields & {
  readonly content: readonly string[];
  readonly subtree: string | null;
  readonly error: string;
};

const S_IFMT = 0o170000;
const TYPE_BITS: Readonly<Record<NodeType, { unix: number; go: number }>> = {
  file: { unix: 0o100000, go: 0 },
  dir: { unix: 0o040000, go: 2 ** 31 },
  symlink: { unix: 0o120000, go: 2 ** 27 },
  dev: { unix: 0o060000, go: 2 ** 26 },
  chardev: { unix: 0o020000, go: 2 ** 26 + 2 ** 21 },
  fifo: { unix: 0o010000, go: 2 ** 25 },
  socket: { unix: 0o140000, go: 2 ** 24 },
  irregular: { unix: 0, go: 2 ** 19 },
};
const UNIX_TYPES = new Map<number, NodeType>(
  Object.entries(TYPE_BITS).map(([type, bits]) => [bits.unix, type as NodeType]),
);
const GO_SETUID = 2 ** 23;
const GO_SETGID = 2 ** 22;
const GO_STICKY = 2 ** 20;

/** The node type of a `stat` mode. */
export function nodeTypeOf(mode: number): NodeType {
  return UNIX_TYPES.get(mode & S_IFMT) ?? 'irregular';
}

/** Go's FileMode number of a `stat` mode; always positive, up to 2^31 and more. */
function goMode(type: NodeType, mode: number): number {
  let out = (mode & 0o777) + TYPE_BITS[type].go;
  if ((mode & 0o4000) !== 0) out += GO_SETUID;
  if ((mode & 0o2000) !== 0) out += GO_SETGID;
  if ((mode & 0o1000) !== 0) out += GO_STICKY;
  return out;
}

function unixMode(type: NodeType, go: number): number {
  const has = (bit: number): boolean => Math.floor(go / bit) % 2 === 1;
  let out = (go % 0o1000) | TYPE_BITS[type].unix;
  if (has(GO_SETUID)) out |= 0o4000;
  if (has(GO_SETGID)) out |= 0o2000;
  if (has(GO_STICKY)) out |= 0o1000;
  return out;
}

const HAS_SIZE: ReadonlySet<NodeType> = new Set(['file']);
const HAS_LINKS: ReadonlySet<NodeType> = new Set(['file', 'symlink', 'dev', 'chardev']);
const HAS_DEVICE: ReadonlySet<NodeType> = new Set(['dev', 'chardev']);

/** The node's text up to and with `"content":`. */
export function encodeNodeHead(node: NodeFields): string {
  const { type } = node;
  const mode = goMode(type, node.mode);
  const mtime = formatTime(node.mtimeNs);
  let out = `{"name":${goJsonString(quoteName(node.name))},"type":"${type}"`;
  if (mode !== 0) out += `,"mode":${mode}`;
  out += `,"mtime":"${mtime}","atime":"${mtime}","ctime":"${formatTime(node.ctimeNs)}","uid":${node.uid},"gid":${node.gid}`;
  if (node.user !== '') out += `,"user":${goJsonString(node.user)}`;
  if (node.group !== '') out += `,"group":${goJsonString(node.group)}`;
  if (node.inode !== 0n) out += `,"inode":${node.inode}`;
  if (node.device !== 0n) out += `,"device_id":${node.device}`;
  if (HAS_SIZE.has(type) && node.size !== 0n) out += `,"size":${node.size}`;
  if (HAS_LINKS.has(type) && node.links !== 0n) out += `,"links":${node.links}`;
  if (node.linkTarget !== '') out += encodeLinkTarget(node.linkTarget);
  if (node.extendedAttributes.length > 0)
    out += `,"extended_attributes":[${node.extendedAttributes.map(encodeAttribute).join(',')}]`;
  if (HAS_DEVICE.has(type) && node.specialDevice !== 0n) out += `,"device":${node.specialDevice}`;
  return `${out},"content":`;
}

function encodeLinkTarget(target: string): string {
  const bytes = Buffer.from(target, 'latin1');
  // Each byte that is not UTF-8 reads as one replacement character in Go; the raw bytes follow (restic 0.16 and later).
  const isText = Buffer.from(bytes.toString('utf8')).equals(bytes);
  if (isText) return `,"linktarget":${goJsonString(bytes.toString('utf8'))}`;
  return `,"linktarget":${goJsonString(bytes.toString('utf8')).replaceAll('\ufffd', '\\ufffd')},"linktarget_raw":"${bytes.toString('base64')}"`;
}

function encodeAttribute(attribute: ExtendedAttribute): string {
  return `{"name":${goJsonString(attribute.name)},"value":"${Buffer.from(attribute.value).toString('base64')}"}`;
}

/** What follows the head of a file: its blobs' ids. */
export function encodeContent(ids: readonly string[]): string {
  return ids.length === 0 ? '[]}' : `["${ids.join('","')}"]}`;
}

/** What follows the head of a directory. */
export function encodeSubtree(id: string): string {
  return `null,"subtree":"${id}"}`;
}

/** What follows the head of a link, device or fifo. */
export const NO_CONTENT = 'null}';

const LISTING_START = '{"nodes":[';
const LISTING_END = ']}\n';

/** The whole text of a node as it was read. */
export function encodeNode(node: TreeNode): string {
  const head = encodeNodeHead(node);
  if (node.subtree !== null) return head + encodeSubtree(node.subtree);
  return head + (node.type === 'file' ? encodeContent(node.content) : NO_CONTENT);
}

/** A whole listing of node texts in order. */
export function encodeTree(nodes: readonly string[]): string {
  return `${LISTING_START}${nodes.join(',')}${LISTING_END}`;
}

/** The same as bytes in pieces, from node texts or runs of them with commas between. */
export function* encodeListing(parts: Iterable<string | Uint8Array>): Generator<Uint8Array> {
  let before = LISTING_START;
  for (const part of parts) {
    yield Buffer.from(before);
    yield typeof part === 'string' ? Buffer.from(part) : part;
    before = ',';
  }
  yield Buffer.from(before === ',' ? LISTING_END : `${LISTING_START}${LISTING_END}`);
}

/** Ids and device numbers may pass 2^53: such numbers are turned into text, and JSON is parsed once more. */
const LARGE_MEMBERS = ['inode', 'device_id', 'device', 'size', 'links'] as const;
const LARGE_NUMBER = /("(?:inode|device_id|device|size|links)":)(\d{16,20})(?=[,}])/g;

/**
 * The nodes of a listing that comes in pieces, one after another, unknown members ignored.
 * @throws RangeError where the text is no listing, a name is a path, or nodes are out of order; maybe after some nodes.
 */
export function* decodeNodes(pieces: Iterable<Uint8Array>): Generator<TreeNode> {
  let last: string | null = null;
  for (const text of nodeTexts(pieces)) {
    const node = decodeNodeText(text.toString('utf8'));
    if (last !== null && node.name <= last) throw new RangeError('its names are not in ascending order');
    last = node.name;
    yield node;
  }
}

/** The bytes of a listing's nodes as they are written, each valid until the next. @throws RangeError as `decodeNodes`. */
export function* nodeTexts(pieces: Iterable<Uint8Array>): Generator<Buffer> {
  const cursor = new JsonCursor(pieces);
  cursor.take('{');
  if (!cursor.takes('}')) {
    do {
      const name = cursor.value().toString('latin1');
      cursor.take(':');
      // Go writes null for a listing without nodes.
      if (name !== '"nodes"') cursor.value();
      else if (!cursor.isAt('[')) requireNull(cursor.value());
      else yield* cursor.items();
    } while (cursor.takes(','));
    cursor.take('}');
  }
  if (!cursor.isAtEnd) throw new RangeError('it goes on behind its end');
}

function requireNull(value: Buffer): void {
  if (value.toString('latin1') !== 'null') throw new RangeError('"nodes" is not a list');
}

/** One node from its text. @throws RangeError where it is none. */
export function decodeNodeText(text: string): TreeNode {
  const object = parseObject(text);
  const isExact = LARGE_MEMBERS.every((name) => !(Number(object[name] ?? 0) > Number.MAX_SAFE_INTEGER));
  return decodeNode(isExact ? object : parseObject(text.replace(LARGE_NUMBER, '$1"$2"')));
}

/** All nodes of a listing that is at hand. @throws RangeError as `decodeNodes`. */
export function decodeTree(bytes: Uint8Array): TreeNode[] {
  if (bytes.length > MAX_BLOB_BYTES) throw new RangeError('it is too large');
  return [...decodeNodes([bytes])];
}

function decodeNode(object: JsonObject): TreeNode {
  const name = unquoteName(textOf(object, 'name'));
  if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0'))
    throw new RangeError('a name in it is a path');
  const type = textOf(object, 'type');
  if (!isNodeType(type)) throw new RangeError(`the type of a node is ${type.slice(0, 40)}`);
  const content = textsOf(object, 'content');
  const subtree = textOf(object, 'subtree', '');
  if (type === 'dir' && subtree === '') throw new RangeError('a directory in it has no listing');
  return {
    name,
    type,
    mode: unixMode(type, countOf(object, 'mode', 0)),
    mtimeNs: parseTime(textOf(object, 'mtime', '1970-01-01T00:00:00Z')),
    ctimeNs: parseTime(textOf(object, 'ctime', '1970-01-01T00:00:00Z')),
    uid: countOf(object, 'uid', 0),
    gid: countOf(object, 'gid', 0),
    user: textOf(object, 'user', ''),
    group: textOf(object, 'group', ''),
    inode: largeOf(object, 'inode'),
    device: largeOf(object, 'device_id'),
    size: largeOf(object, 'size'),
    links: largeOf(object, 'links'),
    linkTarget: linkTargetOf(object),
    extendedAttributes: listOf(object, 'extended_attributes').map(decodeAttribute),
    specialDevice: largeOf(object, 'device'),
    content,
    subtree: subtree === '' ? null : subtree,
    error: textOf(object, 'error', ''),
  };
}

function isNodeType(text: string): text is NodeType {
  return NODE_TYPES.has(text);
}

function largeOf(object: JsonObject, name: string): bigint {
  const value = object[name] ?? 0;
  if (typeof value === 'string' && /^\d{1,20}$/.test(value)) return BigInt(value);
  return BigInt(countOf(object, name, 0));
}

function linkTargetOf(object: JsonObject): string {
  const raw = textOf(object, 'linktarget_raw', '');
  if (raw !== '') return Buffer.from(raw, 'base64').toString('latin1');
  return Buffer.from(textOf(object, 'linktarget', '')).toString('latin1');
}

function decodeAttribute(value: unknown): ExtendedAttribute {
  if (!isObject(value)) throw new RangeError('an extended attribute is not an object');
  return { name: textOf(value, 'name'), value: Buffer.from(textOf(value, 'value', ''), 'base64') };
}
