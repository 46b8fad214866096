import assert from 'node:assert/strict';
import type { ServedSite } from './look-at-sites.ts';

/**
 * What a person types who has the printed page and nothing else: the page's own commands, with what it asks for put in. The
 * site's user and database stand in its settings, which are back by then.
 */
export function writeScriptByHand(page: string, site: ServedSite, socket: string): string {
  const step = (name: string): string => {
    const text = new RegExp(`<pre data-step="${name}">([^<]*)</pre>`).exec(page)?.[1];
    assert.ok(text !== undefined, `the page has no step ${name}`);
    return text.replaceAll('&quot;', '"').replaceAll('&gt;', '>').replaceAll('&lt;', '<').replaceAll('&amp;', '&');
  };
  const saved = (name: string, file: string): string => `cat > ${file} <<'END'\n${step(name)}\nEND`;
  return [
    'umask 077',
    // The test's server has a socket of its own.
    `printf '[client]\\nsocket=%s\\n' ${socket} > ~/.my.cnf`,
    saved('key', 'kit-key'),
    saved('hosts', 'kit-hosts'),
    `A=${site.account}`,
    step('open'),
    `useradd --badname --uid ${site.owner.uid} --no-create-home ${site.account}`,
    step('files').replace('H=HOME', `H=${site.home}`),
    'A=@host',
    step('open'),
    step('users').replace('U=USER', `U=${site.user}`),
    `A=${site.account}`,
    step('open'),
    step('database').replace('N=NAME', `N=${site.database}`),
  ].join('\n');
}
