/**
 * Whether the web server hands out what is not for visitors: a file out of `private`, the settings, the log-in that Aegir
 * keeps beside them. They are asked for by their names, and what comes is compared with what is on the disk.
 */
import { createHash } from 'node:crypto';
import { join, relative } from 'node:path';
import type { Problem } from '@salvor/contract';
import { askPage } from '../lib/ask-page/ask-page.ts';
import { openFileAt, readPieces } from '../lib/beneath/read-file.ts';
import { openSpot } from '../lib/beneath/spot.ts';
import { walkTree } from '../lib/beneath/walk-tree.ts';
import type { Policy } from '../policies/settings.ts';
import { homeAround } from '../sites/account.ts';
import { isBeneath } from '../sites/read-beneath.ts';
import type { Site } from '../sites/site.ts';
import { type Checked, NOT_ASKED } from './prove-site.ts';

/** Whoever asks looks at no more of a page. */
const MAX_BYTES = 1024 * 1024;
/** The first that fits lies near. */
const MAX_ENTRIES = 5000;
const ASK_MS = 15_000;

export async function checkPrivate(site: Site, policy: Policy, signal: AbortSignal): Promise<Checked> {
  if (policy.pageUrl === null) return NOT_ASKED('the policy names no page, and so no address to ask at');
  if (site.enabled === false) return NOT_ASKED('the site is switched off');
  const origin = new URL(policy.pageUrl.replaceAll('{uri}', site.uri)).origin;
  const root = isBeneath(site.path, site.platform.root) ? site.platform.root : site.path;
  const places = [
    { path: await findPrivate(site), code: 'private-readable', what: 'anybody can download it' },
    { path: site.settings, code: 'settings-readable', what: 'anybody can read the log-in in it' },
    { path: join(site.path, 'drushrc.php'), code: 'settings-readable', what: 'anybody can read the log-in in it' },
  ];
  const faults: Problem[] = [];
  let count = 0;
  for (const { path, code, what } of places) {
    const own = path === null || !isBeneath(path, root) ? null : sumOf(site, path);
    if (path === null || own === null) continue;
    count++;
    const url = `${origin}/${relative(root, path).split('/').map(encodeURIComponent).join('/')}`;
    const answer = await askPage({ url, connectTo: policy.pageConnectTo, text: null, timeoutMs: ASK_MS }, signal);
    if (answer.kind === 'answered' && answer.sha256 === own) faults.push({ code, message: `${what}: ${url}`, path });
  }
  return { why: count === 0 ? 'there is nothing of the kind' : null, count, faults, doubts: [] };
}

/** A file in `private` that is not empty: a name that the front page could not have by chance. */
async function findPrivate({ account, path }: Site): Promise<string | null> {
  const home = homeAround(account, path);
  if (home === null) return null;
  try {
    using spot = openSpot(home, `${path}/private`);
    let seen = 0;
    for await (const { path: below, stat } of walkTree(spot)) {
      if (++seen > MAX_ENTRIES) return null;
      if (stat.isFile() && stat.size > 0n && stat.size <= MAX_BYTES && !/(?:^|\/)\./.test(below))
        return `${path}/private/${below}`;
    }
  } catch {
    // Nothing there, or a link that leads elsewhere.
  }
  return null;
}

function sumOf({ account }: Site, path: string): string | null {
  const home = homeAround(account, path);
  if (home === null) return null;
  try {
    using spot = openSpot(home, path);
    using file = openFileAt(spot);
    if (file === null || file.stat.size === 0n || file.stat.size > MAX_BYTES) return null;
    const sum = createHash('sha256');
    for (const piece of readPieces(file)) sum.update(piece);
    return sum.digest('hex');
  } catch {
    return null;
  }
}
