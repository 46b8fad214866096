import { EXIT_OF_STATE } from '@salvor/contract';
import type { TaskLine, TaskSummary } from '@salvor/contract';
import { openAgent } from '../../compose.ts';
import { SalvorError } from '../../errors.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import { ProgressLine } from '../progress-line.ts';
import { renderProblems } from '../render-problems.ts';
import { renderEnd, renderHead, renderLines } from '../render-tasks.ts';
import { writeAll } from '../terminal.ts';

/** What a task has said; with `follow` also what it says until it ends, and then it exits as the task did. */
export async function taskLog(
  id: string,
  flags: { readonly follow?: boolean },
  context: CommandContext,
): Promise<CommandResult> {
  await using agent = await openAgent(context);
  using progress = new ProgressLine(context.terminal, context.clock);
  const { terminal } = context;
  const paint = terminal.output;
  const said: TaskLine[] = [];
  let last: TaskSummary | null = null;
  for await (const { task, lines } of agent.watchTask(id, context.signal)) {
    const texts = [...(last === null ? [renderHead(task, paint)] : []), ...renderLines(lines, paint)];
    if (texts.length > 0) progress.clear();
    if (!context.isJson && texts.length > 0) await writeAll(terminal.stdout, `${texts.join('\n')}\n`);
    if (!context.isJson && flags.follow === true) showState(task, progress);
    said.push(...lines);
    last = task;
    if (flags.follow !== true) break;
  }
  progress.clear();
  if (last === null) throw new SalvorError('task-unknown', { task: id });
  return {
    document: { task: last, lines: said },
    text: renderEnd(last, context.clock(), paint),
    exit: flags.follow === true ? EXIT_OF_STATE[last.state] : 0,
  };
}

function showState(task: TaskSummary, progress: ProgressLine): void {
  if (task.state === 'queued') progress.show({ step: `waits for ${task.waitsFor ?? 'its turn'}` });
  if (task.state === 'running' && task.progress !== null) progress.show({ ...task.progress, hasRate: false });
}

/** Stops a task and waits until it has ended. 0 where it was stopped, 3 where it was too late or its process does not answer. */
export async function taskCancel(id: string, context: CommandContext): Promise<CommandResult> {
  await using agent = await openAgent(context);
  const document = await agent.cancelTask(id, {
    signal: context.signal,
    onWait: (why) => void context.terminal.stderr.write(`Waiting for ${why} …\n`),
  });
  const { was, state, problems } = document;
  const head =
    was === 'queued'
      ? `Task ${id} was cancelled before it began.`
      : problems.length === 0
        ? `Task ${id} was stopped; it ended ${state}. The site is as it was.`
        : `Task ${id} was not stopped.`;
  return {
    document,
    text: [head, ...renderProblems(problems, context.terminal.output)].join('\n'),
    exit: problems.length === 0 ? 0 : 3,
  };
}
