/** Names what lies about: sites without a code base, and those where Aegir and BOA put what they have removed. */
import type { PhpFiles } from '../lib/php-reading.ts';
import type { Account } from './account.ts';
import { listSites } from './list-sites.ts';
import { isBeneath } from './read-beneath.ts';
import type { NotSite } from './not-site.ts';
import type { Site } from './site.ts';
import type { FoundRoot, HomeWalk } from './walk-home.ts';

export function nameLoose(
  walk: HomeWalk,
  discarded: readonly FoundRoot[],
  sites: readonly Site[],
  account: Account,
  files: PhpFiles,
): NotSite[] {
  const settings = new Set(sites.map((site) => site.settings));
  const moved = sites.flatMap(({ movedOut }) =>
    movedOut.flatMap(({ target, reason }) => (reason === null ? [target] : [])),
  );
  const loose = walk.loose
    // WordPress may keep its settings one level above its code.
    .filter(({ path }) => !settings.has(`${path}/wp-config.php`))
    // What releases share is the site's, and lies beside them.
    .filter(({ path }) => !moved.some((target) => target !== null && isBeneath(target, path)))
    .map(({ path, names, discarded: reason }): NotSite => {
      if (reason !== null) return { code: 'discarded', path, reason };
      const what = names.has('settings.php') || names.has('drushrc.php') ? 'a copy of a site' : 'settings of WordPress';
      return { code: 'no-platform', path, reason: `${what} without a code base around it` };
    });
  const removed = discarded.flatMap(({ root, core, discarded: reason }) => {
    const platform = { name: '', root, ...core, context: null };
    return listSites(platform, account, files).candidates.map(({ path }): NotSite => ({
      code: 'discarded',
      path,
      reason: reason ?? '',
    }));
  });
  return [
    ...loose,
    ...removed,
    ...walk.closed.map(({ path, reason }): NotSite => ({ code: 'not-searched', path, reason })),
  ];
}
