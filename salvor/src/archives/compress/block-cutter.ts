/** Collects pieces into blocks, each with the end of the one before in front of it, in memory that threads share. */
import { packedRoom } from './pack-block.ts';

export type Block = {
  /** The block, behind `before` bytes of what stands in front of it. */
  readonly bytes: Uint8Array;
  readonly before: number;
  /** Room for what it becomes. */
  readonly target: Uint8Array;
};

/** Of one block: what is packed, and what it becomes. */
type Room = { readonly plain: Uint8Array; readonly target: Uint8Array };

export class BlockCutter {
  readonly #blockBytes: number;
  readonly #windowBytes: number;
  readonly #spare: Room[] = [];
  readonly #rooms = new Map<Uint8Array, Room>();
  #room: Room | null = null;
  #filled = 0;
  #before = 0;

  constructor(blockBytes: number, windowBytes: number) {
    this.#blockBytes = blockBytes;
    this.#windowBytes = windowBytes;
  }

  *add(bytes: Uint8Array): Generator<Block> {
    for (let at = 0; at < bytes.length;) {
      const room = (this.#room ??= this.#take());
      const count = Math.min(bytes.length - at, this.#before + this.#blockBytes - this.#filled);
      room.plain.set(bytes.subarray(at, at + count), this.#filled);
      this.#filled += count;
      at += count;
      if (this.#filled === this.#before + this.#blockBytes) yield this.#cut(room);
    }
  }

  end(): Block | null {
    return this.#room === null || this.#filled === this.#before ? null : this.#cut(this.#room);
  }

  /** Nobody reads the block any more, nor what became of it: its memory is used again. */
  giveBack({ target }: Block): void {
    const room = this.#rooms.get(target);
    if (room !== undefined) this.#spare.push(room);
  }

  #cut(room: Room): Block {
    const next = this.#take();
    const before = Math.min(this.#windowBytes, this.#filled);
    next.plain.set(room.plain.subarray(this.#filled - before, this.#filled));
    const cut = { bytes: room.plain.subarray(0, this.#filled), before: this.#before, target: room.target };
    this.#room = next;
    this.#filled = before;
    this.#before = before;
    return cut;
  }

  #take(): Room {
    return this.#spare.pop() ?? this.#make();
  }

  #make(): Room {
    const bytes = this.#windowBytes + this.#blockBytes;
    const room = {
      plain: new Uint8Array(new SharedArrayBuffer(bytes)),
      target: new Uint8Array(new SharedArrayBuffer(packedRoom(bytes))),
    };
    this.#rooms.set(room.target, room);
    return room;
  }
}
