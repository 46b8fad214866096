/**
 * From a password to a key: scrypt, as key files say.
 *
 * A password that a person chose can be guessed, so each guess is made to cost half a second, as restic does. The
 * 256-bit one that `generateKey` makes can't be guessed at any price: 2^255 guesses of a nanosecond each outlast the
 * sun, so scrypt adds nothing and its least cost is used; nightly jobs over hundreds of repositories open quickly.
 */
import { randomBytes, scrypt } from 'node:crypto';
import type { ScryptCost } from '../format/key-file.ts';
import { MasterKey } from './master-key.ts';
import { scryptInThreads } from './scrypt-threads.ts';

/** How a secret came about, which decides the cost of a new key file. Opening takes either kind, or plain text. */
export type Secret = { readonly kind: 'password' | 'key'; readonly text: string };

const KEY_BYTES = 32;
const DERIVED_BYTES = 64;
const GENERATED = /^[0-9a-f]{64}$/;
/** restic's bounds: half a second and 60 MiB. N·r·128 is 32 MiB here. */
const CALIBRATION_MS = 500;
const BASE_COST: ScryptCost = { N: 32_768, r: 8, p: 1 };
const CHEAP_COST: ScryptCost = { N: 1024, r: 8, p: 1 };
const MAX_P = 16;

/** 256 random bits as 64 hex characters. */
export function generateKey(): string {
  return randomBytes(KEY_BYTES).toString('hex');
}

/** The key that may open a master key, as fast as this machine can. */
export async function deriveKeyToTry(password: string, salt: Uint8Array, cost: ScryptCost): Promise<MasterKey> {
  const bytes = await scryptInThreads(password, salt, DERIVED_BYTES, cost);
  return bytes === null ? deriveKey(password, salt, cost) : keyOf(bytes);
}

/** The key that seals a new master key: by Node's own scrypt, so that whatever else goes wrong, others can open it. */
export async function deriveKey(password: string, salt: Uint8Array, cost: ScryptCost): Promise<MasterKey> {
  const { N, r, p } = cost;
  const bytes = await new Promise<Buffer>((resolve, reject) => {
    scrypt(password, salt, DERIVED_BYTES, { N, r, p, maxmem: 128 * N * r + 128 * r * p + 2 ** 20 }, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
  return keyOf(bytes);
}

function keyOf(bytes: Buffer): MasterKey {
  return new MasterKey({ encrypt: bytes.subarray(0, 32), k: bytes.subarray(32, 48), r: bytes.subarray(48, 64) });
}

/** The scrypt numbers for a new key file; measured on this machine for a person's password. */
export async function chooseCost(secret: Secret): Promise<ScryptCost> {
  if (secret.kind === 'key' && GENERATED.test(secret.text)) return CHEAP_COST;
  const began = performance.now();
  await deriveKey('calibration', new Uint8Array(64), BASE_COST);
  const onceMs = Math.max(1, performance.now() - began);
  return { ...BASE_COST, p: Math.min(MAX_P, Math.max(1, Math.floor(CALIBRATION_MS / onceMs))) };
}
