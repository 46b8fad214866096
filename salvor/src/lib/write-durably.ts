import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { syncFileSystem } from '@salvor/engine/libc';

/**
 * Puts `text` into `path` so that after a crash at any instant there is the old file or the new one, whole:
 * a new file is written and synced, takes the name, and the directory is synced.
 */
export function writeDurably(path: string, text: string, mode = 0o600): void {
  const beside = `${path}.new`;
  const file = openSync(beside, 'w', mode);
  try {
    const bytes = Buffer.from(text);
    for (let written = 0; written < bytes.length;) written += writeSync(file, bytes, written);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(beside, path);
  syncDirectory(dirname(path));
}

/** Removes a file for good: a crash after the return can't bring it back. */
export function removeDurably(path: string): void {
  rmSync(path, { force: true });
  syncDirectory(dirname(path));
}

export function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/** All that was written to the file system on which a directory lies. */
export function syncFileSystemOf(path: string): void {
  const directory = openSync(path, 'r');
  try {
    syncFileSystem(directory);
  } finally {
    closeSync(directory);
  }
}
