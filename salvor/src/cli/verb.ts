import type { Command } from 'commander';
import type { CommandContext, CommandResult, Written } from './command.ts';

/** What every verb has. `examples` are lines that can be typed as they are, `notes` what a person must know before. */
export function addVerb(
  parent: Command,
  name: string,
  summary: string,
  {
    examples = [],
    notes = [],
    json = 'print one JSON document',
  }: { examples?: readonly string[]; notes?: readonly string[]; json?: string } = {},
): Command {
  const noted = notes.length === 0 ? '' : `\n${notes.join('\n')}\n`;
  const shown = examples.length === 0 ? '' : `\nExamples:\n${examples.map((line) => `  ${line}`).join('\n')}\n`;
  return parent
    .command(name)
    .summary(summary)
    .description(`${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`)
    .option('--config <file>', 'configuration (default: $SALVOR_CONFIG, ./salvor.yaml, /etc/salvor/salvor.yaml)')
    .option('--json', json)
    .helpOption('-h, --help', 'show this help')
    .addHelpText('after', `${noted}${shown}\n${exitCodes()}`);
}

/** For options that may be given more than once, and take one value each time. */
export function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

export function exitCodes(): string {
  const lines = ([0, 3, 1, 2] as const).map((code) => `  ${code}  ${EXIT_CODES[code]}`);
  return `Exit codes:\n${lines.join('\n')}`;
}

export type GlobalFlags = { readonly config?: string; readonly json?: boolean };

/** Null or `Written` from a command that wrote its output itself. */
export type Work = (context: CommandContext) => Promise<CommandResult | Written | null>;
export type Perform = (flags: GlobalFlags, work: Work) => Promise<void>;

const EXIT_CODES = {
  0: 'done',
  3: 'done, with problems, each of them named',
  1: 'failed, rolled back or cancelled; the message says what stands now',
  2: 'wrong usage or configuration; nothing was done',
} as const;
