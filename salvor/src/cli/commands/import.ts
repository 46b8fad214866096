import { resolve } from 'node:path';
import { EXIT_OF_STATE } from '@salvor/contract';
import { openAgent } from '../../compose.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import { renderIdentity } from '../render-identity.ts';
import { type WaitFlags, watchWait } from '../wait.ts';

export type ImportFlags = WaitFlags & {
  readonly uri: string;
  readonly platform: string;
  readonly account?: string;
  readonly mask?: boolean;
  readonly despiteMissing?: boolean;
  readonly dryRun?: boolean;
};

/** Makes a site where none was, and asks nothing. */
export async function importArchive(file: string, flags: ImportFlags, context: CommandContext): Promise<CommandResult> {
  await using agent = await openAgent(context);
  using waiting = watchWait(flags, context);
  const document = await agent.import({
    file: resolve(file),
    uri: flags.uri,
    platform: flags.platform,
    account: flags.account ?? null,
    mask: flags.mask === true,
    despiteMissing: flags.despiteMissing === true,
    dryRun: flags.dryRun === true,
    ...waiting.options,
  });
  waiting.end();
  return {
    document,
    text: renderIdentity('import', document, context.terminal.output),
    exit: EXIT_OF_STATE[document.state],
  };
}
