/**
 * Whether an Aegir is alive in a home, and which sites and platforms are its own: it has a context of its panel
 * (`hostmaster`), and the panel is a site that is there. Contexts that an Aegir left behind make none.
 */
import { join } from 'node:path';
import { evaluatePhp, valueAt } from '../lib/php-evaluate.ts';
import { PhpArray, toText } from '../lib/php-values.ts';
import { type Account, homesOf } from './account.ts';
import { rootOf } from './find-platforms.ts';
import { isThere } from './is-there.ts';
import { readAliases } from './read-alias.ts';
import { directoryBeneath, filesBeneath } from './read-beneath.ts';
import type { Site } from './site.ts';

export type LivingAegir = {
  readonly account: Account;
  /** Its front end: a Drupal whose database has the queue of tasks. */
  readonly panel: Site;
};

/** Null where none is alive in the account's home. `sites` are all of the host. */
export function findAegir(account: Account, sites: readonly Site[]): LivingAegir | null {
  const file = contextFile(account, 'hostmaster');
  const files = filesBeneath([account.home]);
  if (files.probe(file) !== 'file') return null;
  const { variables } = evaluatePhp(file, { files, variables: { aliases: PhpArray.empty } });
  const uri = valueAt(variables.get('aliases'), 'hostmaster', 'uri');
  const name = typeof uri === 'string' ? toText(uri) : null;
  const panel = sites.find((site) => site.account.name === account.name && site.uri === name);
  return panel === undefined ? null : { account, panel };
}

/** Whether it has a context of that site, or the site is its panel. */
export function isSiteOfAegir({ account, panel }: LivingAegir, uri: string): boolean {
  return panel.uri === uri || isThere(contextFile(account, uri));
}

/** Whether it has a context of the platform with that root. */
export function isPlatformOfAegir({ account, panel }: LivingAegir, root: string): boolean {
  if (panel.platform.root === root) return true;
  const homes = homesOf(account);
  const files = filesBeneath(homes);
  return readAliases(account.home, files, { only: 'platform' }).contexts.some(({ values }) => {
    const directory = directoryBeneath(values.get('root') ?? '', homes);
    return 'path' in directory && rootOf(directory.path, files)?.root === root;
  });
}

function contextFile({ home }: Account, name: string): string {
  return join(home, '.drush', `${name}.alias.drushrc.php`);
}
