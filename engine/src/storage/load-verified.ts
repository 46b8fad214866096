/** Loads a file whose name is the hash of its bytes, and compares. */
import { hash } from 'node:crypto';
import type { FileHandle, Storage } from './storage.ts';

/**
 * Bytes that are wrong are asked for once more: it may be the way that spoiled them.
 * @throws RangeError where the bytes are not those that were saved; `FileMissing` where the file is gone.
 */
export async function loadVerified(storage: Storage, file: FileHandle): Promise<Buffer> {
  for (let attempt = 1; ; attempt++) {
    const bytes = await storage.load(file);
    if (hash('sha256', bytes, 'hex') === file.id) return bytes;
    if (attempt === 2) throw new RangeError('its bytes do not have the hash that names it');
  }
}

/** Saves bytes under their hash and returns it. */
export async function saveHashed(storage: Storage, kind: FileHandle['kind'], bytes: Uint8Array): Promise<string> {
  const id = hash('sha256', bytes, 'hex');
  await storage.save({ kind, id }, bytes);
  return id;
}
