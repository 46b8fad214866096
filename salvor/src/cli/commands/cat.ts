import { openAgent } from '../../compose.ts';
import type { CommandContext } from '../command.ts';
import { writeBytes } from '../terminal.ts';

/** Its output is the file's bytes as they are, also on a terminal; so it has no document. */
export async function cat(point: string, path: string, context: CommandContext): Promise<null> {
  await using agent = await openAgent(context);
  await writeBytes(context.terminal.stdout, await agent.cat(point, path, { signal: context.signal }), context.signal);
  return null;
}
