import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from '../../demo/random.ts';
import type { Prose } from '../databases/prose.ts';

/** Pictures, small texts and style sheets, of which a site of 1,000 nodes has so many. */
const FILES_PER_1000_NODES = 120;
/** Of the files, each day: as many again are new. */
const REPLACED_SHARE = 0.005;

/** The files of a site's directory, which change from day to day: some are added, some replaced. */
export class SiteFiles {
  readonly path: string;
  readonly #random: Random;
  readonly #prose: Prose;
  #count = 0;

  constructor(path: string, random: Random, prose: Prose) {
    this.path = path;
    this.#random = random;
    this.#prose = prose;
  }

  fill(nodes: number): void {
    mkdirSync(this.path, { recursive: true });
    this.#add(Math.ceil((nodes / 1000) * FILES_PER_1000_NODES));
  }

  live(): void {
    const count = Math.ceil(this.#count * REPLACED_SHARE);
    for (let each = 0; each < count; each++) this.#write(this.#random.between(0, this.#count - 1));
    this.#add(count);
  }

  #add(count: number): void {
    for (let each = 0; each < count; each++) this.#write(this.#count++);
  }

  #write(number: number): void {
    const directory = join(this.path, 'files', `month-${Math.floor(number / 50)}`);
    mkdirSync(directory, { recursive: true });
    const isPicture = number % 3 !== 0;
    const content = isPicture
      ? this.#random.bytes(this.#random.between(10_000, 150_000))
      : this.#prose.body(this.#random, this.#random.between(1000, 20_000));
    writeFileSync(join(directory, `file-${number}.${isPicture ? 'jpg' : 'html'}`), content);
  }
}
