/** Loads a file whose name is the hash of its bytes, and compares. */
import { hash } from 'node:crypto';
import type { FileHandle, Storage } from './storage.ts';

/** @throws RangeError where the bytes are not those that were saved; `FileMissing` where the file is gone. */
export async function loadVerified(storage: Storage, file: FileHandle): Promise<Buffer> {
  const bytes = await storage.load(file);
  if (hash('sha256', bytes, 'hex') !== file.id) throw new RangeError('its bytes do not have the hash that names it');
  return bytes;
}

/** Saves bytes under their hash and returns it. */
export async function saveHashed(storage: Storage, kind: FileHandle['kind'], bytes: Uint8Array): Promise<string> {
  const id = hash('sha256', bytes, 'hex');
  await storage.save({ kind, id }, bytes);
  return id;
}
