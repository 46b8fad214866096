/**
 * Which blob lies where: one open-addressing table in shared memory, used by all threads of a run at once.
 * 56 bytes a blob at the usual load; restic's takes 62 to 64.
 *
 *   slots  u32 per slot      entry number + 1, or 0
 *   ids    8 × u32 per entry the blob's id
 *   places 4 × u32 per entry pack number | type bit, offset, sealed length, plain length (0: lies uncompressed)
 *   packs  32 bytes per pack its id
 *
 * A blob is *claimed* by the thread that is first to want it stored, and *settled* once its pack is durable: claimed
 * blobs count as known for others of the run, but no index or snapshot may be written before all are settled.
 * A blob that lies in several packs is listed once, at the place that was read first.
 */
import { ID_BYTES } from '../ids.ts';
import type { BlobType, PackEntry } from '../format/pack-header.ts';
import { withMutex } from './mutex.ts';

/** Address space is reserved for this many blobs, memory not taken: 2^24 of 1.5 MiB are 24 TiB. */
const MAX_BLOBS = 2 ** 24;
const MAX_PACKS = 2 ** 21;
const FIRST_BLOBS = 2 ** 14;
const FIRST_PACKS = 2 ** 8;
const ID_WORDS = ID_BYTES / 4;
const PLACE_WORDS = 4;
/** Entries per slot at which the table doubles. */
const MAX_LOAD = 0.7;

const TREE_BIT = 0x8000_0000;
const CLAIMED = 0x7fff_ffff;

/** Words of the head. */
const LOCK = 0;
const BLOBS = 1;
const PACKS = 2;

/** What another thread needs to use the same index. */
export type SharedBlobIndex = {
  readonly head: SharedArrayBuffer;
  readonly slots: SharedArrayBuffer;
  readonly ids: SharedArrayBuffer;
  readonly places: SharedArrayBuffer;
  readonly packs: SharedArrayBuffer;
};

/** Where a blob lies. */
export type BlobPlace = {
  readonly pack: string;
  readonly offset: number;
  readonly length: number;
  readonly plainBytes: number | null;
};

const growable = (bytes: number, maxBytes: number): SharedArrayBuffer =>
  new SharedArrayBuffer(bytes, { maxByteLength: maxBytes });

export class BlobIndex {
  readonly shared: SharedBlobIndex;
  readonly #head: Int32Array;
  readonly #slots: Uint32Array;
  readonly #ids: Uint32Array;
  readonly #places: Uint32Array;
  readonly #packs: Uint8Array;
  readonly #wanted = new Uint32Array(ID_WORDS);
  readonly #wantedBytes = Buffer.from(this.#wanted.buffer);

  constructor(shared?: SharedBlobIndex) {
    this.shared = shared ?? {
      head: new SharedArrayBuffer(16),
      slots: growable(FIRST_BLOBS * 2 * 4, MAX_BLOBS * 2 * 4),
      ids: growable(FIRST_BLOBS * ID_BYTES, MAX_BLOBS * ID_BYTES),
      places: growable(FIRST_BLOBS * PLACE_WORDS * 4, MAX_BLOBS * PLACE_WORDS * 4),
      packs: growable(FIRST_PACKS * ID_BYTES, MAX_PACKS * ID_BYTES),
    };
    // Views without a length follow the growth of their buffers, in every thread.
    this.#head = new Int32Array(this.shared.head);
    this.#slots = new Uint32Array(this.shared.slots);
    this.#ids = new Uint32Array(this.shared.ids);
    this.#places = new Uint32Array(this.shared.places);
    this.#packs = new Uint8Array(this.shared.packs);
  }

  /** Blobs that are listed, claimed ones included. */
  get blobs(): number {
    return Atomics.load(this.#head, BLOBS);
  }

  get packs(): number {
    return Atomics.load(this.#head, PACKS);
  }

  /** Whether the blob is stored or about to be. */
  has(type: BlobType, id: string): boolean {
    return this.#locked(() => this.#find(type, id) !== -1);
  }

  /** Where the blob lies; null where it is unknown or only claimed. */
  find(type: BlobType, id: string): BlobPlace | null {
    return this.#locked(() => {
      const entry = this.#find(type, id);
      return entry === -1 ? null : this.#placeOf(entry);
    });
  }

  /** The entry that the caller must fill, or −1 where the blob is stored already or another thread is at it. */
  claim(type: BlobType, id: string): number {
    return this.#locked(() => {
      if (this.#find(type, id) !== -1) return -1;
      return this.#insert(type, CLAIMED, 0, 0, 0);
    });
  }

  /** Numbers a pack, so that blobs can be settled in it. */
  addPack(id: string): number {
    return this.#locked(() => {
      const pack = this.packs;
      if (pack >= MAX_PACKS) throw new RangeError(`more than ${MAX_PACKS} packs`);
      const end = (pack + 1) * ID_BYTES;
      if (end > this.shared.packs.byteLength)
        this.shared.packs.grow(Math.min(this.shared.packs.byteLength * 2, MAX_PACKS * ID_BYTES));
      this.#packs.set(Buffer.from(id, 'hex'), pack * ID_BYTES);
      Atomics.store(this.#head, PACKS, pack + 1);
      return pack;
    });
  }

  /** Says where a claimed blob lies, once its pack is durable. */
  settle(entry: number, pack: number, place: Pick<PackEntry, 'offset' | 'length' | 'plainBytes'>): void {
    this.#locked(() => {
      const at = entry * PLACE_WORDS;
      const type = (this.#places[at] ?? 0) & TREE_BIT;
      this.#places[at] = (type | pack) >>> 0;
      this.#places[at + 1] = place.offset;
      this.#places[at + 2] = place.length;
      this.#places[at + 3] = place.plainBytes ?? 0;
    });
  }

  /** Lists what an index file says; a blob that is listed already keeps its first place. */
  add(pack: number, entry: PackEntry): void {
    this.#locked(() => {
      if (this.#find(entry.type, entry.id) === -1) {
        this.#insert(entry.type, pack, entry.offset, entry.length, entry.plainBytes ?? 0);
      }
    });
  }

  #locked<T>(work: () => T): T {
    return withMutex(this.#head, LOCK, work);
  }

  /** The entry of a blob or −1; leaves the id in `#wanted` for `#insert`. */
  #find(type: BlobType, id: string): number {
    this.#wantedBytes.write(id, 'hex');
    const wanted = this.#wanted;
    const mask = this.#slots.length - 1;
    const typeBit = type === 'tree' ? TREE_BIT : 0;
    for (let slot = (wanted[0] ?? 0) & mask; ; slot = (slot + 1) & mask) {
      const entry = (this.#slots[slot] ?? 0) - 1;
      if (entry === -1) return -1;
      if (((this.#places[entry * PLACE_WORDS] ?? 0) & TREE_BIT) >>> 0 === typeBit && this.#hasId(entry, wanted))
        return entry;
    }
  }

  #hasId(entry: number, wanted: Uint32Array): boolean {
    const at = entry * ID_WORDS;
    for (let i = 0; i < ID_WORDS; i++) if (this.#ids[at + i] !== wanted[i]) return false;
    return true;
  }

  /** Adds an entry for the id in `#wanted`, which must not be listed. */
  #insert(type: BlobType, pack: number, offset: number, length: number, plainBytes: number): number {
    const entry = this.blobs;
    if (entry >= MAX_BLOBS) throw new RangeError(`more than ${MAX_BLOBS} blobs`);
    if ((entry + 1) * ID_BYTES > this.shared.ids.byteLength) this.#growEntries();
    this.#ids.set(this.#wanted, entry * ID_WORDS);
    const at = entry * PLACE_WORDS;
    this.#places[at] = (pack | (type === 'tree' ? TREE_BIT : 0)) >>> 0;
    this.#places[at + 1] = offset;
    this.#places[at + 2] = length;
    this.#places[at + 3] = plainBytes;
    Atomics.store(this.#head, BLOBS, entry + 1);
    if (entry + 1 > this.#slots.length * MAX_LOAD) this.#growSlots();
    else this.#occupy(entry);
    return entry;
  }

  #occupy(entry: number): void {
    const mask = this.#slots.length - 1;
    let slot = (this.#ids[entry * ID_WORDS] ?? 0) & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = entry + 1;
  }

  /** By half, not double: at millions of blobs the spare room would be most of the memory. */
  #growEntries(): void {
    const entries = Math.min(Math.ceil((this.shared.ids.byteLength / ID_BYTES) * 1.5), MAX_BLOBS);
    this.shared.ids.grow(entries * ID_BYTES);
    this.shared.places.grow(entries * PLACE_WORDS * 4);
  }

  #growSlots(): void {
    this.shared.slots.grow(this.shared.slots.byteLength * 2);
    this.#slots.fill(0);
    for (let entry = 0; entry < this.blobs; entry++) this.#occupy(entry);
  }

  #placeOf(entry: number): BlobPlace | null {
    const at = entry * PLACE_WORDS;
    const pack = (this.#places[at] ?? 0) & ~TREE_BIT;
    if (pack === CLAIMED) return null;
    const plain = this.#places[at + 3] ?? 0;
    return {
      pack: Buffer.from(this.#packs.subarray(pack * ID_BYTES, (pack + 1) * ID_BYTES)).toString('hex'),
      offset: this.#places[at + 1] ?? 0,
      length: this.#places[at + 2] ?? 0,
      plainBytes: plain === 0 ? null : plain,
    };
  }
}
