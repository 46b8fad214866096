import type { Random } from '../../demo/random.ts';

/** Words of a language, about as many as the texts of one site use. */
const WORDS = 12_000;
const SYLLABLES =
  'an ar ber co da de di en er fa fi ge ha in is ka la le li lo ma me mi mo na ne no or pe po ra re ri ro sa se si so ta te ti to tra un ur va ve vi wa'.split(
    ' ',
  );

/**
 * Writes what compresses as prose does: words by Zipf's law, so that a few are most of the text and most are rare. A
 * vocabulary of a hundred words would let a compressor find whole sentences again.
 */
export class Prose {
  readonly #words: readonly string[];

  constructor(random: Random) {
    const words = new Set<string>();
    while (words.size < WORDS) {
      // Frequent words are short.
      const syllables = 1 + random.between(0, Math.min(4, Math.floor(words.size / 40)));
      words.add(Array.from({ length: syllables }, () => random.pick(SYLLABLES)).join(''));
    }
    this.#words = [...words];
  }

  word(random: Random): string {
    // The rank of a word of Zipf's law: exponentially distributed in its logarithm.
    const rank = Math.floor(WORDS ** (random.next() / 2 ** 32)) - 1;
    return this.#words[rank] as string;
  }

  sentence(random: Random): string {
    const words = Array.from({ length: random.between(5, 16) }, () => this.word(random)).join(' ');
    return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
  }

  title(random: Random): string {
    const words = Array.from({ length: random.between(2, 7) }, () => this.word(random)).join(' ');
    return `${words.charAt(0).toUpperCase()}${words.slice(1)}`;
  }

  /** Paragraphs of HTML, at least so many characters. */
  body(random: Random, characters: number): string {
    const paragraphs: string[] = [];
    for (let length = 0; length < characters; length += paragraphs.at(-1)?.length ?? 0) {
      const sentences = Array.from({ length: random.between(2, 6) }, () => this.sentence(random)).join(' ');
      paragraphs.push(`<p>${sentences}</p>`);
    }
    return paragraphs.join('\r\n');
  }
}
