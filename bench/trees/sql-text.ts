import type { Random } from '../../demo/random.ts';

/** Sentences to put together: more than one cut of a dump holds, so that a compressor does not live on repeats. */
const SENTENCES = 60_000;
const ROWS_PER_INSERT = 40;

/** Writes what compresses as a dump of a site's database does: numbers that grow, titles, bodies, hashes. */
export class SqlText {
  readonly #sentences: readonly string[];

  constructor(random: Random) {
    this.#sentences = Array.from({ length: SENTENCES }, () => random.sentence());
  }

  /** At least `bytes` bytes in pieces that end with a statement. */
  *write(random: Random, bytes: number): Generator<string> {
    let row = 0;
    let written = 0;
    while (written < bytes) {
      const rows = Array.from({ length: ROWS_PER_INSERT }, () => this.#writeRow(random, ++row));
      const piece = `INSERT INTO \`node_revision__body\` VALUES\n${rows.join(',\n')};\n`;
      written += piece.length;
      yield piece;
    }
  }

  #writeRow(random: Random, row: number): string {
    const body = Array.from({ length: random.between(1, 9) }, () => random.pick(this.#sentences)).join(' ');
    const time = 1_500_000_000 + row * 37 + random.between(0, 36);
    const hash = `${random.next().toString(16)}${random.next().toString(16)}`;
    return `(${row},${row * 3 + random.between(0, 2)},'${random.pick(['page', 'article', 'event', 'forum'])}','en','${random.title()}',${time},'<p>${body}</p>','basic_html','${hash}',${random.between(0, 1)})`;
  }
}
