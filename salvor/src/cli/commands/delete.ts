import { createInterface } from 'node:readline/promises';
import { once } from 'node:events';
import { type DeleteDocument, type DeletePlan, EXIT_OF_STATE } from '@salvor/contract';
import { openAgent } from '../../compose.ts';
import { SalvorError } from '../../errors.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import { requireConsentPossible } from '../consent.ts';
import type { Paint } from '../paint.ts';
import { counted, escapeControl, readableTime, shortPoint } from '../readable.ts';
import { renderFindings, renderProblems } from '../render-problems.ts';
import { renderHooks } from '../render-hooks.ts';
import { writeAll } from '../terminal.ts';
import { type WaitFlags, watchWait } from '../wait.ts';

export type DeleteFlags = WaitFlags & {
  readonly confirm?: string;
  readonly dryRun?: boolean;
  readonly withoutBackup?: boolean;
  readonly yes?: boolean;
};

/** Asks for the site's name: on a terminal by having it typed, else with --confirm beside --yes. */
export async function deleteCommand(site: string, flags: DeleteFlags, context: CommandContext): Promise<CommandResult> {
  const isDry = flags.dryRun === true;
  if (!isDry) requireConfirmed(site, flags, context);
  await using agent = await openAgent(context);
  using waiting = watchWait(flags, context);
  const options = { ...waiting.options, withoutBackup: flags.withoutBackup === true };
  if (!isDry && flags.yes !== true) {
    const { plan } = await agent.delete(site, { ...options, dryRun: true });
    await writeAll(context.terminal.stderr, `${renderPlan(plan, context.terminal.messages).join('\n')}\n`);
    await askName(plan.uri, context);
  }
  const document = await agent.delete(site, { ...options, dryRun: isDry });
  waiting.end();
  return { document, text: render(document, isDry, context), exit: EXIT_OF_STATE[document.state] };
}

function requireConfirmed(site: string, { confirm, yes }: DeleteFlags, context: CommandContext): void {
  requireConsentPossible(`Deleting ${site}`, yes === true, context);
  const uri = site.slice(site.indexOf('/') + 1);
  if (confirm === undefined && yes === true)
    throw new SalvorError('usage', { problem: `to delete without being asked, name the site again: --confirm ${uri}` });
  if (confirm !== undefined && confirm !== uri)
    throw new SalvorError('usage', { problem: `--confirm names ${confirm}, and not ${uri}; nothing was done` });
}

async function askName(uri: string, { terminal, signal }: CommandContext): Promise<void> {
  const asking = createInterface({ input: terminal.stdin, output: terminal.stderr });
  try {
    const closed = once(asking, 'close').then(() => '');
    const question = `To delete it, type its name (${escapeControl(uri)}): `;
    if ((await Promise.race([asking.question(question, { signal }), closed])).trim() === uri) return;
  } finally {
    asking.close();
  }
  throw new SalvorError('cancelled', { what: 'you did not type its name, and nothing was changed' });
}

function render(document: DeleteDocument, isDry: boolean, { terminal }: CommandContext): string {
  const paint = terminal.output;
  const { plan, task, safetyPoint, undoUntil, problems } = document;
  if (isDry) return [...renderPlan(plan, paint), 'Nothing was changed (--dry-run).'].join('\n');
  const lines = [`Deleted ${escapeControl(plan.uri)}.`];
  if (safetyPoint !== null) lines.push(`What was there: point ${shortPoint(safetyPoint)}, pinned`);
  if (task !== null && undoUntil !== null)
    lines.push(`To bring it back, until ${readableTime(undoUntil)}: ${paint.bold(`salvor undo ${task}`)}`);
  return [...lines, ...renderProblems(problems, paint), ...renderProblems(plan.notes, paint, 'hint')].join('\n');
}

function renderPlan(plan: DeletePlan, paint: Paint): readonly string[] {
  const { places, names, databases } = plan;
  const lines = [`${paint.bold(escapeControl(plan.uri))} (${escapeControl(plan.account)}) would go:`];
  for (const { path, kind } of places) lines.push(`  ${KINDS[kind].padEnd(13)} ${escapeControl(path)}`);
  for (const { path, change } of names)
    lines.push(`  ${change.padEnd(13)} ${escapeControl(path)}${change === 'changed' ? ': its own lines go' : ''}`);
  for (const { name, user, tables } of databases)
    lines.push(
      `  ${'database'.padEnd(13)} ${escapeControl(name)}, ${counted(tables, 'table')}; user ${escapeControl(user)}`,
    );
  return [...lines, ...renderHooks(plan.hooks), ...renderFindings(plan, paint)];
}

const KINDS = {
  site: 'directory',
  'moved-out': 'moved out',
  link: 'link',
  context: 'Aegir context',
  'virtual-host': 'virtual host',
} as const satisfies Record<DeletePlan['places'][number]['kind'], string>;
