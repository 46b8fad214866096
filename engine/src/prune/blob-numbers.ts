/**
 * A set of blobs that gives each a number, in typed arrays: 40 to 56 bytes a blob, where a Set of texts takes 150 and
 * more. What else is known of a blob stands in arrays by its number.
 */
import type { BlobType } from '../format/pack-header.ts';
import { ID_BYTES } from '../ids.ts';

const WORDS = ID_BYTES / 4;
const FIRST_SLOTS = 2 ** 12;
/** Entries per slot at which the table doubles. */
const MAX_LOAD = 0.7;

export class BlobNumbers {
  /** Number + 1, or 0. */
  #slots = new Uint32Array(FIRST_SLOTS);
  #ids = new Uint32Array(FIRST_SLOTS * WORDS);
  #isTree = new Uint8Array(FIRST_SLOTS);
  #size = 0;
  readonly #wanted = new Uint32Array(WORDS);
  readonly #wantedBytes = Buffer.from(this.#wanted.buffer);

  /** Numbers run from 0 to here. */
  get size(): number {
    return this.#size;
  }

  /** Puts a blob in; false where it was in before. */
  add(type: BlobType, id: string): boolean {
    if (this.find(type, id) !== -1) return false;
    const number = this.#size++;
    if (number >= this.#isTree.length) this.#growEntries();
    this.#ids.set(this.#wanted, number * WORDS);
    this.#isTree[number] = type === 'tree' ? 1 : 0;
    if (this.#size > this.#slots.length * MAX_LOAD) this.#growSlots();
    else this.#occupy(number);
    return true;
  }

  /** The number of a blob, or −1. */
  find(type: BlobType, id: string): number {
    this.#wantedBytes.write(id, 'hex');
    const mask = this.#slots.length - 1;
    const isTree = type === 'tree' ? 1 : 0;
    for (let slot = (this.#wanted[0] ?? 0) & mask; ; slot = (slot + 1) & mask) {
      const number = (this.#slots[slot] ?? 0) - 1;
      if (number === -1 || (this.#isTree[number] === isTree && this.#isWanted(number))) return number;
    }
  }

  /** The blob of a number. */
  at(number: number): { readonly type: BlobType; readonly id: string } {
    const words = this.#ids.slice(number * WORDS, (number + 1) * WORDS);
    return { type: this.#isTree[number] === 1 ? 'tree' : 'data', id: Buffer.from(words.buffer).toString('hex') };
  }

  #isWanted(number: number): boolean {
    const at = number * WORDS;
    for (let i = 0; i < WORDS; i++) if (this.#ids[at + i] !== this.#wanted[i]) return false;
    return true;
  }

  #occupy(number: number): void {
    const mask = this.#slots.length - 1;
    let slot = (this.#ids[number * WORDS] ?? 0) & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = number + 1;
  }

  #growEntries(): void {
    const entries = Math.ceil(this.#isTree.length * 1.5);
    const ids = new Uint32Array(entries * WORDS);
    ids.set(this.#ids);
    this.#ids = ids;
    const isTree = new Uint8Array(entries);
    isTree.set(this.#isTree);
    this.#isTree = isTree;
  }

  #growSlots(): void {
    this.#slots = new Uint32Array(this.#slots.length * 2);
    for (let number = 0; number < this.#size; number++) this.#occupy(number);
  }
}
