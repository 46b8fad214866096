import type { IdentityDocument, IdentityPlan, RewrittenValues } from '@salvor/contract';
import type { Paint } from './paint.ts';
import { counted, escapeControl, readableBytes, readableTime, shortPoint } from './readable.ts';
import { renderProblems } from './render-problems.ts';

export type IdentityOperation = 'clone' | 'rename' | 'migrate';

/** What was done, or with `--dry-run` what would be. */
export function renderIdentity(operation: IdentityOperation, document: IdentityDocument, paint: Paint): string {
  const { plan, task, safetyPoint, archive, rewritten, undoUntil, problems } = document;
  if (task === null)
    return [...renderIdentityPlan(operation, plan, paint), 'Nothing was changed (--dry-run).'].join('\n');
  const lines = [doneText(operation, plan)];
  for (const { name, newName, user } of plan.databases)
    if (name !== newName) lines.push(`Its database: ${escapeControl(newName)}, with the user ${escapeControl(user)}`);
  const places = sum(rewritten, ({ replaced }) => replaced);
  if (places > 0)
    lines.push(
      `Rewritten in the database: ${counted(places, 'place')} in ${counted(
        sum(rewritten, ({ values }) => values),
        'value',
      )}`,
    );
  if (safetyPoint !== null) lines.push(`What was there before: point ${shortPoint(safetyPoint)}, pinned`);
  if (archive !== null) lines.push(`Archive of it: ${escapeControl(archive.path)} (${readableBytes(archive.bytes)})`);
  if (undoUntil !== null)
    lines.push(`To take it back, until ${readableTime(undoUntil)}: ${paint.bold(`salvor undo ${task}`)}`);
  return [...lines, ...renderProblems(problems, paint), ...renderProblems(plan.notes, paint, 'hint')].join('\n');
}

export function renderIdentityPlan(operation: IdentityOperation, plan: IdentityPlan, paint: Paint): readonly string[] {
  const { files, databases, rewrites, names, notes, obstacles } = plan;
  const lines = [
    `${paint.bold(escapeControl(plan.uri))} (${escapeControl(plan.account)}) would be ${WILL[operation]} ${paint.bold(escapeControl(plan.newUri))}:`,
    line('directory', `${escapeControl(plan.path)} → ${escapeControl(plan.newPath)}`),
    line(
      'files',
      `${counted(files.count, 'file')}, ${readableBytes(files.bytes)}${operation === 'clone' ? '' : ', moved and not copied'}`,
    ),
  ];
  for (const { name, newName, tables, bytes } of databases)
    lines.push(
      line(
        'database',
        `${escapeControl(name)}, ${counted(tables, 'table')}, ${readableBytes(bytes)}; ${operation === 'clone' ? 'the clone gets one of its own, with a user of its own' : newName === name ? 'name, user and password stay' : escapeControl(newName)}`,
      ),
    );
  lines.push(line('settings', rewrites.settings.map(escapeControl).join(', ')));
  for (const { path, change } of names) lines.push(line(change, escapeControl(path)));
  if (plan.masked) lines.push(line('masked', 'what tells of people is replaced in the copy'));
  if (rewrites.values !== null) lines.push(...valueLines(rewrites.values));
  if (notes.length > 0) lines.push('To know before:', ...renderProblems(notes, paint, 'hint'));
  if (obstacles.length > 0)
    lines.push(`${counted(obstacles.length, 'thing')} in the way:`, ...renderProblems(obstacles, paint));
  return lines;
}

function valueLines(columns: readonly RewrittenValues[]): readonly string[] {
  return columns.map(({ database, table, column, replaced, values, foreign }) =>
    line(
      'values',
      `${escapeControl(`${database}.${table}.${column}`)}: ${counted(replaced, 'place')} in ${counted(values, 'value')}${foreign > 0 ? `; ${foreign} of others stay` : ''}`,
    ),
  );
}

function doneText(operation: IdentityOperation, { uri, newUri, newPath }: IdentityPlan): string {
  const [from, to] = [escapeControl(uri), escapeControl(newUri)];
  switch (operation) {
    case 'clone':
      return `Cloned ${from} to ${to} (${escapeControl(newPath)}).`;
    case 'rename':
      return `Renamed ${from} to ${to}.`;
    case 'migrate':
      return `Moved ${from} to ${escapeControl(newPath)}.`;
    default:
      return operation satisfies never;
  }
}

const WILL = { clone: 'cloned to', rename: 'renamed to', migrate: 'moved as' } as const satisfies Record<
  IdentityOperation,
  string
>;

function line(title: string, text: string): string {
  return `  ${title.padEnd(10)}${text}`;
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
