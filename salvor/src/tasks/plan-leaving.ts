/**
 * The part of a switch in which all tables of a site's database leave it and none comes: of a site that is deleted, and of one
 * that gets a new database. The emptied one stays until the grace period ends, so that undo finds it.
 */
import { openConnection, readAccount } from '../databases/mariadb/connect.ts';
import { readSwapFacts } from '../databases/mariadb/inspect-swap.ts';
import { planSwap } from '../databases/mariadb/plan-swap.ts';
import { createOurDatabase } from '../databases/mariadb/scratch.ts';
import type { Site, SiteDatabase } from '../sites/site.ts';
import type { DroppedDatabase, ScratchDatabase } from './journal.ts';
import { scratchDatabase, scratchName } from './scratch-names.ts';
import type { SwitchTools, TableSwap } from './switch-site.ts';
import type { TaskRun } from './task-run.ts';

export type LeavingNames = { readonly empty: ScratchDatabase; readonly old: ScratchDatabase };

/** An empty database is made, which has none that could come. */
export async function planLeaving(
  site: Site,
  database: SiteDatabase,
  names: LeavingNames,
  tools: Pick<SwitchTools, 'administratorOf'>,
  run: TaskRun,
): Promise<TableSwap> {
  const { address } = database.login;
  const admin = await tools.administratorOf(address, site.account.home);
  await using connection = await openConnection(admin, { signal: run.signal });
  await run.audit('create-database', `database ${names.empty.name}`, () =>
    createOurDatabase(connection, names.empty.name, { charset: 'utf8mb4', collation: 'utf8mb4_general_ci' }),
  );
  const wish = { live: database.name, scratch: names.empty.name };
  const plan = planSwap(await readSwapFacts(admin, wish, { signal: run.signal }), {
    ...wish,
    old: names.old.name,
    scope: { prefix: database.prefix },
    definer: await readAccount(connection),
    definers: [],
  });
  return { server: address, plan };
}

export function nameLeaving(task: string, database: SiteDatabase, index: number): LeavingNames {
  const { address } = database.login;
  return {
    empty: scratchDatabase(address, scratchName(task, 'new', index)),
    old: scratchDatabase(address, scratchName(task, 'old', index)),
  };
}

/** What the end of the grace period drops, where nobody else needs it then. */
export function dropOf({ name, login }: SiteDatabase): DroppedDatabase {
  return { server: login.address, name, user: login.user };
}
