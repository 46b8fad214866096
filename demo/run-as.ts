import { spawn, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import type { DemoAccount } from './aegir-account.ts';

/**
 * The command that runs another as the account's user with the web group, where we are root, and that dies with us:
 * nothing of the demo outlives it.
 */
export function asAccount(account: DemoAccount, command: readonly string[]): readonly [string, ...string[]] {
  const identity =
    process.getuid?.() === 0 ? [`--reuid=${account.uid}`, `--regid=${account.gid}`, `--groups=${account.webGid}`] : [];
  return ['setpriv', '--pdeathsig=KILL', ...identity, ...command];
}

/** Runs a command to its end with `input` on its standard input; gives its output, or throws with what it said. */
export async function runToEnd(
  command: readonly [string, ...string[]],
  input: string,
  options: Pick<SpawnOptions, 'cwd'> = {},
): Promise<string> {
  const [file, ...args] = command;
  const child = spawn(file, args, { ...options, stdio: ['pipe', 'pipe', 'pipe'] });
  const ended = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [output, complaint, [code, signal]] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  if (code === 0) return output;
  throw new Error(`${file} ${args.join(' ')} failed (${signal ?? `exit code ${code}`}):\n${complaint}${output}`.trim());
}
