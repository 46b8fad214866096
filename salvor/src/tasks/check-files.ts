/** Whether the web server may read what it hands out itself: pictures, styles, scripts of the browser. */
import { lstatSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { dirname } from 'node:path';
import type { Problem } from '@salvor/contract';
import { readAttributesAt } from '../lib/beneath/read-attributes.ts';
import { openSpot, type Spot } from '../lib/beneath/spot.ts';
import { walkTree } from '../lib/beneath/walk-tree.ts';
import { homeAround } from '../sites/account.ts';
import type { Site } from '../sites/site.ts';
import { sortMovedOut } from './moved-out.ts';
import { type Checked, NOT_ASKED } from './prove-site.ts';

/** More than a person reads. */
const MAX_NAMED = 20;
/** What PHP reads, or nobody should: it may be another user than the web server's, and is not looked at. */
const NOT_HANDED_OUT =
  /(?:^|\/)(?:\.[^/]*|private|backup_migrate|config_[^/]*)(?:\/|$)|^files\/php\/|\.(?:php\d?|phtml|inc|module|install|profile|engine|theme|sql|ya?ml|twig|po|sh|lock)$/;

export async function checkFiles(site: Site, signal: AbortSignal): Promise<Checked> {
  const { webGroup } = site.account;
  if (webGroup === null) return NOT_ASKED('the group of the web server is not known');
  const doubts: Problem[] = findClosedAbove(site.path, webGroup);
  let count = 0;
  let unread = 0;
  for (const root of [site.path, ...sortMovedOut(site).followed.map(({ target }) => target)]) {
    const home = homeAround(site.account, root);
    if (home === null) continue;
    using spot = openSpot(home, root);
    let closed: string | null = null;
    const prefix = root === site.path ? '' : 'files/';
    for await (const { path, stat, spot: at } of walkTree(spot)) {
      signal.throwIfAborted();
      if (NOT_HANDED_OUT.test(prefix + path) || (!stat.isFile() && !stat.isDirectory())) continue;
      count++;
      // What lies in a closed directory is closed with it.
      if (closed !== null && path.startsWith(`${closed}/`)) continue;
      if (mayRead(stat, webGroup.gid, at)) continue;
      if (stat.isDirectory()) closed = path;
      unread++;
      if (unread <= MAX_NAMED) doubts.push(closedTo(webGroup.name, `${root}/${path}`));
    }
  }
  if (unread > MAX_NAMED)
    doubts.push({ code: 'web-unreadable', message: `and ${unread - MAX_NAMED} more`, path: site.path });
  return { why: null, count, faults: [], doubts };
}

function closedTo(group: string, path: string): Problem {
  return { code: 'web-unreadable', message: `can’t be read by the web server’s group ${group}`, path };
}

/** Every directory on the way must let it pass. */
function findClosedAbove(path: string, { gid, name }: { readonly gid: number; readonly name: string }): Problem[] {
  for (let at = dirname(path); at !== '/'; at = dirname(at)) {
    const stat = lstatSync(at, { bigint: true, throwIfNoEntry: false });
    if (stat === undefined || (stat.mode & bitOf(stat, gid, 1n)) !== 0n) continue;
    return [{ code: 'web-unreadable', message: `does not let the web server’s group ${name} pass`, path: at }];
  }
  return [];
}

/** A list of access may give what the mode does not. */
function mayRead(stat: BigIntStats, gid: number, spot: Spot): boolean {
  const wanted = stat.isDirectory() ? bitOf(stat, gid, 1n) : bitOf(stat, gid, 4n);
  if ((stat.mode & wanted) === wanted) return true;
  return readAttributesAt(spot).some(({ name }) => name === 'system.posix_acl_access');
}

/** The group's bit where it is the group, else that of all others. */
function bitOf(stat: BigIntStats, gid: number, bit: bigint): bigint {
  return Number(stat.gid) === gid ? bit << 3n : bit;
}
