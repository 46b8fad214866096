/**
 * One reading of a PHP file and what it includes: what is known so far, what was noted, how much may
 * still be spent. Expressions and statements are evaluated against it.
 */
import { lineOfNode, parsePhp } from './php-syntax.ts';
import type { PhpStatement, PhpSyntax } from './php-syntax.ts';
import { PhpState } from './php-state.ts';
import { Unresolved } from './php-values.ts';
import type { PhpArray, PhpValue } from './php-values.ts';

/** Nodes evaluated and array entries copied, over all files of one reading: a second or two of work. */
const MAX_STEPS = 2_000_000;
/**
 * Over all readings of one session, half a minute of work: fifty files that are made to cost as much as one may, or more
 * than a thousand sites with all that BOA includes into each (83,000 steps).
 */
const MAX_SESSION_STEPS = 100_000_000;
/** Files that many settings include; more are parsed again. */
const MAX_SYNTAXES = 100;
const MAX_DEPTH = 600;
const MAX_NOTES = 100;

const USED_UP = 'was not read: the settings of this account take too many steps together';

/** What the readings of one tenant's settings have together: files that all include, parsed once, and what they may cost. */
export class PhpSession {
  readonly #syntaxes = new Map<string, { readonly bytes: Uint8Array; readonly syntax: PhpSyntax }>();
  #stepsLeft: number;

  constructor(maxSteps: number = MAX_SESSION_STEPS) {
    this.#stepsLeft = maxSteps;
  }

  /** Throws nothing: false where the tenant has used up what all of his settings may cost. */
  spend(steps: number): boolean {
    this.#stepsLeft -= steps;
    return this.#stepsLeft >= 0;
  }

  /** The syntax of a file's bytes, remembered by its path as long as they are the same. */
  parse(path: string, bytes: Uint8Array): PhpSyntax {
    const known = this.#syntaxes.get(path);
    if (known !== undefined && Buffer.compare(known.bytes, bytes) === 0) return known.syntax;
    const syntax = this.parseOnce(bytes);
    if (this.#syntaxes.size < MAX_SYNTAXES) this.#syntaxes.set(path, { bytes, syntax });
    return syntax;
  }

  /** Of a file that no other includes. To parse a byte takes about as long as a step. */
  parseOnce(bytes: Uint8Array): PhpSyntax {
    return this.spend(bytes.length) ? parsePhp(bytes) : { ok: false, code: 'too-large', message: USED_UP, line: 1 };
  }
}

/** How files that the source names are looked at. Refuses everything outside of what may be read. */
export type PhpFiles = {
  read(path: string): PhpFile;
  probe(path: string): 'file' | 'directory' | 'missing' | 'refused';
  /** Whether a file that was read is the host's own and not a tenant's. */
  isShared?(path: string): boolean;
  readonly session?: PhpSession;
};

/** `path` of a file that was read is without symbolic links. */
export type PhpFile =
  | { readonly kind: 'read'; readonly path: string; readonly bytes: Uint8Array }
  | { readonly kind: 'missing' }
  | { readonly kind: 'refused'; readonly why: string };

export type PhpNote = {
  /** `not-run`: code that only running it could tell; `not-included`: a file that was not read. */
  readonly kind: 'not-run' | 'not-included' | 'syntax' | 'too-large' | 'unreadable';
  readonly message: string;
  readonly file: string;
  readonly line: number;
};

export type PhpOptions = {
  readonly files: PhpFiles;
  /** Set before the first line, by whoever includes the file in real life. */
  readonly variables?: Readonly<Record<string, PhpValue>>;
  readonly constants?: Readonly<Record<string, PhpValue>>;
  /** Constants of PHP and its extensions, which no source changes; those of classes as `class::NAME`. */
  readonly wellKnown?: Readonly<Record<string, PhpValue>>;
  /** `$_SERVER` as far as it is known. */
  readonly server?: PhpArray;
  /** What `getenv()` gives as far as it is known; one character per byte. */
  readonly environment?: ReadonlyMap<string, string> | undefined;
  /** Where relative includes are looked for first, and files that relative paths name. */
  readonly workingDirectory?: string;
  /** Names of files that are never followed: the application behind the settings. */
  readonly applicationFiles?: readonly string[];
};

/** Thrown through the evaluation where the source stops; `limit` ends the whole reading. */
export class PhpStop {
  readonly kind: 'exit' | 'return' | 'limit';
  readonly why: string;

  constructor(kind: 'exit' | 'return' | 'limit', why = '') {
    this.kind = kind;
    this.why = why;
  }
}

export class PhpReading {
  readonly options: PhpOptions;
  readonly notes: PhpNote[] = [];
  /** Functions that the source declares, by their lower-case names. */
  readonly functions: Map<string, PhpStatement> = new Map();
  readonly included: Set<string> = new Set();
  state: PhpState;
  file = '';
  /** States at every `return` of the file that is being read. */
  returns: { state: PhpState; value: PhpValue }[] = [];
  depth = 0;
  fileDepth = 0;
  #steps = 0;

  constructor(options: PhpOptions, state: PhpState) {
    this.options = options;
    this.state = state;
  }

  readonly spend = (steps: number): void => {
    this.#steps += steps;
    if (this.#steps > MAX_STEPS) throw new PhpStop('limit', 'takes too many steps to read');
    if (this.options.files.session?.spend(steps) === false) throw new PhpStop('limit', USED_UP);
  };

  /** Runs `work` one level deeper. */
  deeper<T>(work: () => T): T {
    this.spend(1);
    if (this.depth >= MAX_DEPTH) throw new PhpStop('limit', 'is nested too deeply');
    this.depth++;
    try {
      return work();
    } finally {
      this.depth--;
    }
  }

  unresolved(node: object, why: string): Unresolved {
    return new Unresolved(why, this.file, lineOfNode(node));
  }

  note(kind: PhpNote['kind'], node: object, message: string): void {
    const line = lineOfNode(node);
    const isKnown = this.notes.some(
      (note) => note.line === line && note.file === this.file && note.message === message,
    );
    if (!isKnown && this.notes.length < MAX_NOTES) this.notes.push({ kind, message, file: this.file, line });
  }

  /**
   * Reads alternatives of which nobody knows which one runs, each on its own fork, and merges what is
   * left of them. An alternative that ends the program does not count: behind it nothing runs.
   */
  either<T>(cause: Unresolved, alternatives: readonly (() => T)[]): T[] {
    const before = this.state;
    const results: T[] = [];
    const ends: PhpState[] = [];
    let stop: PhpStop | null = null;
    for (const alternative of alternatives) {
      this.spend(before.variables.size + before.constants.size);
      this.state = before.fork();
      try {
        results.push(alternative());
        ends.push(this.state);
      } catch (error) {
        this.state = before;
        if (!(error instanceof PhpStop) || error.kind === 'limit') throw error;
        if (stop === null || error.kind === 'return') stop = error;
      }
    }
    this.state = before;
    if (ends.length === 0 && stop !== null) throw stop;
    before.become(ends, cause, this.spend);
    return results;
  }
}
