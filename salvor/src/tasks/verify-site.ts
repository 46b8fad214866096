import type { Problem } from '@salvor/contract';
import { openConnection, quoteName } from '../databases/mariadb/connect.ts';
import { isOwnName } from '../databases/mariadb/own-names.ts';
import { readTables } from '../databases/mariadb/probe.ts';
import type { Site } from '../sites/site.ts';
import { findOwnNames } from './own-names.ts';

/**
 * Whether the site works as it is now: its own settings are read, its own log-in connects, each of its tables answers.
 * What does not is a fact to be told; whether to switch back is for a person to say.
 */
export async function verifySite(readSite: () => Promise<Site>): Promise<readonly Problem[]> {
  let site: Site;
  try {
    site = await readSite();
  } catch (error) {
    return [{ code: 'verify-failed', message: `the restored site was not found: ${describe(error)}` }];
  }
  const problems: Problem[] = site.problems.map(({ code, message }) => ({ code, message, path: site.path }));
  for (const database of site.databases) {
    const { engine, name, login } = database;
    if (engine !== 'mariadb') continue;
    try {
      const { names } = await findOwnNames(site, database, undefined);
      await using connection = await openConnection(login, { database: name });
      const tables = await readTables(connection, name);
      for (const table of tables.filter((one) => names === null || isOwnName(one.name, names)))
        await connection.query(`SELECT 1 FROM ${quoteName(name, table.name)} LIMIT 1`);
    } catch (error) {
      problems.push({
        code: 'verify-failed',
        path: name,
        message: `${name} does not answer the site: ${describe(error)}`,
      });
    }
  }
  return problems;
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
