import { EXIT_OF_STATE } from '@salvor/contract';
import { openAgent } from '../../compose.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import { escapeControl, shortPoint } from '../readable.ts';
import { renderProblems } from '../render-problems.ts';
import { type WaitFlags, watchWait } from '../wait.ts';

/** Says that what a task has made is right: what it keeps for `undo` goes, and its safety point lives as long as others. */
export async function confirm(task: string, flags: WaitFlags, context: CommandContext): Promise<CommandResult> {
  await using agent = await openAgent(context);
  using waiting = watchWait(flags, context);
  const document = await agent.confirm(task, waiting.options);
  waiting.end();
  const { safetyPoint, isDropped, problems } = document;
  const text = [
    `Confirmed task ${escapeControl(task)}.`,
    ...(isDropped ? ['What it had replaced was dropped: it can’t be undone any more.'] : []),
    ...(safetyPoint === null
      ? []
      : [`Its safety point ${shortPoint(safetyPoint)} is not pinned any more and lives as long as other points.`]),
    ...renderProblems(problems, context.terminal.output),
  ].join('\n');
  return { document, text, exit: EXIT_OF_STATE[document.state] };
}
