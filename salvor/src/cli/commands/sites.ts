import type { SiteDocument } from '@salvor/contract';
import { openAgent } from '../../compose.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import type { Paint } from '../paint.ts';
import { renderProblems } from '../render-problems.ts';
import { renderTable } from '../table.ts';

export async function sites(context: CommandContext): Promise<CommandResult> {
  await using agent = await openAgent(context);
  const document = await agent.sites({ signal: context.signal });
  const hasProblems = document.some(({ problems }) => problems.length > 0);
  return { document, text: renderSites(document, context.terminal.output), exit: hasProblems ? 3 : 0 };
}

export function renderSites(found: readonly SiteDocument[], paint: Paint): string {
  if (found.length === 0) return 'No sites found. Name the homes they lie in with: salvor init --home DIR';
  const table = renderTable(
    found,
    [
      { title: 'SITE', value: ({ uri }) => uri },
      { title: 'ACCOUNT', value: ({ account }) => account },
      { title: 'CMS', value: ({ cms, version }) => (version === null ? cms : `${cms} ${version}`) },
      { title: 'PLATFORM', value: ({ platform }) => platform },
      { title: 'DATABASES', value: ({ databases }) => databases.map(({ name }) => name).join(' ') },
      { title: 'PATH', value: ({ path }) => path },
    ],
    paint,
  );
  return [
    table,
    ...renderProblems(
      found.flatMap(({ problems }) => problems),
      paint,
    ),
  ].join('\n');
}
