/**
 * Unpacks an archive into a directory of ours, led nowhere by what is in it: everything is made new, between open
 * directories. Modes and times are set as the archive has them; whose things are is for the caller to say. Whatever
 * fails, all that was made is removed again. It is on the disk when the caller has synced the file system.
 */
import { closeSync, ftruncateSync, linkSync, writeSync } from 'node:fs';
import { type Held, hold, setAttribute, setMode, setOwner, setTimes } from '../lib/beneath/held.ts';
import { openRoot, type OpenDirectory } from '../lib/beneath/open-directory.ts';
import { removeTree } from '../lib/beneath/remove-tree.ts';
import { parseSafePath } from '../lib/beneath/safe-path.ts';
import { createFileAt, makeDirectoryAt, makeLinkAt, openSpot, pathOfSpot, spotBeneath } from '../lib/beneath/spot.ts';
import type { SafeMember } from './guard-members.ts';
import type { ArchiveEntry } from './open-archive.ts';
import { isHole } from './tar/read-tar.ts';

export type UnpackOptions = {
  /** The directory that is made; its parent is trusted, and nothing may be there. */
  readonly directory: string;
  /** The directory above, from which no link is followed. */
  readonly root: string;
  /** Whose a member becomes. */
  readonly ownerOf: (member: SafeMember) => { readonly uid: number; readonly gid: number };
  /** Takes a dump, which is read before the next member. */
  readonly onDump: (database: string | null, content: AsyncIterable<Uint8Array>) => Promise<void>;
};

/** Throws what the entries throw, and the system's errors. */
export async function unpackArchive(entries: AsyncIterable<ArchiveEntry>, options: UnpackOptions): Promise<void> {
  using top = openSpot(options.root, options.directory);
  makeDirectoryAt(top, 0o700);
  try {
    using directory = openRoot(options.directory);
    const directories = new Map<string, SafeMember>();
    for await (const entry of entries) {
      if (entry.kind === 'dump') await options.onDump(entry.database, entry.content);
      else if (entry.kind === 'member') {
        const { member } = entry;
        const outermost = directories.size === 0 ? [''] : [];
        for (const path of [...outermost, ...makeAbove(directory, member.path)])
          directories.set(path, untold(path, member));
        if (member.type === 'directory') directories.set(member.path, { ...member, content: NOTHING });
        await make(directory, member, options);
      }
    }
    // What is made in a directory changes its time: deepest first, when all is there.
    for (const member of [...directories.values()].toReversed()) settle(directory, member, options);
  } catch (error) {
    await removeTree(top);
    throw error;
  }
}

/** A directory that the archive does not name, or not yet: whose its first member is, and for everyone to pass, as tar makes it. */
function untold(path: string, first: SafeMember): SafeMember {
  return { ...first, path, type: 'directory', mode: 0o755, xattrs: [], content: NOTHING };
}

const NOTHING: AsyncIterable<Uint8Array> = (async function* (): AsyncGenerator<Uint8Array> {})();

async function make(root: OpenDirectory, member: SafeMember, options: UnpackOptions): Promise<void> {
  if (member.path === '') return;
  using spot = spotBeneath(root, parseSafePath(Buffer.from(member.path, 'latin1')));
  switch (member.type) {
    case 'directory':
      makeIfMissing(() => makeDirectoryAt(spot, 0o700));
      return;
    case 'symlink':
      makeLinkAt(spot, Buffer.from(member.linkName, 'latin1'));
      break;
    case 'hardlink': {
      using first = spotBeneath(root, parseSafePath(Buffer.from(member.linkName, 'latin1')));
      linkSync(pathOfSpot(first), pathOfSpot(spot));
      return;
    }
    case 'file':
      await writeFile(createFileAt(spot, 0o600), member);
      break;
    default:
      member.type satisfies never;
  }
  settle(root, member, options);
}

async function writeFile(fd: number, member: SafeMember): Promise<void> {
  try {
    let at = 0;
    for await (const bytes of member.content) {
      // What is a hole there stays one here.
      for (let from = isHole(bytes) ? bytes.length : 0; from < bytes.length;)
        from += writeSync(fd, bytes, from, bytes.length - from, at + from);
      at += bytes.length;
    }
    ftruncateSync(fd, at);
  } finally {
    closeSync(fd);
  }
}

function settle(root: OpenDirectory, member: SafeMember, { ownerOf, directory, root: above }: UnpackOptions): void {
  using spot =
    member.path === ''
      ? openSpot(above, directory)
      : spotBeneath(root, parseSafePath(Buffer.from(member.path, 'latin1')));
  using held = hold(spot, null);
  if (held === null) return;
  setOwner(held, ownerOf(member));
  setMode(held, member.mode);
  for (const { name, value } of member.xattrs) setIfPlain(held, name, value);
  setTimes(held, { accessNs: member.mtimeNs, modifiedNs: member.mtimeNs });
}

/** What would give rights, or the file system does not have, stays out. */
function setIfPlain(held: Held, name: string, value: Uint8Array): void {
  try {
    setAttribute(held, name, value);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : null;
    if (code !== 'attribute-refused' && code !== 'EOPNOTSUPP' && code !== 'ENOTSUP' && code !== 'EINVAL') throw error;
  }
}

/** Archives need not name the directories that their files lie in. Gives those that it made. */
function makeAbove(root: OpenDirectory, path: string): readonly string[] {
  const made: string[] = [];
  for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1)) {
    const above = path.slice(0, at);
    using spot = spotBeneath(root, parseSafePath(Buffer.from(above, 'latin1')));
    if (makeIfMissing(() => makeDirectoryAt(spot, 0o700))) made.push(above);
  }
  return made;
}

/** Whether it was missing. */
function makeIfMissing(makeDirectory: () => void): boolean {
  try {
    makeDirectory();
    return true;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    return false;
  }
}
