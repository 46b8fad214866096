import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { buffer, text } from 'node:stream/consumers';
import type { Command } from '../programs.ts';

export type RunOptions = {
  /** Working directory, home and temporary directory of what runs. */
  readonly work: string;
  readonly signal: AbortSignal;
  /** Called with the process's number when it runs. */
  readonly onStart?: (pid: number) => void;
};

/** `output` is what it wrote to stdout. */
export type Run = { readonly output: Buffer; readonly milliseconds: number };

/** What a command said that failed is cut here, in characters. */
const MAX_SAID = 2000;

/** Runs a command to its end. Throws with what it said where it does not end with exit code 0. */
export async function runCommand([file, ...args]: Command, { work, signal, onStart }: RunOptions): Promise<Run> {
  const begin = performance.now();
  const child = spawn(file, args, {
    cwd: work,
    // Both sides see the same few things; local time costs calls that the other side may not make.
    env: { PATH: process.env['PATH'], HOME: work, TMPDIR: work, TZ: 'UTC', LANG: 'C.UTF-8' },
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
  });
  const said = Promise.all([buffer(child.stdout), text(child.stderr)]);
  if (child.pid !== undefined) onStart?.(child.pid);
  const [code, killedBy] = (await once(child, 'exit')) as [number | null, string | null];
  const milliseconds = performance.now() - begin;
  const [output, complaint] = await said;
  if (code === 0) return { output, milliseconds };
  const words = `${complaint}\n${output.toString('utf8', 0, MAX_SAID)}`.trim().slice(0, MAX_SAID);
  throw new Error(`${file} ${args.join(' ')}: ended with ${code ?? killedBy}\n${words}`);
}

/** The same for a command that writes text. */
export async function readCommand(command: Command, options: RunOptions): Promise<string> {
  return (await runCommand(command, options)).output.toString('utf8');
}
