/**
 * Failures of the product that a person can act on. Every code stands once in the catalogue below,
 * with its message, what to do about it and the exit code; `docs/errors.md` is made from it.
 * Facts that do not stop an operation (an unreadable file) are returned as problems, not thrown.
 */
export type ErrorContext = Readonly<Record<string, string | number | boolean | readonly string[]>>;

export type ErrorEntry = {
  /** What happened, with names, from the context. */
  readonly message: (context: ErrorContext) => string;
  /** What to do next. */
  readonly hint: string;
  readonly exit: 1 | 2;
  readonly retry: 'never' | 'later';
};

/** Code → what is said of it. Alphabetical. */
export const SALVOR_ERRORS = {
  'site-unknown': {
    message: (c) => `No site is called ${String(c['site'])} on this host.`,
    hint: 'List the sites with: salvor sites',
    exit: 1,
    retry: 'never',
  },
} as const satisfies Record<string, ErrorEntry>;

export type SalvorErrorCode = keyof typeof SALVOR_ERRORS;

/** Thrown where an operation of the product failed. Branch on `code`, never on the text. */
export class SalvorError extends Error {
  override readonly name = 'SalvorError';
  readonly code: SalvorErrorCode;
  readonly hint: string;
  readonly context: ErrorContext;
  readonly retry: 'never' | 'later';

  constructor(code: SalvorErrorCode, context: ErrorContext = {}, options: { readonly cause?: unknown } = {}) {
    const entry: ErrorEntry = SALVOR_ERRORS[code];
    super(entry.message(context), options);
    this.code = code;
    this.hint = entry.hint;
    this.context = context;
    this.retry = entry.retry;
  }
}
