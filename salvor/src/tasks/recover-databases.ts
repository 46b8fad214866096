/**
 * The databases of one site of a lost host: loaded beside out of the night's point, compared, and put in their places in one
 * step. A database that holds a table already is left as it is, and named: it may be newer than any point.
 */
import type { Problem } from '@salvor/contract';
import type { OpenPoint } from '../points/open-point.ts';
import { SalvorError } from '../errors.ts';
import { type Site, siteKey } from '../sites/site.ts';
import { buildDatabase, nameDatabases } from './build-databases.ts';
import type { PlannedDatabase } from './plan-database.ts';
import { type PlanTools, planRestore } from './plan-restore.ts';
import { type RecoveryTools, dropScratchDatabases } from './recover-task.ts';
import { type TableSwap, makeSwitch } from './switch-site.ts';
import type { TaskRun } from './task-run.ts';
import { verifySite } from './verify-site.ts';

export type RecoverDatabasesTools = Omit<PlanTools, 'signal'> &
  Pick<RecoveryTools, 'administratorOf'> & { readonly readSite: () => Promise<Site> };

export type RecoveredDatabases = { readonly databases: readonly string[]; readonly tables: number };

/** Throws `restore-obstructed` and what a step throws: then no table has its place. */
export async function recoverDatabases(
  site: Site,
  point: OpenPoint,
  tools: RecoverDatabasesTools,
  run: TaskRun,
): Promise<RecoveredDatabases> {
  const databases = point.manifest.databases.map(({ name }) => ({ name, tables: 'all' as const }));
  const plan = await run.step('plan', () =>
    planRestore(site, point, { files: [], databases }, { ...tools, signal: run.signal }),
  );
  const { obstacles } = plan.document;
  if (obstacles.length > 0)
    throw new SalvorError('restore-obstructed', {
      site: siteKey(site),
      obstacles: obstacles.map(({ message }) => message),
    });
  const missing = plan.databases.filter((planned) => isEmpty(planned));
  run.note(...plan.databases.filter((planned) => !isEmpty(planned)).map((planned) => nameThere(planned)));
  const names = missing.map((planned, index) => nameDatabases(run.id, planned, index));
  run.record({ scratchDatabases: names.flatMap(({ built, old }) => [built, old]) });
  const swaps: TableSwap[] = [];
  for (const [index, planned] of missing.entries()) {
    const name = names[index];
    if (name === undefined) continue;
    swaps.push(
      await run.step(
        'build the database',
        () => buildDatabase(site, point, planned, name, tools, run),
        planned.stored.name,
      ),
    );
  }
  const switchTools = {
    administratorOf: tools.administratorOf,
    say: (line: string) => run.say(line),
    audit: run.audit,
  };
  // As of a restore: written down first, so that one that is killed in the middle is finished by the next command.
  await run.commit('switch', async () => {
    run.record({ phase: 'switching', switch: { tables: swaps, moves: [] } });
    run.note(...(await makeSwitch({ tables: swaps, moves: [] }, site.account.home, switchTools)));
    run.record({ phase: 'switched' });
  });
  await run.commit('clear away', () => dropScratchDatabases(run.journal, run.journal.scratchDatabases, switchTools));
  run.note(...(await run.commit('verify', () => verifySite(tools.readSite))));
  const tables = missing.reduce((sum, { incoming }) => sum + incoming.length, 0);
  return { databases: missing.map(({ database }) => database.name), tables };
}

function isEmpty({ facts }: PlannedDatabase): boolean {
  return facts === null || facts.tables.length === 0;
}

function nameThere({ database }: PlannedDatabase): Problem {
  const message = `${database.name} holds tables already, and was left as it is: to bring it back all the same, salvor restore --only databases`;
  return { code: 'database-there', message, path: database.name };
}
