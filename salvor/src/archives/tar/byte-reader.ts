/** Reads a stream of bytes by length: exactly so many, or as they come up to a number. */
export class ByteReader implements AsyncDisposable {
  /** Bytes taken so far. */
  offset = 0;
  readonly #source: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = EMPTY;
  #isAtEnd = false;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Up to `most` bytes, at least one; null at the end. A view that is good until the next call. */
  async some(most: number): Promise<Uint8Array | null> {
    if (this.#rest.length === 0 && !(await this.#fill())) return null;
    const taken = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(taken.length);
    this.offset += taken.length;
    return taken;
  }

  /** Exactly `count` bytes, or fewer where the stream ends. */
  async upTo(count: number): Promise<Uint8Array> {
    const first = (await this.some(count)) ?? EMPTY;
    if (first.length === count) return first;
    const all = Buffer.alloc(count);
    all.set(first);
    let length = first.length;
    while (length < count) {
      const piece = await this.some(count - length);
      if (piece === null) break;
      all.set(piece, length);
      length += piece.length;
    }
    return all.subarray(0, length);
  }

  /** Passes over `count` bytes; gives how many there were. */
  async skip(count: number): Promise<number> {
    let skipped = 0;
    while (skipped < count) {
      const piece = await this.some(count - skipped);
      if (piece === null) break;
      skipped += piece.length;
    }
    return skipped;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#source.return?.();
  }

  async #fill(): Promise<boolean> {
    while (!this.#isAtEnd) {
      const next = await this.#source.next();
      if (next.done === true) this.#isAtEnd = true;
      else if (next.value.length > 0) {
        this.#rest = next.value;
        return true;
      }
    }
    return false;
  }
}

const EMPTY = new Uint8Array(0);
