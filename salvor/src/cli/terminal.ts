/**
 * What a command is connected to: where its document goes, where its messages go, and whether a person is there.
 * Commands write nowhere else, so that with `--json` exactly one document stands on stdout.
 */
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { makePaint } from './paint.ts';
import type { Paint } from './paint.ts';

export type Terminal = {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly isOutputTerminal: boolean;
  readonly isMessageTerminal: boolean;
  /** Whether a question can be asked and answered. */
  readonly canAsk: boolean;
  /** Whether a line can be drawn over again. */
  readonly canRedraw: boolean;
  /** Of the terminal that messages go to. */
  readonly columns: () => number;
  /** For stdout and for stderr: one may go to a file. */
  readonly output: Paint;
  readonly messages: Paint;
};

export function openTerminal(environment: {
  readonly isColourUnwanted: boolean;
  readonly isTerminalDumb: boolean;
}): Terminal {
  const { stdin, stdout, stderr } = process;
  const isColoured = (isTerminal: boolean): boolean => isTerminal && !environment.isColourUnwanted;
  return {
    stdin,
    stdout,
    stderr,
    isOutputTerminal: stdout.isTTY,
    isMessageTerminal: stderr.isTTY,
    canAsk: stdin.isTTY && stderr.isTTY,
    canRedraw: stderr.isTTY && !environment.isTerminalDumb,
    columns: () => stderr.columns || 80,
    output: makePaint(isColoured(stdout.isTTY)),
    messages: makePaint(isColoured(stderr.isTTY)),
  };
}

/** Why a run was stopped whose reader went away: `salvor ls … | head`. */
export class OutputClosed extends Error {}

/** Resolves when the stream took the text: a large document must not be lost to an early exit. */
export async function writeAll(stream: Writable, text: string): Promise<void> {
  if (text === '') return;
  // Its error is told by the stream's own event; here it only matters that the writing has ended.
  await new Promise<void>((resolve) => {
    stream.write(text, () => resolve());
  });
}

/** Bytes as they come, as fast as they are taken. */
export async function writeBytes(
  stream: Writable,
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  for await (const chunk of bytes) {
    signal.throwIfAborted();
    if (!stream.write(chunk)) await once(stream, 'drain', { signal });
  }
}
