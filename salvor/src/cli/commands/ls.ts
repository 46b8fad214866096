import { openAgent } from '../../compose.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import { renderEntries } from '../render-entries.ts';

export async function ls(point: string, path: string, context: CommandContext): Promise<CommandResult> {
  await using agent = await openAgent(context);
  const document = await agent.ls(point, path, { signal: context.signal });
  const text = document.length === 0 ? 'This directory is empty.' : renderEntries(document, context.terminal.output);
  return { document, text, exit: 0 };
}
