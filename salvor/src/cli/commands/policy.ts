import type { PolicyDocument, SimulationDocument } from '@salvor/contract';
import { configSchema } from '../../agent/config-schema.ts';
import { openAgent } from '../../compose.ts';
import { SalvorError } from '../../errors.ts';
import { parseDurationMs } from '../../lib/duration.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import type { Paint } from '../paint.ts';
import { counted, readableTime } from '../readable.ts';
import { renderTable } from '../table.ts';

export type PolicyShowFlags = { readonly account?: string; readonly site?: string; readonly next?: string };

const DAY_MS = 86_400_000;
/** A schedule by the hour has thousands of starts in a year. */
const MAX_NEXT_MS = 366 * DAY_MS;
const MAX_DAYS = 3660;

export async function policyShow(flags: PolicyShowFlags, context: CommandContext): Promise<CommandResult> {
  const nextMs = flags.next === undefined ? DAY_MS : parseDurationMs(flags.next);
  if (nextMs === null || nextMs > MAX_NEXT_MS)
    throw new SalvorError('usage', { problem: `--next must be a length of time up to 366d, such as 12h or 7d` });
  await using agent = await openAgent(context);
  const of = { account: flags.account ?? null, site: flags.site ?? null };
  const document = await agent.policy(of, { nextMs, signal: context.signal });
  return { document, text: renderPolicy(document, context.terminal.output), exit: 0 };
}

export async function policySimulate(
  account: string,
  flags: { readonly days?: string },
  context: CommandContext,
): Promise<CommandResult> {
  const days = Number(flags.days ?? '30');
  if (!Number.isInteger(days) || days < 1 || days > MAX_DAYS)
    throw new SalvorError('usage', { problem: `--days must be a whole number from 1 to ${MAX_DAYS}` });
  await using agent = await openAgent(context);
  const document = await agent.simulatePolicy(account, { days, signal: context.signal });
  return { document, text: renderSimulation(document, context.terminal.output), exit: 0 };
}

/** Needs no configuration: it is what one is written by. */
export function policySchema(): Promise<CommandResult> {
  const document = configSchema();
  return Promise.resolve({ document, text: JSON.stringify(document, null, 2), exit: 0 });
}

function renderPolicy({ account, site, settings, next }: PolicyDocument, paint: Paint): string {
  const of = site === null ? (account === null ? 'the host' : `account ${account}`) : `site ${account}/${site}`;
  const table = renderTable(
    settings,
    [
      { title: 'SETTING', value: ({ key }) => key },
      { title: 'VALUE', value: ({ value }) => value },
      { title: 'SAID BY', value: ({ source }) => source },
    ],
    paint,
  );
  if (next.length === 0) return `Policy of ${of}:\n\n${table}\n\nNothing begins in that time.`;
  const starts = renderTable(
    next,
    [
      { title: 'NEXT', value: ({ at }) => readableTime(at) },
      { title: 'JOB', value: ({ job }) => job },
      { title: 'ACCOUNT', value: (start) => start.account },
    ],
    paint,
  );
  return `Policy of ${of}:\n\n${table}\n\n${starts}`;
}

function renderSimulation({ account, days, goes, kept }: SimulationDocument, paint: Paint): string {
  const calendar = renderTable(
    days,
    [
      { title: 'DAY', value: ({ day }) => day },
      { title: 'FILES', value: ({ made, left }) => shownMade(made.files, left.files) },
      { title: 'DATABASES', value: ({ made, left }) => shownMade(made.databases, left.databases) },
    ],
    paint,
  );
  const head = `What the policy of ${account} makes, and what of it is left when the last day ends:`;
  if (goes.length === 0)
    return `${head}\n\n${calendar}\n\nThe next night lets go of nothing; it keeps ${counted(kept, 'snapshot')}.`;
  const table = renderTable(
    goes,
    [
      { title: 'SNAPSHOT', value: ({ snapshot }) => snapshot.slice(0, 8) },
      { title: 'COPY', value: ({ copy }) => copy },
      { title: 'TIME', value: ({ time }) => readableTime(time) },
      { title: 'OF', value: ({ of }) => of },
      { title: 'HOLDS', value: ({ holds }) => holds.join(', ') },
    ],
    paint,
  );
  const verdict = `The next night lets go of ${counted(goes.length, 'snapshot')} and keeps ${kept}:`;
  return `${head}\n\n${calendar}\n\n${paint.yellow(verdict)}\n\n${table}`;
}

/** `2 of 3`: left of made. */
function shownMade(made: number, left: number): string {
  if (made === 0) return '-';
  return left === made ? `${made} kept` : left === 0 ? 'gone' : `${left} of ${made} kept`;
}
