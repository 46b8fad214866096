/**
 * Whether settings that were rewritten, read again as a site's settings are read, say exactly the new log-ins: also what
 * comes from files that they include, from `drushrc.php`, and from nowhere.
 */
import { identifyServer } from './database-address.ts';
import type { ConnectionChange } from './connection-fields.ts';
import { notRewritten } from './settings-changes.ts';
import type { Site, SiteDatabase, SiteProblem } from './site.ts';

/** The databases that a site has once its log-ins have changed; those that no change names stay. */
export function databasesAfter(
  databases: readonly SiteDatabase[],
  changes: readonly ConnectionChange[],
): readonly SiteDatabase[] {
  return databases.map((database) => {
    const { name, login } = database;
    const to = changes.find(
      ({ from, defaultSocket }) =>
        from.name === name &&
        from.user === login.user &&
        identifyServer(from.address, defaultSocket) === identifyServer(login.address, defaultSocket),
    )?.to;
    if (to === undefined) return database;
    return {
      ...database,
      name: to.name,
      login: { ...login, user: to.user, password: to.password, address: to.address },
    };
  });
}

/** `read` is the site at its new place with the new files. Nothing that is told holds a password. */
export function checkLogIns(
  read: Pick<Site, 'databases' | 'problems' | 'settings'>,
  expected: readonly SiteDatabase[],
  defaultSocket?: string,
): readonly SiteProblem[] {
  const open = read.problems.filter(({ code }) => code === 'database-unresolved' || code.startsWith('settings-'));
  const unclear = open.filter(({ code }) => code !== 'settings-code-not-run' && code !== 'settings-include-not-read');
  if (unclear.length > 0 || read.databases.length !== expected.length)
    return unclear.length > 0
      ? unclear.map(({ file, line, message }) =>
          notRewritten(file ?? read.settings, line ?? 0, message.replace(/\.$/, '')),
        )
      : [
          notRewritten(
            read.settings,
            0,
            `they name ${read.databases.length} databases then, and not ${expected.length}`,
          ),
        ];
  return expected.flatMap((wanted, index) => {
    const found = read.databases[index];
    const wrong = found === undefined ? ['database'] : differencesOf(found, wanted, defaultSocket);
    if (wrong.length === 0) return [];
    const why = `they still say another ${wrong.join(' and ')} for the database ${wanted.name}: it comes from a file that they include, or from the web server`;
    return [notRewritten(read.settings, 0, why)];
  });
}

function differencesOf(found: SiteDatabase, wanted: SiteDatabase, defaultSocket?: string): string[] {
  const isSame: Readonly<Record<string, boolean>> = {
    name: found.name === wanted.name,
    user: found.login.user === wanted.login.user,
    password: found.login.password === wanted.login.password,
    server:
      found.engine === wanted.engine &&
      identifyServer(found.login.address, defaultSocket) === identifyServer(wanted.login.address, defaultSocket),
    prefix: found.prefix === wanted.prefix,
  };
  return Object.keys(isSame).filter((field) => isSame[field] !== true);
}
