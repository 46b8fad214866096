/** Runs the command line in this process or as a process of its own, and gives back all that it wrote. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { Environment } from '../../src/config.ts';
import { makePaint } from '../../src/cli/paint.ts';
import { run } from '../../src/cli/run.ts';
import type { Terminal } from '../../src/cli/terminal.ts';

export type Ran = { readonly exit: number; readonly out: string; readonly err: string };

export const SALVOR = join(import.meta.dirname, '../../../bin/salvor');

/** The command in this process, without a terminal unless `terminal` says so. */
export async function runCli(
  args: readonly string[],
  options: {
    readonly terminal?: Partial<Terminal>;
    readonly environment?: Partial<Environment>;
    readonly signal?: AbortSignal;
  } = {},
): Promise<Ran> {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const texts = Promise.all([buffer(stdout), buffer(stderr)]);
  const exit = await run(args, {
    terminal: {
      stdin: new PassThrough().end(),
      stdout,
      stderr,
      isOutputTerminal: false,
      isMessageTerminal: false,
      canAsk: false,
      canRedraw: false,
      columns: () => 80,
      output: makePaint(false),
      messages: makePaint(false),
      ...options.terminal,
    },
    environment: {
      configFile: null,
      isColourUnwanted: false,
      isTerminalDumb: false,
      repository: null,
      passwordFile: null,
      variable: () => '',
      ...options.environment,
    },
    clock: () => new Date(),
    signal: options.signal ?? new AbortController().signal,
  });
  stdout.end();
  stderr.end();
  const [out, err] = await texts;
  return { exit, out: out.toString(), err: err.toString() };
}

/** The command as it is typed. */
export async function spawnCli(
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Ran> {
  const child = spawn(SALVOR, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { PATH: process.env['PATH'], ...options.env },
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? -1));
  });
  const [out, err, exit] = await Promise.all([buffer(child.stdout), buffer(child.stderr), ended]);
  return { exit, out: out.toString(), err: err.toString() };
}
