import { EXIT_OF_STATE } from '@salvor/contract';
import { openAgent } from '../../compose.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import { askConsent, requireConsentPossible } from '../consent.ts';
import { escapeControl } from '../readable.ts';
import { renderProblems } from '../render-problems.ts';
import { type WaitFlags, watchWait } from '../wait.ts';

export async function undo(
  task: string,
  flags: WaitFlags & { readonly yes?: boolean },
  context: CommandContext,
): Promise<CommandResult> {
  requireConsentPossible(`Undoing ${task}`, flags.yes === true, context);
  await using agent = await openAgent(context);
  if (flags.yes !== true) await askConsent(`Switch back what task ${escapeControl(task)} has switched?`, context);
  using waiting = watchWait(flags, context);
  const document = await agent.undo(task, waiting.options);
  waiting.end();
  const text = [
    `Undone: what was there before task ${escapeControl(task)} is back.`,
    `To switch again: ${context.terminal.output.bold(`salvor undo ${document.task}`)}`,
    ...renderProblems(document.problems, context.terminal.output),
  ].join('\n');
  return { document, text, exit: EXIT_OF_STATE[document.state] };
}
