import { resolve } from 'node:path';
import { EXIT_OF_STATE, type ExportDocument } from '@salvor/contract';
import { openAgent } from '../../compose.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import type { Paint } from '../paint.ts';
import type { FromFlags } from '../from-copy.ts';
import { escapeControl, readableBytes, shortPoint } from '../readable.ts';
import { renderExportPlan } from '../render-point-plans.ts';
import { renderProblems } from '../render-problems.ts';
import { watchWait } from '../wait.ts';

export type ExportFlags = FromFlags & { readonly output: string; readonly dryRun?: boolean };

export async function exportSite(
  site: string,
  point: string | undefined,
  flags: ExportFlags,
  context: CommandContext,
): Promise<CommandResult> {
  await using agent = await openAgent(context);
  using waiting = watchWait({}, context);
  const { output, from = null, dryRun = false } = flags;
  const document = await agent.export(site, {
    point: point ?? null,
    output: resolve(output),
    from,
    dryRun,
    ...waiting.options,
  });
  waiting.end();
  return { document, text: render(site, document, context.terminal.output), exit: EXIT_OF_STATE[document.state] };
}

function render(site: string, { point, plan, archive, problems }: ExportDocument, paint: Paint): string {
  if (plan !== null) return [...renderExportPlan(plan, paint), 'Nothing was written (--dry-run).'].join('\n');
  const { path, bytes } = archive ?? { path: '', bytes: 0 };
  return [
    `Wrote point ${shortPoint(point)} of ${escapeControl(site)} to ${escapeControl(path)} (${readableBytes(bytes)}).`,
    ...renderProblems(problems, paint),
  ].join('\n');
}
