/**
 * What goes over the agent's local socket: one JSON document a line, in both directions. A connection carries one call.
 *
 *   command → agent   { hello } | { call, arguments } … then, to stop it, { cancel }
 *   agent → command   { welcome } | { refused } | { told } … { item } … { bytes } … then { done } | { failed }
 *
 * Both ends are this program, run by root: what an argument holds is checked by whoever is called, as in one process.
 */
import { createInterface } from 'node:readline';
import type { Socket } from 'node:net';
import { once } from 'node:events';

export type Hello = { readonly version: string; readonly config: string };

export type ToAgent =
  | { readonly hello: Hello }
  | { readonly call: string; readonly arguments: readonly unknown[] }
  | { readonly cancel: string };

export type FromAgent =
  | { readonly welcome: { readonly process: number } }
  | { readonly refused: string }
  /** One of the functions that were handed over was called. */
  | { readonly told: string; readonly value: unknown }
  | { readonly item: unknown }
  /** Base64. */
  | { readonly bytes: string }
  | { readonly done: unknown }
  | { readonly failed: RelayedFault };

/** An error as it is put together again at the other end. */
export type RelayedFault = Readonly<Record<string, unknown>> & { readonly message: string };

/** The messages of a connection, until either end has closed it. One that breaks, or a line that is cut off, is its end too. */
export async function* readMessages<T>(socket: Socket): AsyncGenerator<T> {
  if (socket.destroyed) return;
  const lines = createInterface({ input: socket, crlfDelay: Number.POSITIVE_INFINITY });
  // Of a socket that is destroyed no end is told to whoever reads lines: he would wait for good.
  socket.once('close', () => lines.close());
  try {
    for await (const line of lines) if (line !== '') yield JSON.parse(line) as T;
  } catch {
    // Whoever reads learns of it by what is missing.
  }
}

/** Waits where the other end reads slower than we write. */
export async function sendMessage(socket: Socket, message: ToAgent | FromAgent): Promise<void> {
  if (socket.destroyed || socket.writableEnded) return;
  if (!socket.write(`${JSON.stringify(message)}\n`)) await Promise.race([once(socket, 'drain'), once(socket, 'close')]);
}

/** What was thrown, with all that `describeError` and a caller look at. Of several errors the one that began it. */
export function encodeFault(thrown: unknown): RelayedFault {
  let error = thrown;
  while (error instanceof SuppressedError) error = error.suppressed;
  if (error instanceof AggregateError && error.errors.length > 0) return encodeFault(error.errors[0]);
  if (!(error instanceof Error)) return { message: String(error) };
  const { name, message, stack } = error;
  const fault: Record<string, unknown> = { name, stack };
  for (const key of ['code', 'hint', 'context', 'retry', 'syscall'] as const)
    if (key in error) fault[key] = (error as unknown as Record<string, unknown>)[key];
  return { ...fault, message };
}

export function decodeFault({ message, ...fields }: RelayedFault): Error {
  return Object.assign(new Error(message), fields);
}

/** Stands where a signal stood: the other end puts its own there. */
const SIGNAL_MARK = '~signal';
const FUNCTIONS_MARK = '~functions';

export type Functions = ReadonlyMap<string, (value: unknown) => void>;

/** What a call was given, as JSON; its functions stay here, by their names. */
export function encodeArguments(values: readonly unknown[]): { arguments: readonly unknown[]; functions: Functions } {
  const functions = new Map<string, (value: unknown) => void>();
  const encoded = values.map((value) => {
    if (value instanceof AbortSignal) return { [SIGNAL_MARK]: true };
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    const plain: Record<string, unknown> = {};
    const names: string[] = [];
    for (const [key, inner] of Object.entries(value)) {
      if (typeof inner === 'function') {
        names.push(key);
        functions.set(key, inner as (told: unknown) => void);
      } else if (!(inner instanceof AbortSignal)) plain[key] = inner;
    }
    return { ...plain, [FUNCTIONS_MARK]: names };
  });
  return { arguments: encoded, functions };
}

/** The same for whoever is called: with this end's signal, and functions that tell the other end. */
export function decodeArguments(
  values: readonly unknown[],
  signal: AbortSignal,
  tell: (name: string, value: unknown) => void,
): unknown[] {
  return values.map((value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    if (SIGNAL_MARK in value) return signal;
    const { [FUNCTIONS_MARK]: names = [], ...plain } = value as Record<string, unknown> & {
      [FUNCTIONS_MARK]?: readonly string[];
    };
    const functions = Object.fromEntries(names.map((name) => [name, (told: unknown) => tell(name, told)]));
    return { ...plain, ...functions, signal };
  });
}
