import { type BackupDeleteDocument, EXIT_OF_STATE } from '@salvor/contract';
import { openAgent } from '../../compose.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import { askConsent } from '../consent.ts';
import type { Paint } from '../paint.ts';
import { counted, escapeControl, shortPoint } from '../readable.ts';
import { renderBackupDeletePlan } from '../render-point-plans.ts';
import { renderProblems } from '../render-problems.ts';
import { writeAll } from '../terminal.ts';
import { type WaitFlags, watchWait } from '../wait.ts';

export type BackupDeleteFlags = WaitFlags & { readonly dryRun?: boolean; readonly yes?: boolean };

/** Who names a point in a script means it: only a person at a terminal is asked. */
export async function backupDelete(
  point: string,
  flags: BackupDeleteFlags,
  context: CommandContext,
): Promise<CommandResult> {
  const dryRun = flags.dryRun === true;
  await using agent = await openAgent(context);
  using waiting = watchWait(flags, context);
  if (!dryRun && flags.yes !== true && context.terminal.canAsk) {
    const { plan } = await agent.deleteBackup(point, { ...waiting.options, dryRun: true });
    waiting.end();
    const shown = plan === null ? [] : renderBackupDeletePlan(plan, context.terminal.messages);
    await writeAll(context.terminal.stderr, `${shown.join('\n')}\n`);
    await askConsent(`Delete point ${escapeControl(point)}?`, context);
  }
  const document = await agent.deleteBackup(point, { ...waiting.options, dryRun });
  waiting.end();
  return { document, text: render(document, context.terminal.output), exit: EXIT_OF_STATE[document.state] };
}

function render({ point, plan, removed, problems }: BackupDeleteDocument, paint: Paint): string {
  if (plan !== null) return [...renderBackupDeletePlan(plan, paint), 'Nothing was changed (--dry-run).'].join('\n');
  const archives = removed.filter(({ kind }) => kind === 'archive');
  return [
    `Deleted point ${shortPoint(point)}: ${counted(archives.length, 'archive')}, ${counted(removed.length - archives.length, 'snapshot')}.`,
    ...archives.map(({ path }) => escapeControl(path)),
    ...renderProblems(problems, paint),
  ].join('\n');
}
