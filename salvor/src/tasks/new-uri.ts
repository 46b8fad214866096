/**
 * Whether a site may get a name: it must be one that a web server can be asked for, and nobody's. Looked for in all that
 * names sites on the host, because a name that two sites answer to is answered by one of them.
 */
import type { Problem } from '@salvor/contract';
import { listDirectory } from '../sites/list-directory.ts';
import { filesBeneath } from '../sites/read-beneath.ts';
import { readVhosts } from '../sites/read-vhosts.ts';
import { type Site, siteKey } from '../sites/site.ts';

/** Directories of `sites/` that Drupal and Aegir have for something else. */
const RESERVED: ReadonlySet<string> = new Set(['all', 'default', 'simpletest', 'localhost']);
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** Null where it can be a new site's name. */
export function whyNoUri(uri: string): string | null {
  if (uri.length > 253) return 'it is longer than 253 letters';
  if (uri !== uri.toLowerCase()) return `it has capitals: write ${uri.toLowerCase()}`;
  if (RESERVED.has(uri)) return 'a platform has that directory for something else';
  if (uri.endsWith('.restore')) return 'Aegir takes such a directory for what a restore has left';
  const bad = uri.split('.').find((label) => !LABEL.test(label));
  return bad === undefined ? null : `it is no name of a host (letters, digits and dashes between dots)`;
}

/** Everything that has the name already. `itself` is the site that gets it, where it is there already. */
export function findHolders(uri: string, site: Site, sites: readonly Site[], itself: boolean): readonly Problem[] {
  const found: Problem[] = [];
  const take = (message: string, path: string): void => void found.push({ code: 'uri-taken', message, path });
  for (const other of sites) {
    if (itself && siteKey(other) === siteKey(site)) continue;
    if (other.uri === uri) take(`${siteKey(other)} has that name already`, other.path);
    else if (other.aliases.includes(uri)) take(`${siteKey(other)} answers to it too`, other.path);
  }
  if (itself) return found;
  const { home } = site.account;
  const known = new Set(sites.map(({ platform }) => platform.root));
  for (const { names, root, file } of readVhosts(vhostDirectories(home), filesBeneath([home])))
    // Of a known docroot the site that it serves has been asked above.
    if (names.includes(uri) && (root === null || !known.has(root))) take('a virtual host answers to it', file);
  return found;
}

function vhostDirectories(home: string): readonly string[] {
  const servers = listDirectory(`${home}/config`);
  return 'refused' in servers
    ? []
    : servers.directories.flatMap((server) =>
        ['nginx', 'apache'].map((kind) => `${home}/config/${server}/${kind}/vhost.d`),
      );
}
