/**
 * From the plaintext of a blob to the open pack of each repository that lacks it: hash → known? → compress → seal.
 * Hashed and compressed once, claimed and sealed per repository. One instance per worker thread.
 *
 * Every sealed blob is opened again, and what it holds compared with what was hashed, before it may leave: a fault of
 * memory or of a library must not become a backup that looks whole.
 */
import { createHash, hash, randomInt } from 'node:crypto';
import type { BlobType } from '../format/pack-header.ts';
import { BlobIndex } from '../index/blob-index.ts';
import type { SharedBlobIndex } from '../index/blob-index.ts';
import { OPEN_DATA_PACKS } from '../limits.ts';
import { PACK_BUFFER_BYTES, PACK_PIECE_BYTES, PackBuilder } from '../pack/pack-builder.ts';
import type { BuiltEntry, PieceDock } from '../pack/pack-builder.ts';
import { compress, decompressForLook } from '../seal/compress.ts';
import type { Pieces } from '../pack/open-blob.ts';
import { compressPieces, decompressPieces } from '../seal/zstd-pieces.ts';
import { MasterKey } from '../seal/master-key.ts';
import type { MasterKeyParts } from '../seal/master-key.ts';

/** What a worker needs of a repository. */
export type RepositoryShare = {
  readonly index: SharedBlobIndex;
  readonly key: MasterKeyParts;
  /** Whether packs go there piece by piece. */
  readonly takesPieces: boolean;
};

/** A pack, or a piece of one, on its way to storage. The buffer changes hands and comes back when it is saved. */
export type PackNews = {
  readonly repository: number;
  /** Which pack of this worker it belongs to. */
  readonly number: number;
  readonly buffer: ArrayBuffer;
  readonly length: number;
  /** What the whole pack is; null where more of it will come. */
  readonly end: { readonly id: string; readonly type: BlobType; readonly entries: readonly BuiltEntry[] } | null;
};

/** An unfinished pack at the end of a run. */
export type PartialPack = {
  readonly repository: number;
  readonly type: BlobType;
  readonly buffer: ArrayBuffer;
  readonly length: number;
  readonly entries: readonly BuiltEntry[];
};

export type PackDock = {
  /** Hands a pack or a piece of one over; blocks while too much is on its way. */
  readonly ship: (pack: PackNews) => void;
  /** Whether a repository is still in the pass: work for one that was dropped would be thrown away. */
  readonly isLive: (repository: number) => boolean;
  /** A buffer of this length that came back, if there is one. */
  readonly spareBuffer: (bytes: number) => ArrayBuffer | undefined;
};

type OpenPack = { readonly number: number; readonly builder: PackBuilder };

type Target = {
  readonly index: BlobIndex;
  readonly key: MasterKey;
  readonly takesPieces: boolean;
  readonly open: Record<BlobType, OpenPack[]>;
};

export class SealChain {
  readonly #targets: readonly Target[];
  readonly #dock: PackDock;
  #packs = 0;

  constructor(repositories: readonly RepositoryShare[], dock: PackDock) {
    this.#dock = dock;
    this.#targets = repositories.map(({ index, key, takesPieces }) => ({
      index: new BlobIndex(index),
      key: new MasterKey(key),
      takesPieces,
      open: { data: [], tree: [] },
    }));
  }

  /** Whether the first repository has the blob, or is about to. */
  isStored(type: BlobType, id: string): boolean {
    return this.#target(0).index.has(type, id);
  }

  /** Whether any repository but the first lacks the blob. */
  isLacking(type: BlobType, id: string): boolean {
    for (let n = 1; n < this.#targets.length; n++) {
      if (this.#dock.isLive(n) && !this.#target(n).index.has(type, id)) return true;
    }
    return false;
  }

  /** Stores a blob where it is missing; its id. */
  store(type: BlobType, plain: Uint8Array): string {
    const id = hash('sha256', plain, 'hex');
    let stored: StoredBlob | undefined;
    for (const [repository, target] of this.#targets.entries()) {
      const claim = this.#dock.isLive(repository) ? target.index.claim(type, id) : -1;
      if (claim === -1) continue;
      stored ??= storedForm(type, plain, id);
      this.#append(repository, target, type, id, stored, claim);
    }
    return id;
  }

  /** Stores a listing that is too large to be put together: what is held of it is its frame. */
  storePieces(pieces: Pieces): string {
    const found = createHash('sha256');
    let plainBytes = 0;
    for (const piece of pieces()) {
      found.update(piece);
      plainBytes += piece.length;
    }
    const id = found.digest('hex');
    let stored: StoredBlob | undefined;
    for (const [repository, target] of this.#targets.entries()) {
      const claim = this.#dock.isLive(repository) ? target.index.claim('tree', id) : -1;
      if (claim === -1) continue;
      stored ??= framed(pieces(), plainBytes, id);
      this.#append(repository, target, 'tree', id, stored, claim);
    }
    return id;
  }

  /** Stores a blob that was stored elsewhere already, in the form that it had there, where it is missing. */
  storeAgain(type: BlobType, id: string, stored: StoredBlob): void {
    for (const [repository, target] of this.#targets.entries()) {
      const claim = this.#dock.isLive(repository) ? target.index.claim(type, id) : -1;
      if (claim !== -1) this.#append(repository, target, type, id, stored, claim);
    }
  }

  /** Takes blobs over that another worker sealed and could not fill a pack with. */
  takeOver(repository: number, type: BlobType, payload: Uint8Array, entries: readonly BuiltEntry[]): void {
    const target = this.#target(repository);
    // All into one: few small files matter more here than hiding sizes, which the many small packs told no better.
    const pack = this.#openPack(repository, target, type, 0);
    pack.builder.appendSealed(payload, entries);
    if (pack.builder.isFull) this.#finish(repository, target, pack);
  }

  /** Gives away all unfinished packs as they are; those of which pieces have gone are finished. */
  handOver(): PartialPack[] {
    return this.#targets.flatMap((target, repository) => {
      const open = [...target.open.data, ...target.open.tree];
      for (const pack of open) if (pack.builder.isShipping) this.#finish(repository, target, pack);
      const rest = [...target.open.data, ...target.open.tree].filter(({ builder }) => builder.entries.length > 0);
      target.open.data = [];
      target.open.tree = [];
      return rest.map(({ builder }) => {
        const payload = builder.payload();
        return {
          repository,
          type: builder.type,
          buffer: payload.buffer as ArrayBuffer,
          length: payload.length,
          entries: builder.entries,
        };
      });
    });
  }

  /** Finishes all packs that hold anything. */
  finish(): void {
    for (const [repository, target] of this.#targets.entries()) {
      for (const pack of [...target.open.data, ...target.open.tree]) this.#finish(repository, target, pack);
    }
  }

  #append(repository: number, target: Target, type: BlobType, id: string, stored: StoredBlob, claim: number): void {
    const pack = this.#openPack(repository, target, type);
    const sealed = pack.builder.append(target.key, id, stored.bytes, stored.plainBytes, claim);
    if (!target.key.holds(sealed, stored.bytes))
      throw new Error(`the blob ${id} did not open again after it was sealed`);
    if (pack.builder.isFull) this.#finish(repository, target, pack);
  }

  /** Which of two open packs takes a data blob is random, so that the sizes of packs tell little of those of chunks. */
  #openPack(
    repository: number,
    target: Target,
    type: BlobType,
    at = type === 'tree' ? 0 : randomInt(OPEN_DATA_PACKS),
  ): OpenPack {
    const open = target.open[type];
    const pack = open[Math.min(at, open.length)];
    if (pack !== undefined) return pack;
    const number = ++this.#packs;
    const made = { number, builder: this.#newBuilder(repository, target, type, number) };
    open.push(made);
    return made;
  }

  #newBuilder(repository: number, target: Target, type: BlobType, number: number): PackBuilder {
    if (!target.takesPieces) return new PackBuilder(type, { buffer: this.#dock.spareBuffer(PACK_BUFFER_BYTES) });
    const pieces: PieceDock = {
      ship: (piece) => this.#ship(repository, number, piece, null),
      spareBuffer: () => this.#dock.spareBuffer(PACK_PIECE_BYTES),
    };
    return new PackBuilder(type, { pieces });
  }

  #finish(repository: number, target: Target, { number, builder }: OpenPack): void {
    const open = target.open[builder.type];
    open.splice(
      open.findIndex((each) => each.number === number),
      1,
    );
    const { id, bytes, entries } = builder.finish(target.key);
    this.#ship(repository, number, bytes, { id, type: builder.type, entries });
  }

  #ship(repository: number, number: number, bytes: Buffer, end: PackNews['end']): void {
    this.#dock.ship({ repository, number, buffer: bytes.buffer as ArrayBuffer, length: bytes.length, end });
  }

  #target(repository: number): Target {
    const target = this.#targets[repository];
    if (target === undefined) throw new RangeError(`no repository ${repository}`);
    return target;
  }
}

/** A blob as it lies in a pack, before sealing; `plainBytes` is null where it lies uncompressed. `bytes` may be reused by the next blob. */
export type StoredBlob = { readonly bytes: Uint8Array; readonly plainBytes: number | null };

/** Compressed, unless that gains nothing (trees always: restic's prune would rewrite others). Read back and compared. */
function storedForm(type: BlobType, plain: Uint8Array, id: string): StoredBlob {
  const frame = compress(plain);
  if (type === 'data' && frame.length >= plain.length) return { bytes: plain, plainBytes: null };
  if (hash('sha256', decompressForLook(frame, plain.length), 'hex') !== id)
    throw new Error(`the blob ${id} did not decompress to itself`);
  return { bytes: frame, plainBytes: plain.length };
}

/** The same for a plaintext that comes in pieces. */
function framed(pieces: Iterable<Uint8Array>, plainBytes: number, id: string): StoredBlob {
  const frame = compressPieces(pieces, plainBytes);
  const found = createHash('sha256');
  for (const piece of decompressPieces(frame, plainBytes)) found.update(piece);
  if (found.digest('hex') !== id) throw new Error(`the blob ${id} did not decompress to itself`);
  return { bytes: frame, plainBytes };
}
