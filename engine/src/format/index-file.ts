/** Index files: which blob lies where in which pack. JSON in the envelope of `unpacked.ts`. */
import { isId } from '../ids.ts';
import { countOf, isObject, listOf, parseObject, textOf } from './json.ts';
import type { PackEntry } from './pack-header.ts';

export type PackListing = { readonly id: string; readonly blobs: readonly PackEntry[] };

export function encodeIndex(packs: readonly PackListing[]): string {
  return `{"packs":[${packs.map(encodePack).join(',')}]}\n`;
}

function encodePack(pack: PackListing): string {
  return `{"id":"${pack.id}","blobs":[${pack.blobs.map(encodeBlob).join(',')}]}`;
}

function encodeBlob(blob: PackEntry): string {
  const plain = blob.plainBytes === null ? '' : `,"uncompressed_length":${blob.plainBytes}`;
  return `{"id":"${blob.id}","type":"${blob.type}","offset":${blob.offset},"length":${blob.length}${plain}}`;
}

/** @throws RangeError where the text is no index. Unknown members, `supersedes` among them, are ignored. */
export function decodeIndex(json: string): PackListing[] {
  return listOf(parseObject(json), 'packs').map((pack) => {
    if (!isObject(pack)) throw new RangeError('a pack in it is not an object');
    return { id: idOf(textOf(pack, 'id')), blobs: listOf(pack, 'blobs').map(decodeBlob) };
  });
}

function decodeBlob(value: unknown): PackEntry {
  if (!isObject(value)) throw new RangeError('a blob in it is not an object');
  const type = textOf(value, 'type');
  if (type !== 'data' && type !== 'tree') throw new RangeError(`a blob in it has the type ${type.slice(0, 40)}`);
  const plain = u32Of(value, 'uncompressed_length', 0);
  return {
    type,
    id: idOf(textOf(value, 'id')),
    offset: u32Of(value, 'offset'),
    length: u32Of(value, 'length'),
    plainBytes: plain === 0 ? null : plain,
  };
}

function u32Of(value: Parameters<typeof countOf>[0], name: string, fallback?: number): number {
  const count = countOf(value, name, fallback);
  if (count > 0xffff_ffff) throw new RangeError(`"${name}" is too large`);
  return count;
}

function idOf(text: string): string {
  if (!isId(text)) throw new RangeError('an id in it is not 64 hex digits');
  return text;
}
