/**
 * Who writes to a directory that a person names: we ourselves where nobody else can put anything in the way, a helper
 * with the account's user where the way leads into what is the account's. The first directory on the way that is not
 * root's decides; one of anybody else is refused.
 */
import { type Stats, lstatSync, readlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { SalvorError } from '../errors.ts';
import type { HelperUser } from '../lib/account-helper/open-helper.ts';
import { type SafePath, parseSafePath } from '../lib/beneath/safe-path.ts';

export type TargetPlace =
  | { readonly by: 'us'; readonly directory: string }
  /** `path` is null where the root itself is meant. */
  | { readonly by: 'account'; readonly user: HelperUser; readonly root: string; readonly path: SafePath | null };

/** As the system's own. */
const MAX_LINKS = 40;
const OTHERS_WRITE = 0o022;
const STICKY = 0o1000;

/** Throws `target-unsafe`. What is missing on the way is not looked for: whoever writes there says so. */
export function locateTarget(target: string, users: readonly HelperUser[]): TargetPlace {
  let rest = resolve(target)
    .split('/')
    .filter((part) => part !== '');
  let at = '/';
  for (let links = 0; rest.length > 0;) {
    const next = join(at, rest[0] ?? '');
    const stat = lstatSync(next, { throwIfNoEntry: false });
    if (stat === undefined) return { by: 'us', directory: join(at, ...rest) };
    const isOurs = stat.uid === 0 || stat.uid === process.getuid?.();
    if (stat.isSymbolicLink()) {
      // In a directory such as /tmp anybody may have made it.
      if (!isOurs || ++links > MAX_LINKS) throw refuse(target, next, 'a link of somebody else is on the way');
      const to = resolve(at, readlinkSync(next));
      rest = [...to.split('/').filter((part) => part !== ''), ...rest.slice(1)];
      at = '/';
      continue;
    }
    if (!isOurs) return byAccount(target, next, stat, rest.slice(1), users);
    if (stat.isDirectory() && isOpen(stat)) throw refuse(target, next, 'others can write in it');
    at = next;
    rest = rest.slice(1);
  }
  return { by: 'us', directory: at };
}

function isOpen({ mode }: Stats): boolean {
  return (mode & OTHERS_WRITE) !== 0 && (mode & STICKY) === 0;
}

function byAccount(
  target: string,
  root: string,
  stat: Stats,
  rest: readonly string[],
  users: readonly HelperUser[],
): TargetPlace {
  const user = users.find(({ uid }) => uid === stat.uid);
  if (user === undefined) throw refuse(target, root, `it belongs to user ${stat.uid}, who is none of this account's`);
  if (rest.length > 0) return { by: 'account', user, root, path: parseSafePath(rest.join('/')) };
  return { by: 'account', user, root, path: null };
}

function refuse(target: string, place: string, why: string): SalvorError {
  return new SalvorError('target-unsafe', { target, place, why });
}
