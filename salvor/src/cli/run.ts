/**
 * One run of the command: parse → do → print one document (or its text) → exit code. The only place of the
 * command line where errors are caught.
 */
import type { ErrorDocument, Problem } from '@salvor/contract';
import type { Environment } from '../config.ts';
import type { CommandContext, CommandResult } from './command.ts';
import { CommanderError } from 'commander';
import { describeError } from './describe-error.ts';
import type { ErrorDescription } from './describe-error.ts';
import { buildProgram } from './program.ts';
import { escapeControl } from './readable.ts';
import { renderProblems } from './render-problems.ts';
import { OutputClosed, writeAll } from './terminal.ts';
import type { Terminal } from './terminal.ts';

export type Surroundings = {
  readonly terminal: Terminal;
  readonly environment: Environment;
  readonly clock: () => Date;
  readonly uptime?: NonNullable<CommandContext['uptime']>;
  readonly signal: AbortSignal;
};

/** Runs the command that `args` name (without node and script) and gives its exit code: 0, 1, 2 or 3. */
export async function run(args: readonly string[], surroundings: Surroundings): Promise<0 | 1 | 2 | 3> {
  const { terminal, signal } = surroundings;
  let exit: 0 | 1 | 2 | 3 = 0;
  let help = '';
  const output = {
    write: (text: string) => void terminal.stdout.write(text),
    writeError: (text: string) => void (help += text),
  };
  const program = buildProgram(output, async (flags, command) => {
    await using opened = new AsyncDisposableStack();
    const context: CommandContext = {
      ...surroundings,
      opened,
      configFile: flags.config ?? null,
      isJson: flags.json === true,
    };
    const result = await command(context);
    if (result === null) return;
    if (!('document' in result)) {
      await printProblems(result.problems, terminal);
      exit = result.problems.length > 0 ? 3 : 0;
      return;
    }
    await printResult(result, context);
    exit = result.exit;
  });
  try {
    signal.throwIfAborted();
    await program.parseAsync([...args], { from: 'user' });
    return exit;
  } catch (thrown) {
    if (signal.reason instanceof OutputClosed) return 0;
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return 0;
    if (thrown instanceof CommanderError && thrown.code === 'commander.help') {
      // No command was named: nothing is wrong with wanting to know which there are.
      await writeAll(terminal.stdout, help);
      return 0;
    }
    const error = describeStopped(describeError(thrown), signal);
    await printError(error, wantsJson(args), terminal);
    return error.exit;
  }
}

/** A step that was stopped fails in many ways; unless it says itself what stands now, what happened is that it was stopped. */
function describeStopped(error: ErrorDescription, signal: AbortSignal): ErrorDescription {
  const isTold = !['internal', 'system-refused'].includes(error.code);
  return signal.aborted && !isTold ? describeError(signal.reason) : error;
}

async function printResult(result: CommandResult, { isJson, terminal }: CommandContext): Promise<void> {
  const text = isJson ? JSON.stringify(result.document, null, terminal.isOutputTerminal ? 2 : 0) : result.text;
  if (text !== '') await writeAll(terminal.stdout, `${text}\n`);
}

/** Of a command whose output stands on stdout already. */
async function printProblems(problems: readonly Problem[], { stderr, messages }: Terminal): Promise<void> {
  await writeAll(
    stderr,
    renderProblems(problems, messages)
      .map((line) => `${line}\n`)
      .join(''),
  );
}

async function printError(error: ErrorDescription, isJson: boolean, terminal: Terminal): Promise<void> {
  if (isJson) {
    const { code, message, hint, context } = error;
    const document: ErrorDocument = { error: { code, message, hint, context } };
    await writeAll(terminal.stdout, `${JSON.stringify(document, null, terminal.isOutputTerminal ? 2 : 0)}\n`);
    // On a terminal the document stands there already; in a log of messages it would be missing.
    if (terminal.isOutputTerminal) return;
  }
  const { red, dim } = terminal.messages;
  const lines = [`${red('salvor:')} ${escapeControl(error.message)} ${dim(`(${error.code})`)}`];
  if (error.hint !== null) lines.push(`  ${escapeControl(error.hint)}`);
  if (error.stack !== null) lines.push(dim(error.stack));
  await writeAll(terminal.stderr, `${lines.join('\n')}\n`);
}

/** Looked for in the arguments themselves: wrong usage is reported before they were understood. */
function wantsJson(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return (end < 0 ? args : args.slice(0, end)).includes('--json');
}
