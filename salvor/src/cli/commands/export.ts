import { resolve } from 'node:path';
import { EXIT_OF_STATE } from '@salvor/contract';
import { openAgent } from '../../compose.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import { escapeControl, readableBytes, shortPoint } from '../readable.ts';
import { renderProblems } from '../render-problems.ts';
import { watchWait } from '../wait.ts';

export type ExportFlags = { readonly output: string };

export async function exportSite(
  site: string,
  point: string | undefined,
  flags: ExportFlags,
  context: CommandContext,
): Promise<CommandResult> {
  await using agent = await openAgent(context);
  using waiting = watchWait({}, context);
  const wanted = { point: point ?? null, output: resolve(flags.output), ...waiting.options };
  const document = await agent.export(site, wanted);
  waiting.end();
  const { archive, problems } = document;
  const text = [
    `Wrote point ${shortPoint(document.point)} of ${escapeControl(site)} to ${escapeControl(archive.path)} (${readableBytes(archive.bytes)}).`,
    ...renderProblems(problems, context.terminal.output),
  ].join('\n');
  return { document, text, exit: EXIT_OF_STATE[document.state] };
}
