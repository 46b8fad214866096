import { EXIT_OF_STATE } from '@salvor/contract';
import { openAgent } from '../../compose.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import { askConsent, requireConsentPossible } from '../consent.ts';
import { escapeControl } from '../readable.ts';
import { renderIdentity, renderIdentityPlan } from '../render-identity.ts';
import { writeAll } from '../terminal.ts';
import { type WaitFlags, watchWait } from '../wait.ts';

export type RelocateFlags = WaitFlags & {
  readonly keepDatabase?: boolean;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
};
export type MigrateFlags = RelocateFlags & { readonly platform: string };

export async function rename(
  site: string,
  newUri: string,
  flags: RelocateFlags,
  context: CommandContext,
): Promise<CommandResult> {
  return await relocate('rename', site, { newUri, platform: null }, flags, context);
}

export async function migrate(
  site: string,
  newUri: string | undefined,
  flags: MigrateFlags,
  context: CommandContext,
): Promise<CommandResult> {
  return await relocate('migrate', site, { newUri: newUri ?? null, platform: flags.platform }, flags, context);
}

async function relocate(
  operation: 'rename' | 'migrate',
  site: string,
  to: { readonly newUri: string | null; readonly platform: string | null },
  flags: RelocateFlags,
  context: CommandContext,
): Promise<CommandResult> {
  const dryRun = flags.dryRun === true;
  const what = operation === 'rename' ? `Renaming ${site}` : `Moving ${site}`;
  if (!dryRun) requireConsentPossible(what, flags.yes === true, context);
  await using agent = await openAgent(context);
  using waiting = watchWait(flags, context);
  const wanted = { ...to, mask: false, keepDatabase: flags.keepDatabase === true, ...waiting.options };
  if (!dryRun && flags.yes !== true) {
    const { plan } = await agent[operation](site, { ...wanted, dryRun: true });
    waiting.end();
    const shown = renderIdentityPlan(operation, plan, context.terminal.messages);
    await writeAll(context.terminal.stderr, `${shown.join('\n')}\n`);
    await askConsent(`${operation === 'rename' ? 'Rename' : 'Move'} ${escapeControl(site)} now?`, context);
  }
  const document = await agent[operation](site, { ...wanted, dryRun });
  waiting.end();
  return {
    document,
    text: renderIdentity(operation, document, context.terminal.output),
    exit: EXIT_OF_STATE[document.state],
  };
}
