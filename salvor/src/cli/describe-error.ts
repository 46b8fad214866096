// Without the schemas, whose library takes 60 ms to load: every command comes by here, few check a document.
import { ERROR_CODES } from '@salvor/contract/error-codes';
import type { ErrorDocument } from '@salvor/contract';
import { CommanderError } from 'commander';
import { SALVOR_ERRORS, SalvorError } from '../errors.ts';
import type { ErrorContext } from '../errors.ts';

export type ErrorDescription = ErrorDocument['error'] & {
  readonly exit: 1 | 2;
  /** Only of a fault of our own: what its report needs. */
  readonly stack: string | null;
};

/** What is said of anything that was thrown. The real cause comes first, whatever failed while cleaning up after it. */
export function describeError(thrown: unknown): ErrorDescription {
  const error = findCause(thrown);
  if (isCoded(error)) {
    const { code, message, hint, context } = error;
    return { code, message: unprefixed(message), hint, context, exit: exitOf(code), stack: null };
  }
  if (error instanceof CommanderError) return describeError(new SalvorError('usage', { problem: usageProblem(error) }));
  if (error instanceof Error && error.name === 'AbortError') return describeError(new SalvorError('cancelled'));
  if (error instanceof Error && 'syscall' in error && 'code' in error) {
    return describeError(new SalvorError('system-refused', { reason: error.message }, { cause: error }));
  }
  const message = error instanceof Error ? error.message : String(error);
  return {
    code: 'internal',
    message: `A fault of Salvor's own: ${message || 'no message'}`,
    hint: 'Please report it with what stands below. Nothing that was reported done is undone by it.',
    context: {},
    exit: 1,
    stack: error instanceof Error ? (error.stack ?? null) : null,
  };
}

/** JavaScript keeps the first error as `suppressed` when a disposal fails too. */
function findCause(thrown: unknown): unknown {
  let error = thrown;
  while (error instanceof SuppressedError) error = error.suppressed;
  if (error instanceof AggregateError && error.errors.length > 0) return findCause(error.errors[0]);
  return error;
}

/** Errors of all workspaces have one shape; the engine's class is none of the command line's business. */
function isCoded(error: unknown): error is Error & { code: string; hint: string; context: ErrorContext } {
  return (
    error instanceof Error &&
    'code' in error &&
    typeof error.code === 'string' &&
    'hint' in error &&
    typeof error.hint === 'string' &&
    'context' in error &&
    typeof error.context === 'object' &&
    error.context !== null
  );
}

function exitOf(code: string): 1 | 2 {
  const own: Readonly<Record<string, { readonly exit: 1 | 2 } | undefined>> = SALVOR_ERRORS;
  const wire: Readonly<Record<string, { readonly exit: 1 | 2 } | undefined>> = ERROR_CODES;
  return own[code]?.exit ?? wire[code]?.exit ?? 1;
}

/** Commander's text without its prefix and with its suggestion on the same line. */
function usageProblem(error: CommanderError): string {
  const [problem = '', suggestion] = unprefixed(error.message).split('\n');
  const nearest = /Did you mean (?:one of )?(.+)\?/.exec(suggestion ?? '')?.[1];
  const text = problem.replace(/\.$/, '');
  return nearest === undefined ? text : `${text}; the nearest is ${nearest}`;
}

function unprefixed(message: string): string {
  return message.replace(/^error: /, '');
}
