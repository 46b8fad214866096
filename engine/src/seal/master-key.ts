/**
 * The keys of a repository, and sealing with them: AES-256 in counter mode, authenticated by Poly1305-AES
 * (restic's design document, "Keys, Encryption and MAC").
 *
 *   sealed = nonce (16) ‖ ciphertext ‖ tag (16)
 *   tag    = Poly1305(key = r ‖ AES-128(k, nonce), message = ciphertext)
 */
import { createCipheriv, createMac, randomFillSync, timingSafeEqual } from 'node:crypto';
import type { Cipheriv } from 'node:crypto';
import { AesCtr } from './aes-ctr.ts';

/** What sealing adds to a plaintext, bytes: nonce and tag. */
export const SEAL_OVERHEAD_BYTES = 32;
const NONCE_BYTES = 16;
const TAG_BYTES = 16;
const NONCE_POOL_BYTES = 4096;
/** What is opened only to be compared is opened in pieces that stay in the processor's cache. */
const PIECE_BYTES = 128 * 1024;

/** The secret parts of a key as they lie in key files: plain bytes. */
export type MasterKeyParts = { readonly encrypt: Uint8Array; readonly k: Uint8Array; readonly r: Uint8Array };

const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);

/** Seals and opens. One instance per thread: it reuses a cipher object. */
export class MasterKey {
  readonly parts: MasterKeyParts;
  readonly #cipher: AesCtr;
  readonly #nonceCipher: Cipheriv;
  readonly #macKey: Buffer;
  readonly #nonces: Buffer;
  #nonceAt: number;
  #piece: Buffer | undefined;

  /** @throws RangeError where a part has the wrong length or is all zero, which no writer makes. */
  constructor(parts: MasterKeyParts) {
    if (parts.encrypt.length !== 32 || parts.k.length !== 16 || parts.r.length !== 16)
      throw new RangeError('key has wrong size');
    if (isZero(parts.encrypt) || isZero(parts.k) || isZero(parts.r)) throw new RangeError('key is all zero');
    this.parts = parts;
    this.#cipher = new AesCtr(parts.encrypt);
    this.#nonceCipher = createCipheriv('aes-128-ecb', parts.k, null).setAutoPadding(false);
    this.#macKey = Buffer.alloc(32);
    this.#macKey.set(parts.r, 0);
    this.#nonces = Buffer.alloc(NONCE_POOL_BYTES);
    this.#nonceAt = NONCE_POOL_BYTES;
  }

  /** A new random key. */
  static generate(): MasterKey {
    const bytes = randomFillSync(Buffer.alloc(64));
    return new MasterKey({ encrypt: bytes.subarray(0, 32), k: bytes.subarray(32, 48), r: bytes.subarray(48, 64) });
  }

  /** Seals `plain` into `target` at `at`; returns the bytes written: `plain.length` + 32. */
  sealInto(plain: Uint8Array, target: Buffer, at: number): number {
    const nonce = this.#nextNonce();
    nonce.copy(target, at);
    const ciphertext = target.subarray(at + NONCE_BYTES, at + NONCE_BYTES + plain.length);
    this.#cipher.run(nonce, plain, ciphertext);
    this.#tag(nonce, ciphertext).copy(target, at + NONCE_BYTES + plain.length);
    return plain.length + SEAL_OVERHEAD_BYTES;
  }

  /** Whether sealed bytes hold exactly this plaintext. */
  holds(sealed: Uint8Array, plain: Uint8Array): boolean {
    if (sealed.length !== plain.length + SEAL_OVERHEAD_BYTES || !this.#isGenuine(sealed)) return false;
    this.#piece ??= Buffer.allocUnsafeSlow(PIECE_BYTES);
    const counter = Buffer.from(sealed.subarray(0, NONCE_BYTES));
    for (let done = 0; done < plain.length; done += PIECE_BYTES) {
      const end = Math.min(done + PIECE_BYTES, plain.length);
      const piece = this.#piece.subarray(0, end - done);
      this.#cipher.run(counter, sealed.subarray(NONCE_BYTES + done, NONCE_BYTES + end), piece);
      if (piece.compare(plain, done, end) !== 0) return false;
      countOn(counter, PIECE_BYTES / NONCE_BYTES);
    }
    return true;
  }

  /** Seals into a buffer of its own. */
  seal(plain: Uint8Array): Buffer {
    const sealed = Buffer.allocUnsafe(plain.length + SEAL_OVERHEAD_BYTES);
    this.sealInto(plain, sealed, 0);
    return sealed;
  }

  /** The plaintext, or null where the tag does not fit: wrong key, or bytes that were changed. */
  open(sealed: Uint8Array): Buffer | null {
    return this.openInto(sealed, (bytes) => Buffer.allocUnsafe(bytes));
  }

  /** The same, in memory of so many bytes that `target` gives. */
  openInto(sealed: Uint8Array, target: (bytes: number) => Buffer): Buffer | null {
    if (!this.#isGenuine(sealed)) return null;
    const ciphertext = sealed.subarray(NONCE_BYTES, sealed.length - TAG_BYTES);
    const plain = target(ciphertext.length);
    this.#cipher.run(sealed.subarray(0, NONCE_BYTES), ciphertext, plain);
    return plain;
  }

  #isGenuine(sealed: Uint8Array): boolean {
    if (sealed.length < SEAL_OVERHEAD_BYTES) return false;
    const nonce = sealed.subarray(0, NONCE_BYTES);
    const ciphertext = sealed.subarray(NONCE_BYTES, sealed.length - TAG_BYTES);
    const tag = sealed.subarray(sealed.length - TAG_BYTES);
    return !isZero(nonce) && timingSafeEqual(this.#tag(nonce, ciphertext), tag);
  }

  #tag(nonce: Uint8Array, ciphertext: Uint8Array): Buffer {
    this.#macKey.set(this.#nonceCipher.update(nonce), 16);
    return createMac('poly1305', this.#macKey).update(ciphertext).final();
  }

  #nextNonce(): Buffer {
    if (this.#nonceAt === NONCE_POOL_BYTES) {
      randomFillSync(this.#nonces);
      this.#nonceAt = 0;
    }
    const nonce = this.#nonces.subarray(this.#nonceAt, this.#nonceAt + NONCE_BYTES);
    this.#nonceAt += NONCE_BYTES;
    return nonce;
  }
}

/** The counter of a later block: the nonce is the first one's, a number of 128 bits with its highest byte first. */
function countOn(counter: Buffer, blocks: number): void {
  for (let at = counter.length - 4, carry = blocks; at >= 0 && carry > 0; at -= 4) {
    const sum = counter.readUInt32BE(at) + carry;
    counter.writeUInt32BE(sum % 2 ** 32, at);
    carry = sum >= 2 ** 32 ? 1 : 0;
  }
}
