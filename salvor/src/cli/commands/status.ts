import type { AccountStatus, RepositoryStatus, SiteStatus, StatusDocument, TaskSummary } from '@salvor/contract';
import { openAgent } from '../../compose.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import type { Paint } from '../paint.ts';
import { counted, readableTime, shortPoint } from '../readable.ts';
import { renderGlance, tellLateOf } from '../render-glance.ts';
import { renderProblems } from '../render-problems.ts';
import { renderTasks } from '../render-tasks.ts';
import { renderTable } from '../table.ts';

export type StatusFlags = { readonly all?: boolean };

/** What fits on a screen below the glance. */
const MAX_SITES = 20;
const MAX_ENDED_TASKS = 5;
const MAX_REPOSITORIES = 10;

/** The command itself succeeds; it exits with 3 where something in the document needs a person. */
export async function status(flags: StatusFlags, context: CommandContext): Promise<CommandResult> {
  await using agent = await openAgent(context);
  const document = await agent.status({ signal: context.signal });
  const isWell =
    document.sites.every(({ problems }) => problems.length === 0) &&
    document.repositories.every(({ state }) => state === 'ready') &&
    document.accounts.every((account) => tellLateOf(account).length === 0);
  return { document, text: renderStatus(document, flags.all === true, context), exit: isWell ? 0 : 3 };
}

/** The glance, what is wrong, then lists: with `isAll` whole, else what needs to be seen. */
export function renderStatus(
  document: StatusDocument,
  isAll: boolean,
  {
    clock,
    terminal,
  }: Pick<CommandContext, 'clock'> & { readonly terminal: Pick<CommandContext['terminal'], 'output'> },
): string {
  const { sites, tasks, repositories, accounts } = document;
  const paint = terminal.output;
  const sections = [renderGlance(document, clock(), paint)];
  const problems = renderProblems(
    sites.flatMap((site) => site.problems),
    paint,
  );
  if (problems.length > 0) sections.push(problems.join('\n'));
  if (sites.length > 0) sections.push(renderSites(sites, isAll, paint));
  if (accounts.length > 0) sections.push(renderAccounts(accounts, paint));
  const shown = isAll ? tasks : chooseTasks(tasks);
  if (shown.length > 0) sections.push(renderTasks(shown, clock(), paint));
  sections.push(
    repositories.length === 0
      ? 'No repositories yet. Create them with: salvor init'
      : renderRepositories(repositories, isAll, paint),
  );
  return sections.join('\n\n');
}

/** Of many only those that need to be seen. */
function renderSites(sites: readonly SiteStatus[], isAll: boolean, paint: Paint): string {
  const isFew = isAll || sites.length <= MAX_SITES;
  const shown = isFew ? sites : sites.filter((site) => site.lastPoint?.complete !== true || site.problems.length > 0);
  const left = sites.length - shown.length;
  const note =
    left === 0
      ? []
      : [`${shown.length === 0 ? 'All' : 'The other'} ${counted(left, 'site')} are safe; status --all lists them.`];
  const table = renderTable(
    shown,
    [
      { title: 'SITE', value: ({ uri }) => uri },
      { title: 'ACCOUNT', value: ({ account }) => account },
      { title: 'LAST POINT', value: ({ lastPoint }) => (lastPoint === null ? '-' : readableTime(lastPoint.time)) },
      { title: 'STATE', value: stateOf },
      { title: 'POINT', value: ({ lastPoint }) => (lastPoint === null ? '' : shortPoint(lastPoint.id)) },
    ],
    paint,
  );
  return [...(shown.length === 0 ? [] : [table]), ...note].join('\n');
}

function stateOf({ lastPoint }: SiteStatus): string {
  if (lastPoint === null) return 'none yet';
  return lastPoint.complete ? 'complete' : 'with problems';
}

function renderAccounts(accounts: readonly AccountStatus[], paint: Paint): string {
  return renderTable(
    accounts,
    [
      { title: 'ACCOUNT', value: ({ account }) => account },
      {
        title: 'LAST NIGHT',
        value: ({ lastNight }) => (lastNight === null ? 'none yet' : readableTime(lastNight.startedAt)),
      },
      { title: 'STATE', value: ({ lastNight }) => lastNight?.state ?? '' },
      { title: 'NEXT', value: ({ next }) => (next === null ? '-' : `${readableTime(next.at)} ${next.job}`) },
      { title: '', value: (account) => tellLateOf(account).map(withoutName).join('; ') },
    ],
    paint,
  );
}

/** Its column says the account already. */
function withoutName(text: string): string {
  return text.slice(text.indexOf(': ') + 2);
}

function chooseTasks(tasks: readonly TaskSummary[]): readonly TaskSummary[] {
  const ended = tasks.filter(({ endedAt }) => endedAt !== null).slice(0, MAX_ENDED_TASKS);
  return tasks.filter((task) => task.endedAt === null || ended.includes(task));
}

function renderRepositories(repositories: readonly RepositoryStatus[], isAll: boolean, paint: Paint): string {
  const isFew = isAll || repositories.length <= MAX_REPOSITORIES;
  const shown = isFew ? repositories : repositories.filter(({ state }) => state !== 'ready');
  if (shown.length === 0) return `All ${counted(repositories.length, 'repository', 'repositories')} are ready.`;
  return renderTable(
    shown,
    [
      { title: 'REPOSITORY', value: ({ url }) => url },
      { title: 'ACCOUNT', value: ({ account }) => account },
      { title: 'COPY', value: ({ copy }) => copy },
      { title: 'STATE', value: ({ state }) => state },
    ],
    paint,
  );
}
