import type { IdentityDocument, IdentityPlan, RewrittenSettingsFile, RewrittenValues } from '@salvor/contract';
import type { Paint } from './paint.ts';
import { counted, escapeControl, readableBytes, readableCount, readableTime, shortPoint } from './readable.ts';
import { renderFindings, renderProblems } from './render-problems.ts';
import { renderHooks } from './render-hooks.ts';
import { type Column, renderTable } from './table.ts';

export type IdentityOperation = 'clone' | 'rename' | 'migrate' | 'import';

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
  const { files, databases, rewrites, names } = plan;
  const lines = [
    `${paint.bold(escapeControl(plan.uri))} (${escapeControl(plan.account)}) would be ${WILL[operation]} ${paint.bold(escapeControl(plan.address?.to ?? plan.newUri))}:`,
    line(
      'directory',
      plan.path === plan.newPath
        ? `${escapeControl(plan.path)} stays`
        : `${escapeControl(plan.path)} → ${escapeControl(plan.newPath)}`,
    ),
    ...(plan.address === null || plan.address.from.length === 0
      ? []
      : [line('address', `${plan.address.from.map(escapeControl).join(', ')} → ${escapeControl(plan.address.to)}`)]),
    line(
      'files',
      operation === 'import'
        ? `${readableBytes(files.bytes)} packed`
        : `${counted(files.count, 'file')}, ${readableBytes(files.bytes)}${operation === 'clone' || plan.path === plan.newPath ? '' : plan.notes.some(({ code }) => code === 'other-mount') ? ', copied to another file system' : ', moved and not copied'}`,
    ),
  ];
  for (const { name, isNew, tables, bytes } of databases)
    lines.push(
      line(
        'database',
        `${escapeControl(name)}, ${counted(tables, 'table')}, ${readableBytes(bytes)}; ${isNew ? 'it gets a new one, with a new user and password' : 'name, user and password stay'}`,
      ),
    );
  for (const { path, change } of names) lines.push(line(change, escapeControl(path)));
  if (plan.masked) lines.push(line('masked', 'what tells of people is replaced in the copy'));
  lines.push(...settingsLines(rewrites.settings, paint));
  if (rewrites.values !== null) lines.push(...valueLines(rewrites.values, paint));
  return [...lines, ...renderHooks(plan.hooks), ...renderFindings(plan, paint)];
}

/** Each place in the settings, and the lines that hold the old name and stay. */
function settingsLines(files: readonly RewrittenSettingsFile[], paint: Paint): readonly string[] {
  const places = files.flatMap(({ file, places: of }) =>
    of.map((place) => ({ ...place, place: `${file}:${place.line}` })),
  );
  const left = files.filter((file) => file.left.length > 0);
  return [
    ...(places.length === 0 ? [] : ['Rewritten in its settings:', ...indentTable(places, PLACE_COLUMNS, paint)]),
    ...left.map(
      ({ file, left: of }) =>
        `Left in ${escapeControl(file)}, for you to look at: ${of.length === 1 ? 'line' : 'lines'} ${of.slice(0, MAX_LINES).join(', ')}${of.length > MAX_LINES ? ' …' : ''}`,
    ),
  ];
}

type Place = RewrittenSettingsFile['places'][number] & { readonly place: string };

const WHAT = {
  name: 'database',
  user: 'user',
  password: 'password',
  host: 'host',
  port: 'port',
  socket: 'socket',
  url: 'log-in',
  secret: 'secret key',
  'name-or-path': 'name or path',
  option: 'option',
} as const satisfies Record<Place['what'], string>;

const PLACE_COLUMNS: readonly Column<Place>[] = [
  { title: 'Place', value: ({ place }) => place },
  { title: 'What', value: ({ what }) => WHAT[what] },
  { title: 'Before', value: ({ before }) => shorten(before ?? '') },
  {
    title: 'After',
    value: ({ what, before, after }) =>
      shorten(after ?? (what === 'option' ? '' : before === null ? 'another one' : 'a new one')),
  },
];

const VALUE_COLUMNS: readonly Column<RewrittenValues>[] = [
  { title: 'Column', value: ({ database, table, column }) => `${database}.${table}.${column}` },
  { title: 'Values', value: ({ values }) => readableCount(values), align: 'right' },
  { title: 'Places', value: ({ replaced }) => readableCount(replaced), align: 'right' },
  { title: 'Others’, left', value: ({ foreign }) => (foreign === 0 ? '' : readableCount(foreign)), align: 'right' },
  { title: 'Such as', value: ({ samples: [sample] }) => shorten(sample?.before ?? '') },
  { title: 'Becomes', value: ({ samples: [sample] }) => shorten(sample?.after ?? '') },
];

function valueLines(columns: readonly RewrittenValues[], paint: Paint): readonly string[] {
  return columns.length === 0 ? [] : ['Rewritten in its databases:', ...indentTable(columns, VALUE_COLUMNS, paint)];
}

function indentTable<Row>(rows: readonly Row[], columns: readonly Column<Row>[], paint: Paint): readonly string[] {
  const lines = renderTable(rows.slice(0, MAX_ROWS), columns, paint).split('\n');
  const more = rows.length - MAX_ROWS;
  return [...lines, ...(more > 0 ? [`… and ${readableCount(more)} more: --json has them`] : [])].map(
    (row) => `  ${row}`,
  );
}

/** What a person tells two of apart by; `--json` has all of it. */
function shorten(text: string): string {
  const letters = Array.from(text);
  return letters.length > MAX_LETTERS ? `${letters.slice(0, MAX_LETTERS - 1).join('')}…` : text;
}

const MAX_LETTERS = 48;
const MAX_LINES = 20;
/** Aegir's `drushrc.php` has a path for each module. */
const MAX_ROWS = 200;

function doneText(operation: IdentityOperation, { uri, newUri, address, newPath }: IdentityPlan): string {
  const [from, to] = [escapeControl(uri), escapeControl(address?.to ?? newUri)];
  switch (operation) {
    case 'clone':
      return `Cloned ${from} to ${to} (${escapeControl(newPath)}).`;
    case 'import':
      return `Imported ${from} as ${to} (${escapeControl(newPath)}).`;
    case 'rename':
      return `Renamed ${from} to ${to}.`;
    case 'migrate':
      return `Moved ${from} to ${escapeControl(newPath)}.`;
    default:
      return operation satisfies never;
  }
}

const WILL = {
  clone: 'cloned to',
  rename: 'renamed to',
  migrate: 'moved as',
  import: 'imported as',
} as const satisfies Record<IdentityOperation, string>;

function line(title: string, text: string): string {
  return `  ${title.padEnd(10)}${text}`;
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
