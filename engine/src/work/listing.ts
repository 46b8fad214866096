/** A listing in the making. It comes in sections, in the order of names, with holes until what was pending is stored. */
import type { DirectoryPlace } from '../tree/working-directory.ts';
import type { ListingParts } from './backup-jobs.ts';

export type WalkedDirectory = {
  readonly name: string;
  readonly place: DirectoryPlace;
  /** What is left out (`Exclusion.of`). */
  readonly exclusion: string;
  /** Of its own node: another one where another directory came into its place. */
  head: string;
};

type Section = { texts: (string | null)[] | Uint8Array; holes: number };

export class Listing {
  /** Null where it is not walked. */
  readonly walked: WalkedDirectory | null;
  readonly parentTree: string | null;
  /** Gets the listing's id, or null where the directory could not be listed. */
  readonly done: (tree: string | null) => void;
  readonly #sections: Section[] = [];
  #holes = 0;
  #isWhole = false;

  constructor(walked: WalkedDirectory | null, parentTree: string | null, done: (tree: string | null) => void) {
    this.walked = walked;
    this.parentTree = parentTree;
    this.done = done;
  }

  /** Adds the next section; its number. `isLast`: no more will come. */
  add(texts: readonly (string | null)[] | Uint8Array, holes: number, isLast: boolean): number {
    const section = { texts: texts instanceof Uint8Array ? texts : [...texts], holes };
    this.#isWhole = isLast;
    this.#holes += holes;
    const number = this.#sections.push(section) - 1;
    if (holes === 0) this.#close(section);
    return number;
  }

  /** Fills a hole; with nothing where there is no node after all. */
  fill(section: number, at: number, text: string | null): void {
    const into = this.#sections[section];
    if (into === undefined || into.texts instanceof Uint8Array) throw new RangeError(`no hole in section ${section}`);
    into.texts[at] = text;
    this.#holes -= 1;
    into.holes -= 1;
    if (into.holes === 0) this.#close(into);
  }

  get isComplete(): boolean {
    return this.#isWhole && this.#holes === 0;
  }

  /** What it is made of, given away. */
  take(): ListingParts {
    const parts = this.#sections.flatMap(({ texts }): ListingParts =>
      texts instanceof Uint8Array ? (texts.length === 0 ? [] : [texts]) : texts.filter((text) => text !== null),
    );
    this.#sections.length = 0;
    return parts;
  }

  /** Texts are large for what they say; of a directory with many sections they become bytes as soon as they are whole. */
  #close(section: Section): void {
    if (section.texts instanceof Uint8Array || (this.#isWhole && this.#sections.length === 1)) return;
    const text = section.texts.filter((each) => each !== null).join(',');
    section.texts = new Uint8Array(Buffer.from(text));
  }
}
