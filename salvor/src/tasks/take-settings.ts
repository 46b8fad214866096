/**
 * Which settings an unpacked archive gets before a point is made of it. They stay where they name what the site has now;
 * passwords that our own archives lack are put back; else the site's own take their place.
 */
import { lstatSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Problem } from '@salvor/contract';
import { setTimes } from '@salvor/engine/libc';
import { PASSWORD_REPLACED } from '../archives/archive-members.ts';
import { openDirectory, openRoot } from '../lib/beneath/open-directory.ts';
import { parseSafePath } from '../lib/beneath/safe-path.ts';
import { encodeLiteral } from '../lib/php-literals.ts';
import type { Site, SiteDatabase } from '../sites/site.ts';
import { isSettingsName } from './into-site.ts';
import { copyOwn } from './keep-own.ts';

/** Settings that hold no log-in by Aegir's own rule: a site's people write them. */
const WITHOUT_LOGIN = new Set(['local.settings.php']);

/**
 * Works in the unpacked directory, which is root's. `read` reads its settings again. What was taken of the live site is
 * told; null where the archive's own are right.
 */
export function takeSettings(
  live: Site,
  unpacked: Site,
  directory: string,
  read: (directory: string) => Site,
): Problem | null {
  if (hasLoginsOf(live, unpacked)) return null;
  const names = readdirSync(directory).filter(isSettingsName);
  if (putPasswordsBack(live, names, directory) && hasLoginsOf(live, read(directory))) return null;
  for (const name of names) if (!WITHOUT_LOGIN.has(name)) rmSync(join(directory, name), { recursive: true });
  using home = openRoot(live.account.home);
  using from = openDirectory(home, parseSafePath(live.path.slice(live.account.home.length + 1)));
  using to = openRoot(directory);
  const taken = readdirSync(live.path).filter((name) => isSettingsName(name) && !WITHOUT_LOGIN.has(name));
  for (const name of taken) copyOwn(from, to, name);
  return {
    code: 'settings-kept',
    message: `the settings in it name other databases or log-ins than the site has now: ${taken.join(', ')} are the site's own`,
    path: live.path,
  };
}

function hasLoginsOf(live: Site, other: Site): boolean {
  const told = (databases: readonly SiteDatabase[]): string =>
    JSON.stringify(
      databases.map(({ name, login, prefix }) => [name, login.user, login.password, login.address, prefix]),
    );
  return other.problems.length === 0 && told(live.databases) === told(other.databases);
}

/** True where a word of ours stood in place of a password. */
function putPasswordsBack({ databases }: Site, names: readonly string[], directory: string): boolean {
  const password = databases[0]?.login.password;
  if (password === undefined) return false;
  let isFound = false;
  for (const name of names) {
    const path = join(directory, name);
    // What an archive holds under that name may be a link to anywhere.
    const stat = lstatSync(path, { bigint: true });
    if (!stat.isFile() || stat.nlink > 1n) continue;
    const text = readFileSync(path, 'latin1');
    if (!text.includes(PASSWORD_REPLACED)) continue;
    isFound = true;
    // Aegir writes the one in drushrc.php as it stands in an address.
    const bytes = Buffer.from(password, 'utf8').toString('latin1');
    const literal = encodeLiteral(name === 'drushrc.php' ? encodeURIComponent(password) : bytes);
    const filled = text
      .replaceAll(`'${PASSWORD_REPLACED}'`, () => literal)
      .replaceAll(PASSWORD_REPLACED, () => (name.startsWith('.env') ? bytes : encodeURIComponent(password)));
    writeFileSync(path, filled, 'latin1');
    setTimes(path, stat.atimeNs, stat.mtimeNs);
  }
  return isFound;
}
