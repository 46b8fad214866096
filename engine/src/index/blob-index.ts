/**
 * Which blob lies where: one open-addressing table in shared memory, used by all threads of a run at once.
 * 56 bytes a blob at the usual load; restic's takes 62 to 64.
 *
 *   slots  u32 per slot      entry number + 1, below 7 bits of the id that spare most looks at other entries; or 0
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
import type { IndexSink } from '../format/scan-index.ts';
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

/** Entry numbers + 1 end at `MAX_BLOBS`, 2^24. */
const ENTRY_BITS = 25;
const ENTRY_MASK = 2 ** ENTRY_BITS - 1;

const TREE_BIT = 0x8000_0000;
const CLAIMED = 0x7fff_ffff;

/** Words of the head. */
const LOCK = 0;
const BLOBS = 1;
const PACKS = 2;
/** How often a buffer has grown. */
const GROWTHS = 3;

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

/** The first word of an id chooses its slot, the second one tells it from others there. */
const tagOf = (word: number): number => word << ENTRY_BITS;

const typeBitOf = (type: BlobType): number => (type === 'tree' ? TREE_BIT : 0);

const growable = (bytes: number, maxBytes: number): SharedArrayBuffer =>
  new SharedArrayBuffer(bytes, { maxByteLength: maxBytes });

export class BlobIndex {
  readonly shared: SharedBlobIndex;
  readonly #head: Int32Array;
  // Views of a fixed length, renewed after growth: those that follow their buffer cost twice the time on each access.
  #slots: Uint32Array;
  #ids: Uint32Array;
  #places: Uint32Array;
  #packs: Uint8Array;
  #growthsSeen = -1;
  readonly #wanted = new Uint32Array(ID_WORDS);
  readonly #wantedBytes = Buffer.from(this.#wanted.buffer);
  #freeSlot = 0;

  constructor(shared?: SharedBlobIndex) {
    this.shared = shared ?? {
      head: new SharedArrayBuffer(16),
      slots: growable(FIRST_BLOBS * 2 * 4, MAX_BLOBS * 2 * 4),
      ids: growable(FIRST_BLOBS * ID_BYTES, MAX_BLOBS * ID_BYTES),
      places: growable(FIRST_BLOBS * PLACE_WORDS * 4, MAX_BLOBS * PLACE_WORDS * 4),
      packs: growable(FIRST_PACKS * ID_BYTES, MAX_PACKS * ID_BYTES),
    };
    this.#head = new Int32Array(this.shared.head);
    this.#slots = this.#ids = this.#places = new Uint32Array();
    this.#packs = new Uint8Array();
  }

  /** Blobs that are listed, claimed ones included. */
  get blobs(): number {
    return Atomics.load(this.#head, BLOBS);
  }

  get packs(): number {
    return Atomics.load(this.#head, PACKS);
  }

  /** The ids of all packs. */
  packIds(): ReadonlySet<string> {
    return this.#locked(() => {
      const ids = new Set<string>();
      for (let pack = 0; pack < this.packs; pack++) ids.add(this.#packId(pack));
      return ids;
    });
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
      return this.#insert(typeBitOf(type), CLAIMED, 0, 0, 0);
    });
  }

  /** Numbers a pack, so that blobs can be settled in it. */
  addPack(id: string): number {
    return this.#locked(() => {
      this.#wantedBytes.write(id, 'hex');
      return this.#insertPack();
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
        this.#insert(typeBitOf(entry.type), pack, entry.offset, entry.length, entry.plainBytes ?? 0);
      }
    });
  }

  /** Lists what `scan` tells of: as `addPack` and `add` for each, without an object or a lock for each. */
  addScanned<T>(scan: (sink: IndexSink) => T): T {
    return this.#locked(() => {
      let pack = 0;
      return scan({
        id: this.#wantedBytes,
        pack: () => {
          pack = this.#insertPack();
        },
        blob: (isTree, offset, length, plainBytes) => {
          const typeBit = isTree ? TREE_BIT : 0;
          if (this.#findWanted(typeBit) === -1) this.#insert(typeBit, pack, offset, length, plainBytes);
        },
      });
    });
  }

  /** Makes room for so many blobs in all, so that it is not made many times over. More may be listed than that. */
  reserve(blobs: number): void {
    this.#locked(() => {
      let times = 1;
      while (Math.min(blobs, MAX_BLOBS) > this.#slots.length * times * MAX_LOAD) times *= 2;
      if (times > 1) this.#growSlots(times);
    });
  }

  #locked<T>(work: () => T): T {
    return withMutex(this.#head, LOCK, () => {
      if (this.#head[GROWTHS] !== this.#growthsSeen) this.#renewViews();
      return work();
    });
  }

  #renewViews(): void {
    const { slots, ids, places, packs } = this.shared;
    this.#slots = new Uint32Array(slots, 0, slots.byteLength / 4);
    this.#ids = new Uint32Array(ids, 0, ids.byteLength / 4);
    this.#places = new Uint32Array(places, 0, places.byteLength / 4);
    this.#packs = new Uint8Array(packs, 0, packs.byteLength);
    this.#growthsSeen = this.#head[GROWTHS] ?? 0;
  }

  /** Tells every thread's next call of it. */
  #grown(): void {
    this.#head[GROWTHS] = (this.#head[GROWTHS] ?? 0) + 1;
    this.#renewViews();
  }

  /** The entry of a blob or −1; leaves the id in `#wanted` for `#insert`. */
  #find(type: BlobType, id: string): number {
    this.#wantedBytes.write(id, 'hex');
    return this.#findWanted(typeBitOf(type));
  }

  /** The entry of the id in `#wanted` or −1: then `#freeSlot` is where it would be. */
  #findWanted(typeBit: number): number {
    const wanted = this.#wanted;
    const mask = this.#slots.length - 1;
    const tag = tagOf(wanted[1] ?? 0);
    for (let slot = (wanted[0] ?? 0) & mask; ; slot = (slot + 1) & mask) {
      const value = this.#slots[slot] ?? 0;
      if (value === 0) {
        this.#freeSlot = slot;
        return -1;
      }
      if ((value ^ tag) >>> ENTRY_BITS !== 0) continue;
      const entry = (value & ENTRY_MASK) - 1;
      if (((this.#places[entry * PLACE_WORDS] ?? 0) & TREE_BIT) >>> 0 === typeBit && this.#hasId(entry, wanted))
        return entry;
    }
  }

  #hasId(entry: number, wanted: Uint32Array): boolean {
    const at = entry * ID_WORDS;
    for (let i = 0; i < ID_WORDS; i++) if (this.#ids[at + i] !== wanted[i]) return false;
    return true;
  }

  /** Numbers the pack whose id is in `#wanted`. */
  #insertPack(): number {
    const pack = this.packs;
    if (pack >= MAX_PACKS) throw new RangeError(`more than ${MAX_PACKS} packs`);
    const end = (pack + 1) * ID_BYTES;
    if (end > this.#packs.length) {
      this.shared.packs.grow(Math.min(this.#packs.length * 2, MAX_PACKS * ID_BYTES));
      this.#grown();
    }
    this.#packs.set(this.#wantedBytes, pack * ID_BYTES);
    Atomics.store(this.#head, PACKS, pack + 1);
    return pack;
  }

  /** Adds an entry for the id in `#wanted`, for which `#findWanted` has just found none. */
  #insert(typeBit: number, pack: number, offset: number, length: number, plainBytes: number): number {
    const entry = this.blobs;
    if (entry >= MAX_BLOBS) throw new RangeError(`more than ${MAX_BLOBS} blobs`);
    if ((entry + 1) * ID_WORDS > this.#ids.length) this.#growEntries();
    for (let i = 0; i < ID_WORDS; i++) this.#ids[entry * ID_WORDS + i] = this.#wanted[i] ?? 0;
    const at = entry * PLACE_WORDS;
    this.#places[at] = (pack | typeBit) >>> 0;
    this.#places[at + 1] = offset;
    this.#places[at + 2] = length;
    this.#places[at + 3] = plainBytes;
    Atomics.store(this.#head, BLOBS, entry + 1);
    if (entry + 1 > this.#slots.length * MAX_LOAD) this.#growSlots();
    else this.#slots[this.#freeSlot] = (tagOf(this.#wanted[1] ?? 0) | (entry + 1)) >>> 0;
    return entry;
  }

  /** By half, not double: at millions of blobs the spare room would be most of the memory. */
  #growEntries(): void {
    const entries = Math.min(Math.ceil((this.shared.ids.byteLength / ID_BYTES) * 1.5), MAX_BLOBS);
    this.shared.ids.grow(entries * ID_BYTES);
    this.shared.places.grow(entries * PLACE_WORDS * 4);
    this.#grown();
  }

  #growSlots(times = 2): void {
    this.shared.slots.grow(this.shared.slots.byteLength * times);
    this.#grown();
    this.#slots.fill(0);
    const mask = this.#slots.length - 1;
    for (let entry = 0; entry < this.blobs; entry++) {
      const at = entry * ID_WORDS;
      let slot = (this.#ids[at] ?? 0) & mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = (tagOf(this.#ids[at + 1] ?? 0) | (entry + 1)) >>> 0;
    }
  }

  #packId(pack: number): string {
    return Buffer.from(this.#packs.subarray(pack * ID_BYTES, (pack + 1) * ID_BYTES)).toString('hex');
  }

  #placeOf(entry: number): BlobPlace | null {
    const at = entry * PLACE_WORDS;
    const pack = (this.#places[at] ?? 0) & ~TREE_BIT;
    if (pack === CLAIMED) return null;
    const plain = this.#places[at + 3] ?? 0;
    return {
      pack: this.#packId(pack),
      offset: this.#places[at + 1] ?? 0,
      length: this.#places[at + 2] ?? 0,
      plainBytes: plain === 0 ? null : plain,
    };
  }
}
