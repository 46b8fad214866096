/** The names of a repository's files below its root, the same in every storage: restic's. */
import { isId } from '../ids.ts';
import { LISTED_KINDS } from './storage.ts';
import type { FileHandle, FileKind } from './storage.ts';

/** `config`, `keys/ID`, `data/<first two digits>/ID`. @throws RangeError for a name that is no id. */
export function pathOf(file: FileHandle): string {
  if (file.kind === 'config') return 'config';
  if (!isId(file.id)) throw new RangeError(`not the name of a file: ${JSON.stringify(file.id.slice(0, 80))}`);
  return file.kind === 'data' ? `data/${file.id.slice(0, 2)}/${file.id}` : `${file.kind}/${file.id}`;
}

/** Directories of `data/`. */
export const DATA_DIRECTORIES: readonly string[] = Array.from({ length: 256 }, (_, n) =>
  n.toString(16).padStart(2, '0'),
);

/** All directories of a repository, those above first. */
export const DIRECTORIES: readonly string[] = [...LISTED_KINDS, ...DATA_DIRECTORIES.map((name) => `data/${name}`)];

/** Directories in which files of a kind lie. */
export function directoriesOf(kind: FileKind): readonly string[] {
  if (kind === 'config') return [];
  return kind === 'data' ? DATA_DIRECTORIES.map((name) => `data/${name}`) : [kind];
}

/** For messages. */
export function nameOf(file: FileHandle): string {
  return file.kind === 'config' ? 'config' : `${file.kind}/${file.id.slice(0, 80)}`;
}
