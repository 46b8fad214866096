import { EXIT_OF_STATE } from '@salvor/contract';
import type { BackupDocument } from '@salvor/contract';
import { openAgent } from '../../compose.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import { ProgressLine } from '../progress-line.ts';
import { counted, escapeControl, readableBytes, shortPoint } from '../readable.ts';
import { renderProblems } from '../render-problems.ts';

export async function backup(
  site: string,
  flags: { readonly reason?: string },
  context: CommandContext,
): Promise<CommandResult> {
  await using agent = await openAgent(context);
  using progress = new ProgressLine(context.terminal, context.clock);
  const document = await agent.backup(site, {
    reason: flags.reason ?? null,
    signal: context.signal,
    onProgress: progress.show,
  });
  progress.clear();
  return { document, text: render(site, document, context), exit: EXIT_OF_STATE[document.state] };
}

function render(site: string, document: BackupDocument, { terminal }: CommandContext): string {
  const paint = terminal.output;
  const { files, tables, bytesRead, bytesStored, point, problems } = document;
  const name = escapeControl(site);
  return [
    `Backed up ${name}: ${counted(files, 'file')}, ${counted(tables, 'table')}; ${readableBytes(bytesRead)} read, ${readableBytes(bytesStored)} stored.`,
    `Point ${paint.bold(shortPoint(point))}`,
    ...renderProblems(problems, paint),
  ].join('\n');
}
