import { EXIT_OF_STATE } from '@salvor/contract';
import type { BackupDocument } from '@salvor/contract';
import { openAgent } from '../../compose.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import { SalvorError } from '../../errors.ts';
import { counted, escapeControl, readableBytes, shortPoint } from '../readable.ts';
import { renderBackupPlan } from '../render-backup-plan.ts';
import { renderProblems } from '../render-problems.ts';
import { type WaitFlags, watchWait } from '../wait.ts';

export type BackupFlags = WaitFlags & {
  readonly reason?: string;
  readonly retry?: string;
  readonly dryRun?: boolean;
};

export async function backup(site: string, flags: BackupFlags, context: CommandContext): Promise<CommandResult> {
  const retries = readRetries(flags.retry);
  await using agent = await openAgent(context);
  using waiting = watchWait(flags, context);
  if (flags.dryRun === true) {
    const planned = await agent.planBackup(site, { signal: context.signal });
    const shown = renderBackupPlan(planned.plan, context.terminal.output);
    const text = [...shown, 'Nothing was written (--dry-run).'].join('\n');
    return { document: planned, text, exit: EXIT_OF_STATE[planned.state] };
  }
  const document = await agent.backup(site, { reason: flags.reason ?? null, retries, ...waiting.options });
  waiting.end();
  return { document, text: render(site, document, context), exit: EXIT_OF_STATE[document.state] };
}

function render(site: string, document: BackupDocument, { terminal }: CommandContext): string {
  const paint = terminal.output;
  const { files, tables, bytesRead, bytesStored, point, archive, problems } = document;
  const name = escapeControl(site);
  return [
    `Backed up ${name}: ${counted(files, 'file')}, ${counted(tables, 'table')}; ${readableBytes(bytesRead)} read, ${readableBytes(bytesStored)} stored.`,
    `Point ${paint.bold(shortPoint(point))}`,
    ...(archive === null ? [] : [`Archive ${escapeControl(archive.path)} (${readableBytes(archive.bytes)})`]),
    ...renderProblems(problems, paint),
  ].join('\n');
}

/** Waits double from a minute to an hour: more of them are days. */
const MAX_RETRIES = 20;

function readRetries(text: string | undefined): number {
  if (text === undefined) return 0;
  if (!/^\d{1,2}$/.test(text) || Number(text) > MAX_RETRIES)
    throw new SalvorError('usage', { problem: `--retry must be a whole number from 0 to ${MAX_RETRIES}` });
  return Number(text);
}
