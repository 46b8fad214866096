import type { Problem } from '@salvor/contract';
import type { Site } from '../sites/site.ts';
import { askTables } from './check-databases.ts';

/** More than a person reads. */
const MAX_NAMED = 20;

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
    const { engine, name } = database;
    if (engine !== 'mariadb') continue;
    const told = (why: string): Problem => ({
      code: 'verify-failed',
      path: name,
      message: `${name} does not answer the site: ${why}`,
    });
    try {
      const { silent } = await askTables(site, database);
      problems.push(...silent.slice(0, MAX_NAMED).map((table) => told(`${table.name}: ${table.why}`)));
    } catch (error) {
      problems.push(told(describe(error)));
    }
  }
  return problems;
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
