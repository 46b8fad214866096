import { openAgent } from '../../compose.ts';
import type { CommandContext } from '../command.ts';
import { type FromFlags, watchProblems } from '../from-copy.ts';
import { writeBytes } from '../terminal.ts';

/** Its output is the file's bytes as they are, also on a terminal; so it has no document. */
export async function cat(
  point: string,
  path: string,
  { from = null }: { readonly from?: FromFlags['from'] | null },
  context: CommandContext,
): Promise<null> {
  await using agent = await openAgent(context);
  const { onProblem } = watchProblems(context);
  const bytes = await agent.cat(point, path, { from, onProblem, signal: context.signal });
  await writeBytes(context.terminal.stdout, bytes, context.signal);
  return null;
}
