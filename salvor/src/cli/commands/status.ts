import type { RepositoryStatus, SiteStatus, StatusDocument } from '@salvor/contract';
import { openAgent } from '../../compose.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import type { Paint } from '../paint.ts';
import { counted, readableTime, shortPoint } from '../readable.ts';
import { renderProblems } from '../render-problems.ts';
import { renderTasks } from '../render-tasks.ts';
import { renderTable } from '../table.ts';

/** The command itself succeeds; it exits with 3 where something in the document needs a person. */
export async function status(context: CommandContext): Promise<CommandResult> {
  await using agent = await openAgent(context);
  const document = await agent.status({ signal: context.signal });
  const isWell =
    document.sites.every(({ problems }) => problems.length === 0) &&
    document.repositories.every(({ state }) => state === 'ready');
  return { document, text: render(document, context), exit: isWell ? 0 : 3 };
}

function render({ sites, tasks, repositories }: StatusDocument, context: CommandContext): string {
  const paint = context.terminal.output;
  const restorable = sites.filter(({ lastPoint }) => lastPoint?.complete === true).length;
  const verdict = `${restorable} of ${counted(sites.length, 'site')} ${restorable === 1 ? 'has' : 'have'} a complete point.`;
  const sections = [
    sites.length === 0
      ? 'No sites found. Name the homes they lie in with: salvor init --home DIR'
      : restorable === sites.length
        ? paint.green(verdict)
        : paint.yellow(verdict),
  ];
  if (sites.length > 0) sections.push(renderSiteTable(sites, paint));
  const problems = renderProblems(
    sites.flatMap((site) => site.problems),
    paint,
  );
  if (problems.length > 0) sections.push(problems.join('\n'));
  if (tasks.length > 0) sections.push(renderTasks(tasks, context.clock(), paint));
  sections.push(
    repositories.length === 0
      ? 'No repositories yet. Create them with: salvor init'
      : renderRepositories(repositories, paint),
  );
  return sections.join('\n\n');
}

function renderSiteTable(sites: readonly SiteStatus[], paint: Paint): string {
  return renderTable(
    sites,
    [
      { title: 'SITE', value: ({ uri }) => uri },
      { title: 'ACCOUNT', value: ({ account }) => account },
      { title: 'LAST POINT', value: ({ lastPoint }) => (lastPoint === null ? '-' : readableTime(lastPoint.time)) },
      { title: 'STATE', value: stateOf },
      { title: 'POINT', value: ({ lastPoint }) => (lastPoint === null ? '' : shortPoint(lastPoint.id)) },
    ],
    paint,
  );
}

function stateOf({ lastPoint }: SiteStatus): string {
  if (lastPoint === null) return 'none yet';
  return lastPoint.complete ? 'complete' : 'with problems';
}

function renderRepositories(repositories: readonly RepositoryStatus[], paint: Paint): string {
  return renderTable(
    repositories,
    [
      { title: 'REPOSITORY', value: ({ url }) => url },
      { title: 'ACCOUNT', value: ({ account }) => account },
      { title: 'COPY', value: ({ copy }) => copy },
      { title: 'STATE', value: ({ state }) => state },
    ],
    paint,
  );
}
