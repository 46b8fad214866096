/**
 * Judges the members of an archive of unknown origin by their names, types and links, before anything is made of them.
 * What only an attack writes ends the reading (`hostile`); what is merely of no use for a site is left out and named.
 *
 *   refused: absolute names, `..`, names no file system takes, anything below a link or a file, a name twice, a hard link
 *            to what is no earlier file of the archive
 *   left out: pipes, devices · taken away: setuid and setgid of files
 *
 * Where a symbolic link leads is data: it is never followed, and nothing may lie below one.
 */
import { hash } from 'node:crypto';
import type { Problem } from '@salvor/contract';
import { SalvorError } from '../errors.ts';
import { parseSafePath } from '../lib/beneath/safe-path.ts';
import type { ArchiveLimits } from './limits.ts';
import { ArchiveFault } from './tar/archive-fault.ts';
import type { ReadMember } from './tar/read-tar.ts';
import { showName } from './tar/tar-member.ts';

/** A member that may be made: `path` is below the site's directory (a byte string), empty for the directory itself. */
export type SafeMember = Omit<ReadMember, 'name' | 'type'> & {
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'hardlink';
};

type Kind = 'directory' | 'file' | 'other';

/** Throws `ArchiveFault`. `onProblem` is told what was left out or taken away. */
export async function* guardMembers(
  members: AsyncIterable<ReadMember>,
  limits: Pick<ArchiveLimits, 'maxBytes'>,
  onProblem: (problem: Problem) => void,
): AsyncGenerator<SafeMember> {
  const seen = new Map<string, Kind>();
  let bytes = 0;
  for await (const member of members) {
    const path = safePathOf(member.name, 'a member');
    bytes += member.size;
    if (bytes > limits.maxBytes)
      throw new ArchiveFault('too-large', `more than ${limits.maxBytes} bytes come out of it`);
    const safe = judge(member, path, seen, onProblem);
    if (safe !== null) yield safe;
  }
}

function judge(
  member: ReadMember,
  path: string,
  seen: Map<string, Kind>,
  onProblem: (problem: Problem) => void,
): SafeMember | null {
  const { name: _, type, mode, ...rest } = member;
  if (path === '' && type !== 'directory') throw hostile('its own directory is no directory in it');
  remember(path, type === 'directory' ? 'directory' : type === 'file' || type === 'hardlink' ? 'file' : 'other', seen);
  switch (type) {
    case 'fifo':
    case 'character-device':
    case 'block-device':
      onProblem({
        code: 'special-file-left-out',
        message: 'it was left out: it is a pipe or a device',
        path: showName(path),
      });
      return null;
    case 'hardlink': {
      const first = safePathOf(member.linkName, 'a hard link');
      if (first === path || seen.get(keyOf(first)) !== 'file')
        throw hostile(`${showName(path)} is a hard link to what is no earlier file of it`);
      return { ...rest, type, mode, path, linkName: first };
    }
    case 'symlink':
      if (member.linkName === '' || member.linkName.includes('\0'))
        throw hostile(`${showName(path)} is a link to nowhere`);
      return { ...rest, type, mode, path };
    case 'file':
    case 'directory':
      return { ...rest, type, path, mode: plainMode(type, mode, path, onProblem) };
    default:
      return type satisfies never;
  }
}

const SETUID = 0o4000;
const SETGID = 0o2000;

/** A directory keeps setgid, by which what is made in it belongs to its group. */
function plainMode(
  type: 'file' | 'directory',
  mode: number,
  path: string,
  onProblem: (problem: Problem) => void,
): number {
  const dropped = mode & (type === 'directory' ? SETUID : SETUID | SETGID);
  if (dropped !== 0)
    onProblem({
      code: 'rights-dropped',
      message: 'its set-user-id or set-group-id bit was taken away',
      path: showName(path),
    });
  return mode & ~dropped;
}

/** Takes a path down with all directories on the way to it. */
function remember(path: string, kind: Kind, seen: Map<string, Kind>): void {
  for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1)) {
    const key = keyOf(path.slice(0, at));
    const above = seen.get(key);
    if (above === undefined) seen.set(key, 'directory');
    else if (above !== 'directory') throw hostile(`${showName(path)} lies below what is no directory in it`);
  }
  const key = keyOf(path);
  const before = seen.get(key);
  if (before === undefined) seen.set(key, kind);
  else if (before !== 'directory' || kind !== 'directory') throw hostile(`${showName(path)} is in it twice`);
}

/** Names as attackers choose them take as much memory as short ones. */
function keyOf(path: string): string {
  return path.length <= 24 ? path : hash('sha256', path, 'buffer').toString('latin1', 0, 16);
}

/** The path below the site's directory. Throws `hostile`. */
function safePathOf(name: string, what: string): string {
  const path = name
    .replace(/^(?:\.\/+)+/, '')
    .replace(/\/\.$/, '')
    .replace(/\/{2,}/g, '/');
  if (path === '.' || (path === '' && name !== '')) return '';
  try {
    parseSafePath(Buffer.from(path, 'latin1'));
  } catch (error) {
    if (!(error instanceof SalvorError) || error.code !== 'path-unsafe') throw error;
    throw new ArchiveFault(
      'hostile',
      `the name of ${what} is unsafe (${showName(name).slice(0, 200)}): ${String(error.context['why'])}`,
      { cause: error },
    );
  }
  return path;
}

function hostile(why: string): ArchiveFault {
  return new ArchiveFault('hostile', why);
}
