/** Stored files of a repository in a directory, changed behind its back. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export function pathOf(directory: string, kind: string, id: string): string {
  return join(directory, kind, ...(kind === 'data' ? [id.slice(0, 2)] : []), id);
}

export function change(directory: string, kind: string, id: string, how: (bytes: Buffer) => Buffer): void {
  const path = pathOf(directory, kind, id);
  const bytes = how(readFileSync(path));
  // It can't be written, by anybody.
  rmSync(path);
  writeFileSync(path, bytes);
}

/** Changes one bit; places below 0 count from the end. */
export function flipAt(at: number): (bytes: Buffer) => Buffer {
  return (bytes) => {
    const where = at < 0 ? bytes.length + at : at;
    bytes[where] = (bytes[where] ?? 0) ^ 4;
    return bytes;
  };
}
