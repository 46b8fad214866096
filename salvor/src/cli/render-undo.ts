import type { ConfirmPlan, UndoPlan } from '@salvor/contract';
import type { Paint } from './paint.ts';
import { counted, escapeControl, readableBytes, readableCount, readableTime, shortPoint } from './readable.ts';
import { renderHooks } from './render-hooks.ts';
import { renderFindings } from './render-problems.ts';

/** What an undo would switch back, a line for each part. */
export function renderUndoPlan(plan: UndoPlan, paint: Paint): readonly string[] {
  const { account, uri, newUri, task, operation, since, undoUntil, databases, places, names, written } = plan;
  const becomes = newUri === null ? ' would go' : newUri === uri ? '' : ` would be ${escapeControl(newUri)} again`;
  const lines = [
    `${paint.bold(escapeControl(uri))} (${escapeControl(account)})${becomes}: as before task ${task} (${operation})${since === null ? '' : ` of ${readableTime(since)}`}`,
  ];
  for (const { path, change, newPath } of places)
    lines.push(line(PLACES[change], escapeControl(path) + (newPath === null ? '' : ` → ${escapeControl(newPath)}`)));
  for (const { path, change, kind } of names)
    lines.push(line(change, `${escapeControl(path)}${kind === 'virtual-host' ? ' (virtual host)' : ''}`));
  for (const { name, restored, deleted, kept } of databases)
    lines.push(
      line(
        'database',
        `${escapeControl(name)}: ${counted(restored, 'table')} back, ${readableCount(deleted)} deleted, ${readableCount(kept)} kept`,
      ),
    );
  if (written.files + written.tables > 0) {
    const more = written.files + written.tables > MAX_NAMES ? ' …' : '';
    const shown = written.names.slice(0, MAX_NAMES).map(escapeControl).join(', ');
    const what = `${counted(written.files, 'file')} and ${counted(written.tables, 'table')}`;
    lines.push(line('since then', paint.yellow(`${what} written, which leave too: ${shown}${more}`)));
  }
  if (undoUntil !== null) lines.push(line('until', readableTime(undoUntil)));
  return [...lines, ...renderHooks(plan.hooks), ...renderFindings(plan, paint)];
}

/** What a confirmation would drop for good. */
export function renderConfirmPlan(plan: ConfirmPlan, paint: Paint): readonly string[] {
  const { account, uri, task, operation, databases, places, safetyPoint } = plan;
  const lines = [
    `Task ${escapeControl(task)}${operation === null ? '' : ` (${operation})`} of ${paint.bold(escapeControl(uri))} (${escapeControl(account)}) would keep nothing any more:`,
  ];
  for (const { name, of, user, tables, bytes } of databases)
    lines.push(
      line(
        'dropped',
        of === null
          ? `database ${escapeControl(name)}, which is empty, and its user ${escapeControl(user ?? '')}`
          : `database ${escapeControl(name)}: ${counted(tables, 'table')} of ${escapeControl(of)}, ${readableBytes(bytes)}`,
      ),
    );
  for (const { path, files, bytes } of places)
    lines.push(line('dropped', `${escapeControl(path)}: ${counted(files, 'file')}, ${readableBytes(bytes)}`));
  if (safetyPoint !== null)
    lines.push(line('unpinned', `point ${shortPoint(safetyPoint)}, which then lives as long as others`));
  return [...lines, ...renderHooks(plan.hooks), ...renderFindings(plan, paint)];
}

const PLACES = {
  replaced: 'replaced',
  restored: 'comes back',
  deleted: 'deleted',
  moved: 'moved',
} as const satisfies Record<UndoPlan['places'][number]['change'], string>;

/** A few of the names; `--json` has more. */
const MAX_NAMES = 8;

function line(title: string, text: string): string {
  return `  ${title.padEnd(11)}${text}`;
}
