/**
 * The names by which a site is visited. One in a directory of its own name has that. One that is called by its path has
 * those that virtual hosts and settings give it, and of a WordPress those that its own tables send visitors to.
 */
import { type DatabaseLogin, openConnection, quoteName } from '../databases/mariadb/connect.ts';
import { SalvorError } from '../errors.ts';
import { layoutOf } from '../sites/site-directory.ts';
import type { Site } from '../sites/site.ts';

/** The main one first, each with its port where it has one; none where nothing tells one. */
export async function readAddresses(site: Site, signal: AbortSignal): Promise<readonly string[]> {
  if (layoutOf(site) === 'named') return [site.uri];
  const own = site.cms === 'wordpress' ? await readOptions(site, signal) : [];
  const told = [site.uri, ...site.aliases].flatMap((name) => hostIn(`//${name}`) ?? []);
  const all = [...own, ...told.filter((name) => !NO_NAME.test(name))];
  // By the main one the virtual host is found.
  const main = all.find((name) => site.aliases.includes(name)) ?? all[0];
  return main === undefined ? [] : [...new Set([main, ...all])];
}

/** An address of this machine, or a port before a name, as `sites.php` writes it. */
const NO_NAME = /^[\d.:]+$|^\d+\./;

function hostIn(url: string): string | null {
  const host = /^(?:\w+:)?\/\/(?:[^/@]*@)?([a-z0-9-]+(?:\.[a-z0-9-]+)+(?::\d+)?)(?=$|[/?#])/i.exec(url)?.[1];
  return host?.toLowerCase() ?? null;
}

async function readOptions({ databases }: Site, signal: AbortSignal): Promise<readonly string[]> {
  const found: string[] = [];
  for (const { engine, login, name, prefix } of databases)
    if (engine === 'mariadb') found.push(...(await readUrls(login, name, prefix, signal)));
  return found.flatMap((url) => hostIn(url) ?? []);
}

async function readUrls(
  login: DatabaseLogin,
  database: string,
  prefix: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  try {
    await using connection = await openConnection(login, { database, signal });
    const rows = await connection.query<{ value: string }>(
      `SELECT option_value AS value FROM ${quoteName(database, `${prefix}options`)}
       WHERE option_name IN ('home', 'siteurl') ORDER BY option_name`,
    );
    return rows.map(({ value }) => value);
  } catch (error) {
    signal.throwIfAborted();
    // A log-in that is refused, a table that is not there: the plan says so itself.
    if (error instanceof SalvorError || error instanceof Error) return [];
    throw error;
  }
}
