import assert from 'node:assert/strict';
import type { ServedSite } from './look-at-sites.ts';

/**
 * What a person types who has the printed page and nothing else: the page's own commands, with what it asks for put in. The
 * sites' users and databases stand in their settings, which are back by then.
 */
export function writeScriptByHand(page: string, sites: readonly ServedSite[], socket: string): string {
  const step = (name: string): string => {
    const text = new RegExp(`<pre data-step="${name}">([^<]*)</pre>`).exec(page)?.[1];
    assert.ok(text !== undefined, `the page has no step ${name}`);
    return text.replaceAll('&quot;', '"').replaceAll('&gt;', '>').replaceAll('&lt;', '<').replaceAll('&amp;', '&');
  };
  const accounts = [...Map.groupBy(sites, ({ account }) => account).values()] as [ServedSite, ...ServedSite[]][];
  const saved = (name: string, file: string): string => `cat > ${file} <<'END'\n${step(name)}\nEND`;
  return [
    'umask 077',
    // The test's server has a socket of its own.
    `printf '[client]\\nsocket=%s\\n' ${socket} > ~/.my.cnf`,
    saved('key', 'kit-key'),
    saved('hosts', 'kit-hosts'),
    ...accounts.flatMap(([{ account, owner, home }]) => [
      `A=${account}`,
      step('open'),
      `useradd --badname --uid ${owner.uid} --no-create-home ${account}`,
      step('files').replace('H=HOME', `H=${home}`),
    ]),
    'A=@host',
    step('open'),
    ...sites.map(({ user }) => step('users').replace('U=USER', `U=${user}`)),
    ...accounts.flatMap((ofAccount) => [
      `A=${ofAccount[0].account}`,
      step('open'),
      ...ofAccount.map(({ database }) => step('database').replace('N=NAME', `N=${database}`)),
    ]),
  ].join('\n');
}
