import { EXIT_OF_STATE } from '@salvor/contract';
import { openAgent } from '../../compose.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import { askConsent } from '../consent.ts';
import { counted, escapeControl, shortPoint } from '../readable.ts';
import { renderProblems } from '../render-problems.ts';
import { type WaitFlags, watchWait } from '../wait.ts';

export type BackupDeleteFlags = WaitFlags & { readonly yes?: boolean };

/** Who names a point in a script means it: only a person at a terminal is asked. */
export async function backupDelete(
  point: string,
  flags: BackupDeleteFlags,
  context: CommandContext,
): Promise<CommandResult> {
  if (flags.yes !== true && context.terminal.canAsk)
    await askConsent(`Delete point ${escapeControl(point)}, with its archive?`, context);
  await using agent = await openAgent(context);
  using waiting = watchWait(flags, context);
  const document = await agent.deleteBackup(point, waiting.options);
  waiting.end();
  const archives = document.removed.filter(({ kind }) => kind === 'archive');
  const text = [
    `Deleted point ${shortPoint(document.point)}: ${counted(archives.length, 'archive')}, ${counted(document.removed.length - archives.length, 'snapshot')}.`,
    ...archives.map(({ path }) => escapeControl(path)),
    ...renderProblems(document.problems, context.terminal.output),
  ].join('\n');
  return { document, text, exit: EXIT_OF_STATE[document.state] };
}
