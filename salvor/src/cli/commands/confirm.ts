import { type ConfirmDocument, EXIT_OF_STATE } from '@salvor/contract';
import { openAgent } from '../../compose.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import type { Paint } from '../paint.ts';
import { escapeControl, shortPoint } from '../readable.ts';
import { renderProblems } from '../render-problems.ts';
import { renderConfirmPlan } from '../render-undo.ts';
import { type WaitFlags, watchWait } from '../wait.ts';

export type ConfirmFlags = WaitFlags & { readonly dryRun?: boolean };

/** Says that what a task has made is right: what it keeps for `undo` goes, and its safety point lives as long as others. */
export async function confirm(task: string, flags: ConfirmFlags, context: CommandContext): Promise<CommandResult> {
  await using agent = await openAgent(context);
  using waiting = watchWait(flags, context);
  const document = await agent.confirm(task, { ...waiting.options, dryRun: flags.dryRun === true });
  waiting.end();
  return { document, text: render(task, document, context.terminal.output), exit: EXIT_OF_STATE[document.state] };
}

function render(of: string, { plan, safetyPoint, isDropped, problems }: ConfirmDocument, paint: Paint): string {
  if (plan !== null) return [...renderConfirmPlan(plan, paint), 'Nothing was changed (--dry-run).'].join('\n');
  return [
    `Confirmed task ${escapeControl(of)}.`,
    ...(isDropped ? ['What it had replaced was dropped: it can’t be undone any more.'] : []),
    ...(safetyPoint === null
      ? []
      : [`Its safety point ${shortPoint(safetyPoint)} is not pinned any more and lives as long as other points.`]),
    ...renderProblems(problems, paint),
  ].join('\n');
}
