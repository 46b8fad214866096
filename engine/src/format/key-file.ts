/**
 * Key files: the master key of a repository, sealed with a key that scrypt makes of a password.
 * Plain JSON around it; numbers as rustic and all versions of restic write them are read.
 */
import { MasterKey } from '../seal/master-key.ts';
import { countOf, isObject, parseSmallFile, textOf } from './json.ts';
import type { JsonObject } from './json.ts';

export type ScryptCost = { readonly N: number; readonly r: number; readonly p: number };

export type KeyFile = ScryptCost & {
  readonly created: string;
  readonly username: string;
  readonly hostname: string;
  readonly salt: Uint8Array;
  /** The sealed master key. */
  readonly data: Uint8Array;
};

export const SALT_BYTES = 64;
/** 1 GiB of scrypt memory: more is an attack on the reader, not a key. */
const MAX_SCRYPT_BYTES = 2 ** 30;

export function encodeKeyFile(file: KeyFile): string {
  const { created, username, hostname, N, r, p } = file;
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
  return JSON.stringify({
    created,
    username,
    hostname,
    kdf: 'scrypt',
    N,
    r,
    p,
    salt: base64(file.salt),
    data: base64(file.data),
  });
}

/** @throws RangeError where the text is no key file. */
export function decodeKeyFile(json: string): KeyFile {
  const object = parseSmallFile(json);
  if (textOf(object, 'kdf') !== 'scrypt') throw new RangeError('its key derivation is not scrypt');
  const N = countOf(object, 'N');
  const r = countOf(object, 'r');
  const p = countOf(object, 'p');
  if (N < 2 || (N & (N - 1)) !== 0 || r < 1 || p < 1 || 128 * N * r > MAX_SCRYPT_BYTES || p > 1024) {
    throw new RangeError('its scrypt numbers are out of range');
  }
  const salt = Buffer.from(textOf(object, 'salt'), 'base64');
  if (salt.length !== SALT_BYTES) throw new RangeError('its salt is not 64 bytes');
  return {
    created: textOf(object, 'created', ''),
    username: textOf(object, 'username', ''),
    hostname: textOf(object, 'hostname', ''),
    N,
    r,
    p,
    salt,
    data: Buffer.from(textOf(object, 'data'), 'base64'),
  };
}

/** The plaintext that a key file seals. */
export function encodeMasterKey(key: MasterKey): string {
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
  const { encrypt, k, r } = key.parts;
  return JSON.stringify({ mac: { k: base64(k), r: base64(r) }, encrypt: base64(encrypt) });
}

/** @throws RangeError where it is no master key. */
export function decodeMasterKey(json: string): MasterKey {
  const object = parseSmallFile(json);
  const mac = object['mac'];
  if (!isObject(mac)) throw new RangeError('its "mac" is missing');
  const bytes = (from: JsonObject, name: string): Buffer => Buffer.from(textOf(from, name), 'base64');
  return new MasterKey({ encrypt: bytes(object, 'encrypt'), k: bytes(mac, 'k'), r: bytes(mac, 'r') });
}
