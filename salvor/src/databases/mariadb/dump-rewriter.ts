/**
 * Changes a dump while it streams, so that a user without rights may load it into a database of any name: definers are
 * taken out and told, events are made disabled, locks of tables go, and where the database that was dumped is named as its
 * own, the name goes; so does what makes that database and goes into it.
 *
 * Only what the dump tool itself writes is changed: definers and a trigger's names at the beginning of a statement; of what
 * the server writes with the database's name, wherever it lies, the sequences in defaults and views and the functions in
 * views. Statements are found as the client finds them: quotes and comments followed, `DELIMITER` obeyed. Text in a body or
 * a literal, even `CREATE DEFINER=…`, passes as it is. What is written in any other way passes too, and the server refuses it.
 */
import { type DatabaseAccount, quoteName } from './connect.ts';
import type { FoundDefiner } from './rewrite-definers.ts';

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
/** As whoever made it typed it. */
const TYPED = `(?:(${NAME}|[^\\s\`".]+)\\s*\\.\\s*)?(${NAME}|[^\\s\`"]+)`;
const TRIGGER_NAME = new RegExp(`^(\\s*(?:IF NOT EXISTS\\s+)?)${TYPED}`, 'i');
const TRIGGER_TABLE = new RegExp(`^(\\s+(?:BEFORE|AFTER)\\s+(?:INSERT|UPDATE|DELETE)\\s+ON\\s+)${TYPED}`, 'i');
const TABLE = /^(?:\/\*!\d+ )?CREATE (?:OR REPLACE )?TABLE /;
/** Ends with the line: comments, and the tool's first one, which is no statement. */
const LINE = /^(?:--|#|\/\*M!999999\\- )/;
/** Of a whole dump: what it is of. The tool writes it before all else. */
const ORIGIN = /^-- Host: .*? {4}Database: (.+)$/;
/** In a database that nobody else knows it keeps nobody out, and would keep out a sequence that a default is taken from. */
const LOCK = new RegExp(`^LOCK TABLES ${NAME} WRITE;`);
/** Of a whole dump with `--databases` or out of phpMyAdmin: makes the database that was dumped, and goes into it. */
const SURROUNDING = new RegExp(
  `^(?:CREATE DATABASE (?:/\\*!32312 IF NOT EXISTS\\*/ |IF NOT EXISTS )?(${NAME})[^;'"\`]*;` +
    `|/\\*!40000 DROP DATABASE IF EXISTS (${NAME})\\*/;|USE (${NAME});)`,
  'i',
);
const DELIMITER = /^delimiter[ \t]+(\S+)[^\n]*(?:\n|$)/i;

/** The longest beginning of a statement that is looked at: names, an account and a schedule are far shorter. */
const LOOKAHEAD_BYTES = 8192;
/** What is looked at in one go within a statement: two names with what stands between them, or a few characters. */
const MARGIN_BYTES = 1024;

/** As the server writes them. */
const SEQUENCE_CALLS = ['nextval(', 'lastval(', 'setval('];
const CALLED = /^`(?:[^`]|``)*`\(/;

export type RewriteOptions = {
  /** Filled while it reads. */
  readonly found: FoundDefiner[];
  /** The database that was dumped; null where nobody knows. */
  readonly origin: string | null;
  /** From the first INSERT on everything passes unread: that of a table's part, which is long. */
  readonly stopsAtRows?: boolean;
};

export class DumpRewriter {
  readonly #found: FoundDefiner[];
  readonly #stopsAtRows: boolean;
  /** Of another program, in one piece: ours says in its head what it is of. */
  readonly #isWhole: boolean;
  /** Quoted; empty where it is not known. */
  #origin = '';
  /** Bytes as latin1 characters: one a byte, so that no byte changes on the way. */
  #text = '';
  #at = 0;
  #out: string[] = [];
  #delimiter = ';';
  #isAtStart = true;
  #kind: 'table' | 'view' | 'other' = 'other';
  /** The database that a whole dump is of by its own statements, quoted. */
  #surrounding: string | null = null;
  #quote = '';
  #comment: 'none' | 'line' | 'block' = 'none';

  /** All that comes passes as it is. */
  isPast = false;

  constructor({ found, origin, stopsAtRows = false }: RewriteOptions) {
    this.#found = found;
    this.#stopsAtRows = stopsAtRows;
    this.#isWhole = origin === null && !stopsAtRows;
    if (origin !== null) this.#origin = toLatin1(quoteName(origin));
  }

  push(bytes: Buffer, isLast: boolean): Buffer {
    this.#text = this.#text.slice(this.#at) + bytes.toString('latin1');
    this.#at = 0;
    this.#out = [];
    const needed = isLast ? 1 : LOOKAHEAD_BYTES;
    while (!this.isPast && this.#text.length - this.#at >= needed) {
      if (this.#isAtStart) this.#readStart();
      else this.#readBody(isLast);
    }
    if (this.isPast) this.#take(this.#text.length - this.#at);
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
    if (this.#comment === 'line' || LINE.test(rest)) return this.#readLineComment();
    const lock = LOCK.exec(rest);
    if (lock !== null && this.#delimiter === ';') {
      this.#at += lock[0].length;
      return;
    }
    if (this.#leaveOutSurrounding(rest)) return;
    const delimiter = DELIMITER.exec(rest);
    if (delimiter !== null) {
      this.#delimiter = delimiter[1] ?? ';';
      return this.#take(delimiter[0].length);
    }
    this.isPast = this.#stopsAtRows && rest.startsWith('INSERT INTO ');
    if (this.isPast) return;
    this.#isAtStart = false;
    this.#kind = TABLE.test(rest) ? 'table' : 'other';
    this.#rewrite(rest);
  }

  /** The scratch database is there and is used. A second database passes, and the server refuses it. */
  #leaveOutSurrounding(rest: string): boolean {
    if (!this.#isWhole || this.#delimiter !== ';') return false;
    const [whole, made, dropped, used] = SURROUNDING.exec(rest) ?? [];
    const name = made ?? dropped ?? used;
    if (whole === undefined || name === undefined || (this.#surrounding ?? name) !== name) return false;
    this.#surrounding = name;
    if (this.#origin === '') this.#origin = name;
    this.#at += whole.length;
    return true;
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
      const name = quoted ?? TRIGGER_NAME.exec(rest.slice(whole.length))?.[3] ?? '';
      this.#found.push({ kind, name: unquote(name), definer: parseAccount(account), isEnabled: state !== 'DISABLE' });
      this.#out.push(before, after, kind === 'event' ? 'DISABLE' : '');
      this.#at += whole.length;
      if (kind === 'view') this.#kind = 'view';
      if (kind === 'trigger') this.#rewriteTrigger(rest.slice(whole.length));
      return;
    }
  }

  /** The server keeps a trigger as it was typed, with the database before its name and that of its table or without. */
  #rewriteTrigger(rest: string): void {
    let at = 0;
    for (const pattern of [TRIGGER_NAME, TRIGGER_TABLE]) {
      const [whole, before = '', database, name = ''] = pattern.exec(rest.slice(at)) ?? [];
      if (whole === undefined) break;
      const isOwn = database !== undefined && toLatin1(quoteName(unquote(database))) === this.#origin;
      this.#out.push(isOwn ? before + name : whole);
      at += whole.length;
    }
    this.#at += at;
  }

  #readLineComment(): void {
    const end = this.#text.indexOf('\n', this.#at);
    const [, origin] = (this.#origin === '' && end !== -1 && ORIGIN.exec(this.#text.slice(this.#at, end))) || [];
    if (origin !== undefined) this.#origin = `\`${origin.replaceAll('`', '``')}\``;
    this.#comment = end === -1 ? 'line' : 'none';
    this.#take(end === -1 ? this.#text.length - this.#at : end + 1 - this.#at);
  }

  /** Up to the end of the statement, or as far as what is at hand can be judged. */
  #readBody(isLast: boolean): void {
    // Near the end more bytes are awaited.
    const limit = isLast ? this.#text.length : this.#text.length - MARGIN_BYTES;
    let at = this.#at;
    while (at < limit) {
      const character = this.#text[at] as string;
      if (this.#comment !== 'none') {
        const isEnd = this.#comment === 'line' ? character === '\n' : this.#text.startsWith('*/', at);
        at += isEnd && this.#comment === 'block' ? 2 : 1;
        if (isEnd) this.#comment = 'none';
        continue;
      }
      if (this.#quote !== '') {
        if (character === '\\' && this.#quote !== '`') at += 1;
        else if (character === this.#quote) this.#quote = '';
        at += 1;
        continue;
      }
      const own = this.#findOwnName(at);
      if (own !== null) {
        this.#take(own - this.#at);
        this.#at += this.#origin.length + 1;
        at = this.#at;
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
    this.#take(at - this.#at);
  }

  /** Where the name of the database begins that stands here before one of its own: `nextval(`live`.`s`)`, `live`.`f`(…). */
  #findOwnName(at: number): number | null {
    if (this.#kind === 'other' || this.#origin === '') return null;
    const named = `${this.#origin}.`;
    const call = SEQUENCE_CALLS.find((text) => this.#text.startsWith(text, at)) ?? '';
    if (!this.#text.startsWith(named, at + call.length)) return null;
    if (call !== '') return at + call.length;
    // An alias of a table may be called like the database: what stands behind it is a column then.
    const name = at + named.length;
    return this.#kind === 'view' && CALLED.test(this.#text.slice(name, name + MARGIN_BYTES / 2)) ? at : null;
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

/** The bytes of its UTF-8, one a character. */
function toLatin1(text: string): string {
  return Buffer.from(text).toString('latin1');
}
