import { EXIT_OF_STATE } from '@salvor/contract';
import { openAgent } from '../../compose.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import { renderIdentity } from '../render-identity.ts';
import { type WaitFlags, watchWait } from '../wait.ts';

export type CloneFlags = WaitFlags & {
  readonly platform?: string;
  readonly mask?: boolean;
  readonly dryRun?: boolean;
};

/** Changes nothing that anybody has, and asks nothing. */
export async function clone(
  site: string,
  newUri: string,
  flags: CloneFlags,
  context: CommandContext,
): Promise<CommandResult> {
  await using agent = await openAgent(context);
  using waiting = watchWait(flags, context);
  const document = await agent.clone(site, {
    newUri,
    platform: flags.platform ?? null,
    mask: flags.mask === true,
    dryRun: flags.dryRun === true,
    ...waiting.options,
  });
  waiting.end();
  return {
    document,
    text: renderIdentity('clone', document, context.terminal.output),
    exit: EXIT_OF_STATE[document.state],
  };
}
