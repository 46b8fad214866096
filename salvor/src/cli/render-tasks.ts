import type { TaskLine, TaskState, TaskSummary } from '@salvor/contract';
import type { Paint } from './paint.ts';
import { renderProgress } from './progress-line.ts';
import { counted, escapeControl, readableSeconds, readableTime } from './readable.ts';
import { renderTable } from './table.ts';

/** More of a line scrolls the column of states off the screen. */
const MAX_NOTE_COLUMNS = 70;

/** Tasks under one another, with what matters of each: how far it is, what it waits for, why it failed. */
export function renderTasks(tasks: readonly TaskSummary[], now: Date, paint: Paint): string {
  const table = renderTable(
    tasks,
    [
      { title: 'TASK', value: ({ id }) => id },
      { title: 'WANTED', value: ({ queuedAt }) => readableTime(queuedAt) },
      { title: 'OPERATION', value: ({ operation }) => operation },
      // What is done for all of an account names no site.
      { title: 'SITE', value: ({ account, uri }) => (uri === '' ? account : `${account}/${uri}`) },
      { title: 'STATE', value: ({ state, isHung }) => (isHung ? `${state} (hung)` : state) },
      { title: 'TOOK', value: (task) => tookOf(task, now), align: 'right' },
      { title: '', value: noteOf },
    ],
    paint,
  );
  return table
    .split('\n')
    .map((line, i) => (i === 0 ? line : paintState(line, tasks[i - 1]?.state, paint)))
    .join('\n');
}

/** One under the other. A step that had nothing to say between its beginning and its end is one line. */
export function renderLines(lines: readonly TaskLine[], paint: Paint): readonly string[] {
  return lines
    .filter(({ text }, i) => {
      const step = /^(.*): begins$/s.exec(text)?.[1];
      return step === undefined || lines[i + 1]?.text.startsWith(`${step}: done after `) !== true;
    })
    .map((line) => renderLine(line, paint));
}

/** `14:03:51  back up: done after 2.1 s` */
function renderLine(line: TaskLine, paint: Paint): string {
  const time = paint.dim(readableTime(line.time).slice(-'00:00:00'.length));
  const text = escapeControl(line.text);
  const code = line.code === null ? '' : ` ${paint.dim(`(${line.code})`)}`;
  switch (line.kind) {
    case 'info':
      return `${time}  ${text}`;
    case 'warning':
      return `${time}  ${paint.yellow('warning:')} ${text}${code}`;
    case 'error':
      return `${time}  ${paint.red('error:')} ${text}${code}`;
    default:
      return line.kind satisfies never;
  }
}

/** What stands above a task's log. */
export function renderHead(task: TaskSummary, paint: Paint): string {
  const by = task.process === null ? '' : `, process ${task.process}`;
  const tries = task.attempts > 1 ? `, try ${Math.max(1, task.attempt)} of ${task.attempts}` : '';
  return `${paint.bold(`${task.operation} of ${escapeControl(`${task.account}/${task.uri}`)}`)}, task ${task.id}, wanted ${readableTime(task.queuedAt)}${tries}${by}`;
}

/** What stands below it: how it ended or stands, and what can be done now. */
export function renderEnd(task: TaskSummary, now: Date, paint: Paint): string {
  const took = tookOf(task, now);
  const colour = colourOf(task.state, paint);
  const problems = task.problems === 0 ? '' : `, with ${counted(task.problems, 'problem')}`;
  const lines = [
    `${colour(task.isHung ? `${task.state} (hung)` : task.state)}${took === '' ? '' : ` after ${took}`}${problems}`,
  ];
  // An error with a code is the last line of the log, just above.
  const why = task.error?.code === null ? task.error.message : '';
  const note = task.endedAt === null ? noteOf(task) : why;
  if (note !== '') lines[0] += `: ${escapeControl(note)}`;
  if (task.undoUntil !== null)
    lines.push(`To switch back, until ${readableTime(task.undoUntil)}: ${paint.bold(`salvor undo ${task.id}`)}`);
  return lines.join('\n');
}

function noteOf(task: TaskSummary): string {
  if (task.state === 'queued') return task.waitsFor === null ? 'waits for its turn' : `waits for ${task.waitsFor}`;
  if (task.state === 'running') {
    if (task.cancelledBy !== null) return `asked to stop by ${task.cancelledBy}`;
    return task.progress === null ? '' : renderProgress({ ...task.progress, current: '' }, 0, MAX_NOTE_COLUMNS);
  }
  if (task.undoUntil !== null) return `undo until ${readableTime(task.undoUntil)}`;
  if (task.problems > 0) return counted(task.problems, 'problem');
  const message = task.error?.message ?? '';
  return message.length > MAX_NOTE_COLUMNS ? `${message.slice(0, MAX_NOTE_COLUMNS - 1)}…` : message;
}

function tookOf({ startedAt, endedAt }: TaskSummary, now: Date): string {
  if (startedAt === null) return '';
  const end = endedAt === null ? now.getTime() : Date.parse(endedAt);
  return readableSeconds(Math.max(0, end - Date.parse(startedAt)) / 1000);
}

function paintState(line: string, state: TaskState | undefined, paint: Paint): string {
  if (state === undefined) return line;
  return line.replace(`  ${state} `, `  ${colourOf(state, paint)(state)} `);
}

function colourOf(state: TaskState, paint: Paint): (text: string) => string {
  switch (state) {
    case 'succeeded':
      return paint.green;
    case 'warned':
    case 'cancelled':
    case 'rolled-back':
      return paint.yellow;
    case 'failed':
    case 'rollback-failed':
      return paint.red;
    case 'queued':
    case 'running':
      return paint.bold;
    default:
      return state satisfies never;
  }
}
