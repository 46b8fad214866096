import type { ViewEntry } from '@salvor/engine';
import type { LsEntry } from '@salvor/contract';

/** An entry of a snapshot as documents have it. */
export function toLsEntry(path: string, { type, size, mode, mtimeNs }: ViewEntry): LsEntry {
  return {
    path,
    type,
    bytes: size,
    mode: mode.toString(8).padStart(4, '0'),
    mtime: new Date(Number(mtimeNs / 1_000_000n)).toISOString(),
  };
}
