/**
 * Takes the definers out of a dump's tail while it streams, so that a user without rights may create what is
 * in it, and keeps them for the switch; events are made disabled, so that none runs in a scratch database.
 *
 * Only what the dump tool itself writes at the beginning of a statement is changed. Statements are found as
 * the client finds them: quotes and comments followed, `DELIMITER` obeyed. Text in a body or a literal, even
 * `CREATE DEFINER=…`, passes as it is. What is written in any other way passes too, and the server refuses it.
 */
import type { DatabaseAccount } from './connect.ts';

export type FoundDefiner = {
  readonly kind: 'view' | 'trigger' | 'routine' | 'event';
  readonly name: string;
  /** Host is empty where the definer is a role. */
  readonly definer: DatabaseAccount;
  /** Of an event: whether it was enabled where it was dumped. */
  readonly isEnabled: boolean;
};

/** What was made under ANSI_QUOTES is dumped under it, and then all names have double quotes. */
const NAME = '(?:`(?:[^`]|``)*`|"(?:[^"]|"")*")';
const ACCOUNT = `${NAME}(?:@${NAME})?`;
/** A schedule: words and quoted values up to the word that says whether the event is enabled. */
const SCHEDULE = `ON SCHEDULE (?:[^'\`"]|'(?:[^'\\\\]|\\\\.|'')*')*?ON COMPLETION (?:NOT )?PRESERVE `;
const VIEW = new RegExp(
  `^(/\\*!50001 CREATE ALGORITHM=\\w+ \\*/\\n/\\*!50013 )DEFINER=(${ACCOUNT}) (SQL SECURITY \\w+ \\*/\\n/\\*!50001 VIEW (${NAME}))`,
);
/** The tool takes a view apart only where its definer has a host, which a role has not. */
const VIEW_OF_ROLE = new RegExp(
  `^(/\\*!50001 CREATE ALGORITHM=\\w+ )DEFINER=(${NAME}) (SQL SECURITY \\w+ VIEW (${NAME}))`,
);
const EVENT = new RegExp(
  `^(/\\*!50106 CREATE\\*/ )/\\*!50117 DEFINER=(${ACCOUNT})\\*/ (/\\*!50106 EVENT (${NAME}) ${SCHEDULE})(ENABLE|DISABLE)`,
);
const TRIGGER = new RegExp(`^(/\\*!50003 CREATE\\*/ )/\\*!50017 DEFINER=(${ACCOUNT})\\*/ (/\\*!50003 TRIGGER )`, 'i');
const ROUTINE = new RegExp(
  `^(CREATE )DEFINER=(${ACCOUNT}) ((?:AGGREGATE )?(?:FUNCTION|PROCEDURE|PACKAGE BODY|PACKAGE) (${NAME}))`,
);
const TRIGGER_NAME = new RegExp(`^\\s*(?:IF NOT EXISTS\\s+)?(?:(?:${NAME}|[^\\s\`".]+)\\.)?(${NAME}|[^\\s\`"]+)`, 'i');
const DELIMITER = /^delimiter[ \t]+(\S+)[^\n]*(?:\n|$)/i;

/** The longest beginning of a statement that is looked at: names, an account and a schedule are far shorter. */
const LOOKAHEAD_BYTES = 8192;

/** Passes a tail through; what it changed is in `found` once it was read to the end. */
export async function* rewriteDefiners(
  source: AsyncIterable<Uint8Array>,
  found: FoundDefiner[],
): AsyncGenerator<Uint8Array> {
  const scanner = new TailScanner(found);
  for await (const bytes of source) {
    const ready = scanner.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), false);
    if (ready.length > 0) yield ready;
  }
  const rest = scanner.push(Buffer.alloc(0), true);
  if (rest.length > 0) yield rest;
}

class TailScanner {
  readonly #found: FoundDefiner[];
  /** Bytes as latin1 characters: one a byte, so that no byte changes on the way. */
  #text = '';
  #at = 0;
  #out: string[] = [];
  #delimiter = ';';
  #isAtStart = true;
  #quote = '';
  #comment: 'none' | 'line' | 'block' = 'none';

  constructor(found: FoundDefiner[]) {
    this.#found = found;
  }

  push(bytes: Buffer, isLast: boolean): Buffer {
    this.#text = this.#text.slice(this.#at) + bytes.toString('latin1');
    this.#at = 0;
    this.#out = [];
    const needed = isLast ? 1 : LOOKAHEAD_BYTES;
    while (this.#text.length - this.#at >= needed) {
      if (this.#isAtStart) this.#readStart();
      else this.#readBody(isLast);
    }
    return Buffer.from(this.#out.join(''), 'latin1');
  }

  #take(length: number): void {
    this.#out.push(this.#text.slice(this.#at, this.#at + length));
    this.#at += length;
  }

  #readStart(): void {
    const rest = this.#text.slice(this.#at, this.#at + LOOKAHEAD_BYTES);
    const space = /^\s+/.exec(rest);
    if (space !== null) return this.#take(space[0].length);
    if (this.#comment === 'line' || rest.startsWith('--') || rest.startsWith('#')) return this.#readLineComment();
    const delimiter = DELIMITER.exec(rest);
    if (delimiter !== null) {
      this.#delimiter = delimiter[1] ?? ';';
      return this.#take(delimiter[0].length);
    }
    this.#isAtStart = false;
    this.#rewrite(rest);
  }

  #rewrite(rest: string): void {
    for (const [kind, pattern] of [
      ['view', VIEW],
      ['view', VIEW_OF_ROLE],
      ['event', EVENT],
      ['routine', ROUTINE],
      ['trigger', TRIGGER],
    ] as const) {
      const match = pattern.exec(rest);
      if (match === null) continue;
      const [whole, before = '', account = '', after = '', quoted, state] = match;
      const name = quoted ?? TRIGGER_NAME.exec(rest.slice(whole.length))?.[1] ?? '';
      this.#found.push({ kind, name: unquote(name), definer: parseAccount(account), isEnabled: state !== 'DISABLE' });
      this.#out.push(before, after, kind === 'event' ? 'DISABLE' : '');
      this.#at += whole.length;
      return;
    }
  }

  #readLineComment(): void {
    const end = this.#text.indexOf('\n', this.#at);
    this.#comment = end === -1 ? 'line' : 'none';
    this.#take(end === -1 ? this.#text.length - this.#at : end + 1 - this.#at);
  }

  /** Up to the end of the statement, or as far as what is at hand can be judged. */
  #readBody(isLast: boolean): void {
    // What opens a comment and a delimiter are a few characters: near the end more bytes are awaited.
    const limit = isLast ? this.#text.length : this.#text.length - 64;
    const start = this.#at;
    let at = start;
    while (at < limit) {
      const character = this.#text[at] as string;
      if (this.#comment !== 'none') {
        const isEnd = this.#comment === 'line' ? character === '\n' : this.#text.startsWith('*/', at);
        at += isEnd && this.#comment === 'block' ? 2 : 1;
        if (isEnd) this.#comment = 'none';
      } else if (this.#quote !== '') {
        if (character === '\\' && this.#quote !== '`') at += 2;
        else {
          if (character === this.#quote) this.#quote = '';
          at += 1;
        }
      } else if (this.#text.startsWith(this.#delimiter, at)) {
        at += this.#delimiter.length;
        this.#isAtStart = true;
        break;
      } else {
        if (character === "'" || character === '"' || character === '`') this.#quote = character;
        else if (character === '#' || /^--\s/.test(this.#text.slice(at, at + 3))) this.#comment = 'line';
        else if (character === '/' && /^\/\*(?!M?!)/.test(this.#text.slice(at, at + 4))) this.#comment = 'block';
        at += this.#comment === 'block' ? 2 : 1;
      }
    }
    this.#take(at - start);
  }
}

function parseAccount(quoted: string): DatabaseAccount {
  const [user = '', host = ''] = quoted.match(new RegExp(NAME, 'g')) ?? [];
  return { user: unquote(user), host: unquote(host) };
}

function unquote(name: string): string {
  const text = Buffer.from(name, 'latin1').toString('utf8');
  const quote = text[0] ?? '';
  return quote === '`' || quote === '"' ? text.slice(1, -1).replaceAll(quote + quote, quote) : text;
}
