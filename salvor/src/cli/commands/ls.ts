import { openAgent } from '../../compose.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import { type FromFlags, watchProblems } from '../from-copy.ts';
import { renderEntries } from '../render-entries.ts';

export async function ls(
  point: string,
  path: string,
  { from = null }: { readonly from?: FromFlags['from'] | null },
  context: CommandContext,
): Promise<CommandResult> {
  await using agent = await openAgent(context);
  const { onProblem, exit } = watchProblems(context);
  const document = await agent.ls(point, path, { from, onProblem, signal: context.signal });
  const text = document.length === 0 ? 'This directory is empty.' : renderEntries(document, context.terminal.output);
  return { document, text, exit: exit() };
}
