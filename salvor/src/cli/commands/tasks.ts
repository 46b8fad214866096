import { TASK_STATES, type TaskState } from '@salvor/contract';
import { openAgent } from '../../compose.ts';
import { SalvorError } from '../../errors.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import { escapeControl } from '../readable.ts';
import { renderTasks } from '../render-tasks.ts';

export type TasksFlags = {
  readonly site?: string;
  readonly state?: readonly string[];
  readonly limit?: string;
};

/** The tasks of this host, newest first. */
export async function tasks(flags: TasksFlags, context: CommandContext): Promise<CommandResult> {
  const count = readLimit(flags.limit);
  await using agent = await openAgent(context);
  const site = flags.site ?? null;
  const states = (flags.state ?? []).map(readState);
  const document = await agent.tasks({ site, states, count });
  const text =
    document.length === 0
      ? site === null && states.length === 0
        ? 'No tasks yet.'
        : `No such task${site === null ? '' : ` of ${escapeControl(site)}`}.`
      : renderTasks(document, context.clock(), context.terminal.output);
  return { document, text, exit: 0 };
}

/** More are asked for with --limit: a screen shows no more than that. */
const STANDARD_COUNT = 50;
const MAX_COUNT = 100_000;

function readLimit(text: string | undefined): number {
  if (text === undefined) return STANDARD_COUNT;
  const count = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > MAX_COUNT)
    throw new SalvorError('usage', { problem: `--limit must be a whole number from 1 to ${MAX_COUNT}` });
  return count;
}

function readState(name: string): TaskState {
  const state = TASK_STATES.find((one) => one === name);
  if (state === undefined)
    throw new SalvorError('usage', { problem: `--state must be one of ${TASK_STATES.join(', ')}` });
  return state;
}
