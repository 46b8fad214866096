import { type AvailabilityDocument, type AvailabilityPlan, EXIT_OF_STATE } from '@salvor/contract';
import { openAgent } from '../../compose.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import type { Paint } from '../paint.ts';
import { counted, escapeControl, readableTime } from '../readable.ts';
import { renderHooks } from '../render-hooks.ts';
import { renderProblems } from '../render-problems.ts';
import { type WaitFlags, watchWait } from '../wait.ts';

export type AvailabilityFlags = WaitFlags & { readonly dryRun?: boolean };

export async function disable(site: string, flags: AvailabilityFlags, context: CommandContext): Promise<CommandResult> {
  return await switchTo('off', site, flags, context);
}

export async function enable(site: string, flags: AvailabilityFlags, context: CommandContext): Promise<CommandResult> {
  return await switchTo('on', site, flags, context);
}

async function switchTo(
  wanted: 'off' | 'on',
  site: string,
  flags: AvailabilityFlags,
  context: CommandContext,
): Promise<CommandResult> {
  await using agent = await openAgent(context);
  using waiting = watchWait(flags, context);
  const isDry = flags.dryRun === true;
  const document = await agent.switchSite(site, wanted, { ...waiting.options, dryRun: isDry });
  waiting.end();
  const text = render(document, wanted, isDry, context.terminal.output).join('\n');
  return { document, text, exit: EXIT_OF_STATE[document.state] };
}

function render(
  { plan, task, page, undoUntil, problems }: AvailabilityDocument,
  wanted: 'off' | 'on',
  isDry: boolean,
  paint: Paint,
): readonly string[] {
  const name = escapeControl(plan.uri);
  if (isDry) return [...renderPlan(plan, wanted, paint), 'Nothing was changed (--dry-run).'];
  if (task === null) return [`${name} is switched ${wanted} already.`];
  const lines = [`Switched ${wanted}: ${name}.`];
  if (page === 'closed') lines.push('Asked for its page, a visitor is told that it is not available (503).');
  if (page === 'well') lines.push('Its page answers as it must.');
  if (wanted === 'off') lines.push(`To switch it on again: ${paint.bold(`salvor enable ${name}`)}`);
  else if (undoUntil !== null)
    lines.push(`To take that back, until ${readableTime(undoUntil)}: ${paint.bold(`salvor undo ${task}`)}`);
  return [...lines, ...renderProblems(problems, paint)];
}

function renderPlan(plan: AvailabilityPlan, wanted: 'off' | 'on', paint: Paint): readonly string[] {
  const { places, webServer, notes, obstacles } = plan;
  const name = `${paint.bold(escapeControl(plan.uri))} (${escapeControl(plan.account)})`;
  if (places.length === 0 && obstacles.length === 0) return [`${name} is switched ${wanted} already.`];
  const lines = [`${name} would be switched ${wanted}:`];
  for (const { path, kind } of places) lines.push(`  ${KINDS[kind].padEnd(13)} ${escapeControl(path)}`);
  if (webServer !== null) lines.push(`  ${'web server'.padEnd(13)} ${webServer} is tested and reloaded`);
  lines.push(...renderHooks(plan.hooks));
  if (notes.length > 0) lines.push('To know before:', ...renderProblems(notes, paint, 'hint'));
  if (obstacles.length > 0)
    lines.push(`${counted(obstacles.length, 'thing')} in the way:`, ...renderProblems(obstacles, paint));
  return lines;
}

const KINDS = {
  'virtual-host': 'virtual host',
  context: 'Aegir context',
  maintenance: 'maintenance',
} as const satisfies Record<AvailabilityPlan['places'][number]['kind'], string>;
