/** Heads of nodes that no walk comes by: of directories that exist in the snapshot only, and of streams. */
import { lstatSync } from 'node:fs';
import { encodeNodeHead } from '../format/tree-node.ts';
import { byteString, systemPath } from './byte-path.ts';
import { readNode } from './read-node.ts';
import type { DirectoryEntry, StreamEntry } from './source.ts';
import { groupName, userName } from './user-names.ts';

const FILE_MODE = 0o100644;
const DIRECTORY_MODE = 0o040755;

/** `size` in bytes, of streams; `nowNs` for what says no time of its own. */
export function madeUpHead(entry: DirectoryEntry | StreamEntry, size: number, nowNs: bigint): string {
  const isFile = entry.kind === 'stream';
  const mode = isFile ? FILE_MODE : DIRECTORY_MODE;
  const { uid = 0, gid = 0, mtimeNs = nowNs } = entry;
  return encodeNodeHead({
    name: byteString(entry.name),
    type: isFile ? 'file' : 'dir',
    mode: (mode & 0o170000) | (entry.mode ?? mode & 0o7777),
    mtimeNs,
    ctimeNs: mtimeNs,
    uid,
    gid,
    user: userName(uid),
    group: groupName(gid),
    inode: 0n,
    device: 0n,
    size: BigInt(size),
    links: isFile ? 1n : 0n,
    linkTarget: '',
    extendedAttributes: [],
    specialDevice: 0n,
  });
}

/** With the metadata of a real path. */
export function realHead(name: string, path: string): string {
  const reach = systemPath(byteString(path));
  return encodeNodeHead(readNode(byteString(name), reach, lstatSync(reach, { bigint: true })));
}
