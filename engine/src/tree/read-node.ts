/** What a node says of a path, from the file system. */
import { readlinkSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { nodeTypeOf } from '../format/tree-node.ts';
import type { ExtendedAttribute, NodeFields } from '../format/tree-node.ts';
import { getXattr, listXattrs } from '../libc.ts';
import { systemPath } from './byte-path.ts';
import { groupName, userName } from './user-names.ts';

const NONE: readonly ExtendedAttribute[] = [];

/** The node of `path` whose `lstat` (or `fstat`) is `stats`. Link targets and extended attributes are read. */
export function readNode(name: string, path: string, stats: BigIntStats): NodeFields {
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
    device: stats.dev,
    size: stats.size,
    links: stats.nlink,
    linkTarget: type === 'symlink' ? readlinkSync(systemPath(path), 'latin1') : '',
    extendedAttributes: readAttributes(path),
    specialDevice: stats.rdev,
  };
}

function readAttributes(path: string): readonly ExtendedAttribute[] {
  const where = systemPath(path);
  const names = listXattrs(where);
  return names.length === 0 ? NONE : names.map((name) => ({ name, value: getXattr(where, name) }));
}
