import { resolve } from 'node:path';
import { EXIT_OF_STATE } from '@salvor/contract';
import type { RestoreDocument } from '@salvor/contract';
import { openAgent } from '../../compose.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import { askConsent, requireConsentPossible } from '../consent.ts';
import type { FromFlags } from '../from-copy.ts';
import { counted, escapeControl, readableBytes, readableTime, shortPoint } from '../readable.ts';
import { renderPlan } from '../render-plan.ts';
import { renderProblems } from '../render-problems.ts';
import { writeAll } from '../terminal.ts';
import { type WaitFlags, watchWait } from '../wait.ts';

export type RestoreFlags = WaitFlags &
  FromFlags & {
    readonly only?: 'files' | 'databases';
    readonly path?: readonly string[];
    readonly table?: readonly string[];
    readonly to?: string;
    readonly into?: string;
    readonly despitePlatform?: boolean;
    readonly dryRun?: boolean;
    readonly yes?: boolean;
  };

/** A restore into an empty directory and a dry run change nothing that anybody has, and ask nothing. */
export async function restore(
  site: string,
  point: string | undefined,
  flags: RestoreFlags,
  context: CommandContext,
): Promise<CommandResult> {
  const isHarmless = flags.dryRun === true || flags.to !== undefined;
  if (!isHarmless) requireConsentPossible(`Restoring ${flags.into ?? site}`, flags.yes === true, context);
  await using agent = await openAgent(context);
  using waiting = watchWait(flags, context);
  const wanted = {
    point: point ?? null,
    from: flags.from ?? null,
    only: flags.only ?? null,
    paths: flags.path ?? [],
    tables: flags.table ?? [],
    to: flags.to === undefined ? null : resolve(flags.to),
    into: flags.into ?? null,
    despitePlatform: flags.despitePlatform === true,
    ...waiting.options,
  };
  if (!isHarmless && flags.yes !== true) {
    const { plan } = await agent.restore(site, { ...wanted, dryRun: true });
    waiting.end();
    await writeAll(context.terminal.stderr, `${renderPlan(plan, context.terminal.messages).join('\n')}\n`);
    const where = flags.into === undefined ? '' : ` into ${escapeControl(flags.into)}, over what is there`;
    await askConsent(`Restore ${escapeControl(site)}${where} now?`, context);
    wanted.point = plan.point;
  }
  const document = await agent.restore(site, { ...wanted, dryRun: flags.dryRun === true });
  waiting.end();
  return { document, text: render(document, flags, context), exit: EXIT_OF_STATE[document.state] };
}

function render(document: RestoreDocument, flags: RestoreFlags, { terminal }: CommandContext): string {
  const paint = terminal.output;
  const { plan, task, safetyPoint, archive, refreshed, changedMeanwhile, undoUntil, problems } = document;
  if (flags.dryRun === true) return [...renderPlan(plan, paint), 'Nothing was changed (--dry-run).'].join('\n');
  const from = `${shortPoint(plan.point)} of ${readableTime(plan.pointTime)}`;
  const lines = [
    plan.target === null
      ? plan.into === null
        ? `Restored ${partOf(flags)}${escapeControl(plan.uri)} to point ${from}.`
        : `Restored ${partOf(flags)}point ${from} of ${escapeControl(plan.uri)} into ${escapeControl(plan.into)}.`
      : `Wrote ${partOf(flags)}point ${from} to ${escapeControl(plan.target)}.`,
  ];
  if (document.undoneBy !== null) {
    lines.push(
      `But its page is broken, so what was there before is back (task ${document.undoneBy}). What was restored: ${paint.bold(`salvor undo ${document.undoneBy}`)}`,
    );
  }
  if (changedMeanwhile !== null && changedMeanwhile.files + changedMeanwhile.tables > 0) {
    const { files, tables } = changedMeanwhile;
    lines.push(
      `While it ran ${counted(files, 'file')} and ${counted(tables, 'table')} changed; that is in the safety point, or named below.`,
    );
  }
  if (refreshed.length > 0) {
    lines.push(
      `${counted(refreshed.length, 'PHP file')} changed and got the time of the switch, so that PHP reads it again.`,
    );
  }
  if (safetyPoint !== null) lines.push(`What was there before: point ${shortPoint(safetyPoint)}`);
  if (archive !== null) lines.push(`Archive of it: ${escapeControl(archive.path)} (${readableBytes(archive.bytes)})`);
  if (task !== null && undoUntil !== null) {
    lines.push(`To switch back, until ${readableTime(undoUntil)}: ${paint.bold(`salvor undo ${task}`)}`);
  }
  return [...lines, ...renderProblems(problems, paint), ...renderProblems(plan.notes, paint, 'hint')].join('\n');
}

/** What was asked for of the whole, as it stands before its name. */
function partOf({ only, path = [], table = [] }: RestoreFlags): string {
  const parts = [
    ...(path.length === 0 ? [] : [counted(path.length, 'path')]),
    ...(table.length === 0 ? [] : [counted(table.length, 'table')]),
  ];
  if (parts.length > 0) return `${parts.join(' and ')} of `;
  return only === undefined ? '' : `the ${only} of `;
}
