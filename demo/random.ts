/** Repeatable chance: the same seed gives the same host, so that a figure of today can be compared with yesterday's. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A generator of its own for one part, so that a change in one part leaves the others as they were. */
  fork(name: string): Random {
    let hash = this.#state ^ 0x811c9dc5;
    for (const byte of Buffer.from(name)) hash = Math.imul(hash ^ byte, 0x01000193);
    return new Random(hash);
  }

  /** 32 bits (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  /** A whole number from `least` to `most`, both included. */
  between(least: number, most: number): number {
    return least + (this.next() % (most - least + 1));
  }

  pick<T>(from: readonly T[]): T {
    return from[this.next() % from.length] as T;
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.alloc((length + 3) & ~3);
    for (let at = 0; at < bytes.length; at += 4) bytes.writeUInt32LE(this.next(), at);
    return bytes.subarray(0, length);
  }

  /** Letters and digits, as generated passwords have them. */
  password(length: number): string {
    const letters = 'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789';
    return Array.from({ length }, () => letters[this.between(0, letters.length - 1)]).join('');
  }

  sentence(words = this.between(6, 14)): string {
    const text = Array.from({ length: words }, () => this.pick(WORDS)).join(' ');
    return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
  }

  paragraph(): string {
    return Array.from({ length: this.between(3, 7) }, () => this.sentence()).join(' ');
  }

  /** A headline in title form. */
  title(): string {
    const text = Array.from({ length: this.between(2, 5) }, () => this.pick(WORDS)).join(' ');
    return text.charAt(0).toUpperCase() + text.slice(1);
  }
}

const WORDS = `anchor harbour tide lantern quay crane barge ferry pilot beacon cargo rope sail mast keel hull rudder
compass chart depth fathom current estuary gull heron mussel oyster kelp salt storm fog swell calm dawn dusk winter
summer market baker smith cooper chandler island lighthouse bell signal voyage cabin deck galley hold ballast buoy
mooring jetty pier slipway shipyard timber copper iron canvas paint tar net line hook catch crew captain mate stories
letters maps old new northern southern quiet bright heavy narrow`.split(/\s+/);
