import { SalvorError } from '../../errors.ts';
import type { Brand } from '../brand.ts';

/**
 * A relative path that names something below where it is used, whatever it is: no `..`, no empty part, not absolute.
 * Text, or bytes where a name is not UTF-8. That no link in it leads out is for the one to see to who opens it.
 */
export type SafePath = Brand<string | Buffer, 'SafePath'>;

/** Of Linux: the longest name and the longest path that a call takes. */
const MAX_NAME_BYTES = 255;
const MAX_PATH_BYTES = 4095;

/** Throws `path-unsafe`. */
export function parseSafePath(path: string | Buffer): SafePath {
  const why = findFault(path);
  if (why !== null) throw new SalvorError('path-unsafe', { path: shown(path), why });
  return path as SafePath;
}

/** The path of something in a directory. `name` is one part. Throws `path-unsafe`. */
export function joinSafePath(directory: SafePath, name: string | Buffer): SafePath {
  const bytes = Buffer.concat([Buffer.from(directory), SLASH, Buffer.from(name)]);
  if (Buffer.from(name).includes(SLASH))
    throw new SalvorError('path-unsafe', { path: shown(bytes), why: 'a name holds a slash' });
  return parseSafePath(typeof directory === 'string' && typeof name === 'string' ? `${directory}/${name}` : bytes);
}

/** For people: what is not UTF-8 shows with replacement characters. */
export function showSafePath(path: SafePath): string {
  return shown(path);
}

/** The directory that holds it, null for the one that the path starts from; and its name there. */
export function splitSafePath(path: SafePath): { readonly directory: SafePath | null; readonly name: SafePath } {
  const at = path.lastIndexOf('/');
  if (at === -1) return { directory: null, name: path };
  const slice = (from: number, to?: number): SafePath =>
    (typeof path === 'string' ? path.slice(from, to) : path.subarray(from, to)) as SafePath;
  return { directory: slice(0, at), name: slice(at + 1) };
}

const SLASH = Buffer.from('/');

function shown(path: string | Buffer): string {
  return typeof path === 'string' ? path : path.toString('utf8');
}

function findFault(path: string | Buffer): string | null {
  // One character per byte, so that bytes and text are looked at alike.
  const text = Buffer.from(path).toString('latin1');
  if (typeof path === 'string' && !path.isWellFormed()) return 'it is not Unicode';
  if (text === '') return 'it is empty';
  if (text.length > MAX_PATH_BYTES) return `it is longer than ${MAX_PATH_BYTES} bytes`;
  if (text.includes('\0')) return 'it holds a zero byte';
  if (text.startsWith('/')) return 'it is absolute';
  for (const name of text.split('/')) {
    if (name === '') return 'one of its parts is empty';
    if (name === '.' || name === '..') return `it holds ${name}`;
    if (name.length > MAX_NAME_BYTES) return `one of its parts is longer than ${MAX_NAME_BYTES} bytes`;
  }
  return null;
}
