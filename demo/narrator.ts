import { stripVTControlCharacters, styleText } from 'node:util';

/** Where the show is told: headed steps, one line for each thing that was done and checked, figures at the right. */
export class Narrator {
  readonly #out: NodeJS.WriteStream;
  readonly #isLive: boolean;
  #steps = 0;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
    this.#isLive = out.isTTY && process.env['TERM'] !== 'dumb';
  }

  title(name: string, about: string): void {
    this.#line();
    this.#line(`  ${this.#style('bold', name)}`);
    this.#line(`  ${this.#style('dim', about)}`);
  }

  /** Begins a step, with the command that does it where there is one. */
  step(title: string, command?: string): void {
    this.#steps += 1;
    this.#line();
    this.#line(`${this.#style('cyan', String(this.#steps).padStart(2))}  ${this.#style('bold', title)}`);
    if (command !== undefined) this.#line(`    ${this.#style('dim', `$ ${command}`)}`);
  }

  /** Does one thing and ticks it off with what it says and how long it took; on a terminal it is announced meanwhile. */
  async tick<T>(doing: string, work: () => Promise<T>, said: (result: T) => string = () => doing): Promise<T> {
    if (this.#isLive) this.#out.write(`    ${this.#style('dim', `· ${doing} …`)}`);
    const start = performance.now();
    try {
      const result = await work();
      this.#clear();
      this.#ticked(said(result), performance.now() - start);
      return result;
    } catch (error) {
      this.#clear();
      this.#line(`    ${this.#style('red', '✗')} ${doing}`);
      throw error;
    }
  }

  detail(text: string): void {
    for (const line of text.split('\n')) this.#line(`      ${this.#style('dim', line)}`);
  }

  plain(text = ''): void {
    this.#line(text === '' ? '' : `  ${text}`);
  }

  /** A name and what it is, in two columns. */
  pair(name: string, value: string): void {
    this.#line(`    ${this.#style('dim', name.padEnd(22))}${value}`);
  }

  bold(text: string): string {
    return this.#style('bold', text);
  }

  failure(text: string): void {
    this.#line();
    for (const [index, line] of text.split('\n').entries()) {
      this.#line(index === 0 ? `  ${this.#style('red', line)}` : `  ${line}`);
    }
  }

  #ticked(text: string, ms: number): void {
    const time = `${(ms / 1000).toFixed(1)} s`;
    const room = Math.max(1, 84 - stripVTControlCharacters(text).length - time.length);
    this.#line(`    ${this.#style('green', '✓')} ${text}${' '.repeat(room)}${this.#style('dim', time)}`);
  }

  #clear(): void {
    if (this.#isLive) this.#out.write('\r\x1b[2K');
  }

  #line(text = ''): void {
    this.#out.write(`${text}\n`);
  }

  #style(format: Parameters<typeof styleText>[0], text: string): string {
    return styleText(format, text, { stream: this.#out });
  }
}

/** 1,234,567 bytes as `1.2 MB`. */
export function bytesText(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const unit = bytes < 1e6 ? 'kB' : bytes < 1e9 ? 'MB' : 'GB';
  const size = bytes / (bytes < 1e6 ? 1e3 : bytes < 1e9 ? 1e6 : 1e9);
  return `${size.toFixed(size < 10 ? 1 : 0)} ${unit}`;
}

/** `1 file`, `1,234 files`. */
export function countText(count: number, noun: string): string {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;
}
