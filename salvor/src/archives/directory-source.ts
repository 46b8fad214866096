import { readSync } from 'node:fs';
import { readAttributesAt } from '../lib/beneath/read-attributes.ts';
import { openFileAt } from '../lib/beneath/read-file.ts';
import { readLinkAt } from '../lib/beneath/spot.ts';
import { type TreeEntry, walkTree } from '../lib/beneath/walk-tree.ts';
import type { SourceEntry } from './archive-source.ts';
import { bytesToName } from './tar/tar-member.ts';

export type OwnerNames = { user(id: number): string | null; group(id: number): string | null };

/**
 * The entries of a directory of this machine as they are while they are read; no link is followed. A file is open for
 * as long as it is read, and what is opened is what was looked at.
 */
export async function* entriesOfDirectory(path: string, names: OwnerNames): AsyncGenerator<SourceEntry> {
  // Byte paths of the directories on the way to the entry: the walk's own paths are for people.
  const above: string[] = [];
  const piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
  for await (const entry of walkTree(path)) {
    const depth = entry.path === '' ? 0 : entry.path.split('/').length;
    const name = bytesToName(Buffer.from(entry.spot.name));
    const at = depth === 0 ? '' : depth === 1 ? name : `${above[depth - 1] ?? ''}/${name}`;
    above[depth] = at;
    const read = toEntry(entry, at, names, piece);
    if (read !== null) yield read;
  }
}

/** Null for what is gone. */
function toEntry({ stat, spot }: TreeEntry, path: string, names: OwnerNames, piece: Uint8Array): SourceEntry | null {
  const type = stat.isFile() ? 'file' : stat.isDirectory() ? 'directory' : stat.isSymbolicLink() ? 'symlink' : 'other';
  try {
    return {
      path,
      type,
      mode: Number(stat.mode) & 0o7777,
      uid: Number(stat.uid),
      gid: Number(stat.gid),
      user: names.user(Number(stat.uid)) ?? '',
      group: names.group(Number(stat.gid)) ?? '',
      size: type === 'file' ? Number(stat.size) : 0,
      mtimeNs: stat.mtimeNs,
      linkTarget: type === 'symlink' ? bytesToName(readLinkAt(spot)) : '',
      xattrs: type === 'other' ? [] : readAttributesAt(spot),
      identity: type === 'file' && stat.nlink > 1n ? `${stat.dev}:${stat.ino}` : null,
      sha256: null,
      open: () => readSpot(spot, piece),
    };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

/** Every file is read into this: a piece is good until the next one is asked for. */
const PIECE_BYTES = 1024 * 1024;

async function* readSpot(spot: TreeEntry['spot'], piece: Uint8Array): AsyncGenerator<Uint8Array> {
  using file = openFileAt(spot);
  if (file === null) return;
  for (;;) {
    const count = readSync(file.fd, piece, 0, piece.length, null);
    if (count === 0) return;
    yield piece.subarray(0, count);
  }
}
