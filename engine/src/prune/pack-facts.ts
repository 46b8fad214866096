/**
 * What index files say of each pack, small enough to hold for a whole repository: 12 bytes a blob. A pack that two
 * files list (a crash of a prune leaves such) counts once; where they say different things of it, it is torn.
 */
import type { ListedIndexFile } from '../index/load-index.ts';
import { HEADER_LENGTH_BYTES, entryBytes } from '../format/pack-header.ts';
import type { PackEntry } from '../format/pack-header.ts';
import { SEAL_OVERHEAD_BYTES } from '../seal/master-key.ts';
import type { BlobNumbers } from './blob-numbers.ts';

/** In place of a number: no snapshot reaches the blob. */
export const UNUSED = 0xffff_ffff;

export type PackFacts = {
  readonly id: string;
  /** Number of the blob or `UNUSED`, offset, length of its sealed bytes; three words a blob. */
  entries: Uint32Array;
  /** Size of the file by its listing: blobs, header, the header's seal and length. */
  expectedBytes: number;
  holdsData: boolean;
  holdsTrees: boolean;
  holdsUncompressed: boolean;
  /** Listed differently by two index files, as restic before 0.10 did: written anew. */
  isTorn: boolean;
  /** One of its blobs is said to have two lengths: which is right is for a repair of the index to find out. */
  isContradicted: boolean;
};

export type IndexFileFacts = { readonly id: string; readonly blobs: number; readonly packs: readonly PackFacts[] };

export class PackCatalogue {
  readonly packs: Map<string, PackFacts> = new Map();
  readonly files: IndexFileFacts[] = [];
  /** Packs that more than one file lists. */
  readonly repeated: Set<PackFacts> = new Set();
  readonly #used: BlobNumbers;

  constructor(used: BlobNumbers) {
    this.#used = used;
  }

  add(file: ListedIndexFile): void {
    const packs = new Set<PackFacts>();
    let blobs = 0;
    for (const { id, blobs: entries } of file.packs) {
      blobs += entries.length;
      const known = this.packs.get(id);
      if (known !== undefined) this.#merge(known, entries);
      packs.add(known ?? this.#add(id, entries));
    }
    this.files.push({ id: file.id, blobs, packs: [...packs] });
  }

  #add(id: string, entries: readonly PackEntry[]): PackFacts {
    const pack: PackFacts = {
      id,
      entries: new Uint32Array(0),
      expectedBytes: SEAL_OVERHEAD_BYTES + HEADER_LENGTH_BYTES,
      holdsData: false,
      holdsTrees: false,
      holdsUncompressed: false,
      isTorn: false,
      isContradicted: false,
    };
    this.packs.set(id, pack);
    this.#append(pack, entries);
    return pack;
  }

  #merge(pack: PackFacts, entries: readonly PackEntry[]): void {
    this.repeated.add(pack);
    const lengths = new Map<number, number>();
    for (let at = 0; at < pack.entries.length; at += 3)
      lengths.set(pack.entries[at + 1] ?? 0, pack.entries[at + 2] ?? 0);
    const more = entries.filter((entry) => !lengths.has(entry.offset));
    if (entries.some(({ offset, length }) => (lengths.get(offset) ?? length) !== length)) pack.isContradicted = true;
    if (more.length === 0 && entries.length === lengths.size) return;
    pack.isTorn = true;
    this.#append(pack, more);
  }

  #append(pack: PackFacts, entries: readonly PackEntry[]): void {
    const all = new Uint32Array(pack.entries.length + entries.length * 3);
    all.set(pack.entries);
    let at = pack.entries.length;
    for (const entry of entries) {
      const number = this.#used.find(entry.type, entry.id);
      all[at++] = number === -1 ? UNUSED : number;
      all[at++] = entry.offset;
      all[at++] = entry.length;
      pack.expectedBytes += entry.length + entryBytes(entry);
      if (entry.type === 'tree') pack.holdsTrees = true;
      else pack.holdsData = true;
      if (entry.plainBytes === null) pack.holdsUncompressed = true;
    }
    pack.entries = all;
  }
}
