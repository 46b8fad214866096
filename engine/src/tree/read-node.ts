/** What a node says of a path, from the file system. */
import { readlinkSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { systemCode } from '../errors.ts';
import { nodeTypeOf } from '../format/tree-node.ts';
import type { ExtendedAttribute, NodeFields } from '../format/tree-node.ts';
import { getXattr, listXattrs } from '../libc.ts';
import { groupName, userName } from './user-names.ts';

const NONE: readonly ExtendedAttribute[] = [];

/**
 * The node of something whose `lstat` or `fstat` is `stats`. Link targets and extended attributes are read where
 * `reach` says: a path that no link leads away from, or the descriptor of an open file. `device` is what it says of its
 * device.
 */
export function readNode(
  name: string,
  reach: string | Buffer | number,
  stats: BigIntStats,
  device: bigint = stats.dev,
): NodeFields {
  const mode = Number(stats.mode);
  const type = nodeTypeOf(mode);
  const uid = Number(stats.uid);
  const gid = Number(stats.gid);
  return {
    name,
    type,
    mode,
    mtimeNs: stats.mtimeNs,
    ctimeNs: stats.ctimeNs,
    uid,
    gid,
    user: userName(uid),
    group: groupName(gid),
    inode: stats.ino,
    device,
    size: stats.size,
    links: stats.nlink,
    linkTarget: type === 'symlink' && typeof reach !== 'number' ? readlinkSync(reach, 'latin1') : '',
    extendedAttributes: readAttributes(reach),
    specialDevice: stats.rdev,
  };
}

function readAttributes(reach: string | Buffer | number): readonly ExtendedAttribute[] {
  const names = listXattrs(reach);
  return names.length === 0 ? NONE : names.flatMap((name) => readAttribute(reach, name));
}

function readAttribute(reach: string | Buffer | number, name: string): readonly ExtendedAttribute[] {
  try {
    return [{ name, value: getXattr(reach, name) }];
  } catch (error) {
    // Removed between listing and looking.
    if (systemCode(error) === 'ENODATA') return NONE;
    throw error;
  }
}
