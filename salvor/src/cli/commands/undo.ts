import { EXIT_OF_STATE, type UndoDocument } from '@salvor/contract';
import { openAgent } from '../../compose.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import { askConsent, requireConsentPossible } from '../consent.ts';
import type { Paint } from '../paint.ts';
import { escapeControl } from '../readable.ts';
import { renderProblems } from '../render-problems.ts';
import { renderUndoPlan } from '../render-undo.ts';
import { writeAll } from '../terminal.ts';
import { type WaitFlags, watchWait } from '../wait.ts';

export type UndoFlags = WaitFlags & { readonly dryRun?: boolean; readonly yes?: boolean };

export async function undo(task: string, flags: UndoFlags, context: CommandContext): Promise<CommandResult> {
  const dryRun = flags.dryRun === true;
  if (!dryRun) requireConsentPossible(`Undoing ${task}`, flags.yes === true, context);
  await using agent = await openAgent(context);
  using waiting = watchWait(flags, context);
  if (!dryRun && flags.yes !== true) {
    const { plan } = await agent.undo(task, { ...waiting.options, dryRun: true });
    waiting.end();
    const shown = plan === null ? [] : renderUndoPlan(plan, context.terminal.messages);
    await writeAll(context.terminal.stderr, `${shown.join('\n')}\n`);
    await askConsent(`Switch back what task ${escapeControl(task)} has switched?`, context);
  }
  const document = await agent.undo(task, { ...waiting.options, dryRun });
  waiting.end();
  return { document, text: render(task, document, context.terminal.output), exit: EXIT_OF_STATE[document.state] };
}

function render(of: string, { task, plan, problems }: UndoDocument, paint: Paint): string {
  if (plan !== null) return [...renderUndoPlan(plan, paint), 'Nothing was changed (--dry-run).'].join('\n');
  return [
    `Undone: what was there before task ${escapeControl(of)} is back.`,
    `To switch again: ${paint.bold(`salvor undo ${task}`)}`,
    ...renderProblems(problems, paint),
  ].join('\n');
}
