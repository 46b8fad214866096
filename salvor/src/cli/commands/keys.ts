import { EXIT_OF_STATE } from '@salvor/contract';
import type { KeysRotateDocument } from '@salvor/contract';
import { openAgent } from '../../compose.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import { ProgressLine } from '../progress-line.ts';
import { counted, escapeControl } from '../readable.ts';
import { renderProblems } from '../render-problems.ts';

export type KeysRotateFlags = { readonly account?: string; readonly recovery?: boolean };

export async function keysRotate(flags: KeysRotateFlags, context: CommandContext): Promise<CommandResult> {
  await using agent = await openAgent(context);
  using progress = new ProgressLine(context.terminal, context.clock);
  const wanted = { account: flags.account ?? null, recovery: flags.recovery === true };
  const document = await agent.rotateKeys(wanted, { signal: context.signal, onProgress: progress.show });
  progress.clear();
  return { document, text: render(document, context), exit: EXIT_OF_STATE[document.state] };
}

function render({ repositories, recoveryKit, problems }: KeysRotateDocument, { terminal }: CommandContext): string {
  const paint = terminal.output;
  const done = repositories.filter(({ rotated }) => rotated).length;
  const ofAll = done === repositories.length ? '' : ` for ${repositories.length} repositories`;
  const lines = [`${counted(done, 'new key')}${ofAll}. The old ones open nothing any more.`];
  if (recoveryKit !== null)
    lines.push(
      paint.bold(`Print ${escapeControl(recoveryKit)} now, and destroy the kit of before: it opens nothing any more.`),
    );
  return [...lines, ...renderProblems(problems, paint)].join('\n');
}
