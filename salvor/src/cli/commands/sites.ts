import type { AllSitesDocument, NotSiteDocument, SiteDocument } from '@salvor/contract';
import { openAgent } from '../../compose.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import type { Paint } from '../paint.ts';
import { counted, escapeControl } from '../readable.ts';
import { renderProblems } from '../render-problems.ts';
import { renderTable } from '../table.ts';

export type SitesFlags = { readonly all?: boolean };

export async function sites(flags: SitesFlags, context: CommandContext): Promise<CommandResult> {
  await using agent = await openAgent(context);
  const host = await agent.sites({ signal: context.signal });
  const hasProblems = host.problems.length > 0 || host.sites.some(({ problems }) => problems.length > 0);
  const isAll = flags.all === true;
  return {
    document: isAll ? host : host.sites,
    text: renderHost(host, isAll, context.terminal.output),
    exit: hasProblems ? 3 : 0,
  };
}

function renderHost({ sites: found, notSites, problems }: AllSitesDocument, isAll: boolean, paint: Paint): string {
  const parts = [renderSites(found, paint), ...renderProblems(problems, paint)];
  if (isAll && notSites.length > 0) parts.push('', renderNotSites(notSites, paint));
  else if (!isAll) parts.push(...sayNotSites(notSites));
  return parts.join('\n');
}

export function renderSites(found: readonly SiteDocument[], paint: Paint): string {
  if (found.length === 0) return 'No sites found. Name the homes they lie in with: salvor init --home DIR';
  const table = renderTable(
    found,
    [
      { title: 'SITE', value: ({ uri }) => uri },
      { title: 'ACCOUNT', value: ({ account }) => account },
      { title: 'CMS', value: nameCms },
      { title: 'PLATFORM', value: ({ platform }) => platform },
      { title: 'DATABASES', value: ({ databases }) => databases.map(nameDatabase).join(' ') },
      { title: 'PATH', value: ({ path }) => path },
      { title: 'ALSO', value: nameAliases },
    ],
    paint,
  );
  const problems = found.flatMap((site) => site.problems.map((problem) => ({ ...problem, path: site.path })));
  return [table, ...renderProblems(problems, paint), ...renderProblems(sayShared(found), paint, 'hint')].join('\n');
}

function nameCms({ cms, version, network, enabled }: SiteDocument): string {
  const name = version === null ? cms : `${cms} ${version}`;
  return [name, ...(network ? ['network'] : []), ...(enabled === false ? ['(disabled)'] : [])].join(' ');
}

function nameDatabase({ name, engine }: SiteDocument['databases'][number]): string {
  return engine === 'mariadb' ? name : `${name} (${engine})`;
}

/** Of a site that is called by its directory; the shortest is what people call it. All are in `--json`. */
function nameAliases({ uri, aliases }: SiteDocument): string {
  if (/\.[a-z]{2,}$/.test(uri)) return '';
  const [first] = aliases.toSorted((a, b) => a.length - b.length);
  return first === undefined ? '' : aliases.length === 1 ? first : `${first} +${aliases.length - 1}`;
}

/** Once for each database, not once for each site. */
function sayShared(found: readonly SiteDocument[]): { code: string; message: string }[] {
  const said = new Set<string>();
  return found.flatMap(({ uri, account, databases }) =>
    databases.flatMap(({ name, sharedWith }) => {
      if (sharedWith.length === 0) return [];
      const users = [`${account}/${uri}`, ...sharedWith].sort().join(', ');
      if (said.has(`${name} ${users}`)) return [];
      said.add(`${name} ${users}`);
      return [{ code: 'database-shared', message: `the database ${name} is used by ${users}` }];
    }),
  );
}

function renderNotSites(notSites: readonly NotSiteDocument[], paint: Paint): string {
  return renderTable(
    notSites,
    [
      { title: 'NO SITE', value: ({ path }) => path },
      { title: 'ACCOUNT', value: ({ account }) => account },
      { title: 'BECAUSE', value: ({ reason, code }) => `${reason} (${code})` },
    ],
    paint,
  );
}

/** How many there are, and how to see them. */
export function sayNotSites(notSites: readonly NotSiteDocument[]): string[] {
  const count = notSites.length;
  if (count === 0) return [];
  const what = count === 1 ? 'looks like a site and is none' : 'look like sites and are none';
  return [escapeControl(`${counted(count, 'place')} ${what}: salvor sites --all says why.`)];
}
