/**
 * Finishes or undoes what a task left, after a crash as after a failure: the same code for both.
 *
 *   phase      what may be there                                          what is done                     ends as
 *   started    a staging place, snapshots and scratch databases, whole or half; all are removed                  failed (backup),
 *              of a new site its database, empty; of an export a file                                       rolled-back
 *              without its name; nothing of the site was touched
 *   switching  no part has changed places                                 as `started`                     rolled-back
 *              some have, in the order tables → directories, or one       the rest change places too;      succeeded,
 *              of them has in part                                        where they can't, all go back    rolled-back
 *              all have                                                   nothing                          succeeded
 *   switched   all have; scratch databases are empty                      they are removed                 succeeded
 *              and the database updates of other code are not done        all go back, as an undo does it  rolled-back
 *   kept       the task is over                                           nothing
 *
 * A switch that was taken back is `started` again before what was built for it is removed.
 *
 * Each part is asked for on disk (inodes) and on the server (table lists), because the journal is written before the
 * first part moves and says nothing of how far it came. A part that is at neither place was moved by someone else:
 * then nothing is touched, the journal stays, and every command says so.
 *
 * An undo has a journal of its own with the switch the other way round. What it takes back lies in the staging place
 * of its restore, which becomes the undo's when it is over; the restore's journal then goes.
 */
import { removeUnfinished } from '../archives/unfinished.ts';
import { SalvorError } from '../errors.ts';
import { type DatabaseLogin, openConnection } from '../databases/mariadb/connect.ts';
import { readTables } from '../databases/mariadb/probe.ts';
import { dropScratch } from '../databases/mariadb/scratch.ts';
import { dropSiteDatabase } from '../databases/mariadb/site-database.ts';
import { removeSnapshot } from '../lib/file-snapshots/file-snapshot.ts';
import type { Journal, ScratchDatabase } from './journal.ts';
import { openSite } from './maintenance.ts';
import { scratchName, scratchPrefix } from './scratch-names.ts';
import { removeStaging } from './staging.ts';
import {
  type Switch,
  type SwitchTools,
  finishSwitch,
  makeSwitch,
  planSwitchBack,
  revertSwitch,
  surveySwitch,
} from './switch-site.ts';
import type { TaskId } from './task-id.ts';

/** They change nothing of a site: killed, they have failed and nothing has to be rolled back. */
export const HARMLESS: ReadonlySet<Journal['operation']> = new Set([
  'backup',
  'daily',
  'confirm',
  'unpack',
  'backup-delete',
  'verify',
  'export',
]);

export type RecoveryTools = SwitchTools & {
  readonly journals: {
    readonly write: (journal: Journal) => void;
    readonly read: (task: TaskId) => Journal | null;
    readonly remove: (task: TaskId) => void;
  };
  readonly clock: () => Date;
};

export type Recovered = { readonly journal: Journal; readonly state: 'succeeded' | 'failed' | 'rolled-back' };

/** Throws `recovery-incomplete`; then the journal stays and the next command tries again. */
export async function recoverTask(journal: Journal, tools: RecoveryTools): Promise<Recovered> {
  try {
    return await recover(journal, tools);
  } catch (cause) {
    if (cause instanceof SalvorError && cause.code === 'recovery-incomplete') throw cause;
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw new SalvorError('recovery-incomplete', { task: journal.task, site: journal.site.uri, problem }, { cause });
  }
}

async function recover(journal: Journal, tools: RecoveryTools): Promise<Recovered> {
  switch (journal.phase) {
    case 'started':
      return await takeBack(journal, tools);
    case 'switching': {
      if (journal.switch === null) throw new Error('a journal that switches without a switch');
      const survey = await surveySwitch(journal.switch, journal.site.home, tools);
      tools.say(`of the switch: ${survey.summary}`);
      if (survey.lost.length > 0) {
        const problem = `${survey.lost.join(', ')} was moved by someone else`;
        throw new SalvorError('recovery-incomplete', { task: journal.task, site: journal.site.uri, problem });
      }
      if (journal.isTakenBack === true) {
        await finishSwitch(journal.switch, journal.site.home, tools);
        return await endTakenBack(journal, tools);
      }
      // Updates that come after it have not begun.
      if (survey.isUntouched || journal.update === 'pending') return await revert(journal, journal.switch, tools);
      try {
        await finishSwitch(journal.switch, journal.site.home, tools);
      } catch (error) {
        // What has moved can always move back: the places that it came from are ours.
        tools.say(`could not be finished: ${error instanceof Error ? error.message : String(error)}`);
        return await revert(journal, journal.switch, tools);
      }
      return await endSwitched(journal, tools);
    }
    case 'switched':
      return await endSwitched(journal, tools);
    case 'kept':
      return { journal, state: 'succeeded' };
    default:
      return journal.phase satisfies never;
  }
}

const LATE_UNKNOWN =
  'what was written between the safety point and the switch may be in no point: what is kept holds it, and stays until undo or confirm';

/** Updates that were begun have changed the new tables: these go as an undo takes them, and the old ones come back. */
async function endSwitched(journal: Journal, tools: RecoveryTools): Promise<Recovered> {
  const { switch: done } = journal;
  if (journal.update !== 'pending' || done === null) {
    if (journal.late === 'unknown') tools.say(LATE_UNKNOWN);
    return await keep(journal, tools);
  }
  const name = (index: number): string => scratchName(journal.task, 'back', index);
  const back = await planSwitchBack(done, journal.site.home, name, tools);
  const scratchDatabases = [
    ...journal.scratchDatabases,
    ...back.tables.map(({ server, plan }) => ({ server, name: plan.old, user: plan.old })),
  ];
  const taking: Journal = { ...journal, phase: 'switching', switch: back, scratchDatabases, isTakenBack: true };
  tools.journals.write(taking);
  await makeSwitch(back, journal.site.home, tools);
  return await endTakenBack(taking, tools);
}

async function endTakenBack(journal: Journal, tools: RecoveryTools): Promise<Recovered> {
  openSite(journal);
  const reverted: Journal = { ...journal, phase: 'started', switch: null, undoUntil: null };
  tools.journals.write(reverted);
  return await takeBack(reverted, tools);
}

/** Also where no table has moved: triggers and views go before tables do, and come back by this. */
async function revert(journal: Journal, wanted: Switch, tools: RecoveryTools): Promise<Recovered> {
  await revertSwitch(wanted, journal.site.home, tools);
  // Written before anything is removed: whoever goes on after a failure in the middle finds no place to look at any more.
  const reverted: Journal = { ...journal, phase: 'started', switch: null, undoUntil: null };
  tools.journals.write(reverted);
  return await takeBack(reverted, tools);
}

/** The site is as it was: what was built for it goes. */
async function takeBack(journal: Journal, tools: RecoveryTools): Promise<Recovered> {
  openSite(journal);
  for (const staging of journal.stagings) await tools.audit('remove-files', staging, () => removeStaging(staging));
  for (const snapshot of journal.snapshots ?? [])
    await tools.audit('remove-files', snapshot.name, () => removeSnapshot(snapshot));
  await dropScratchDatabases(journal, journal.scratchDatabases, tools);
  await dropMade(journal, tools);
  if (journal.unfinished !== undefined)
    removeUnfinished(journal.unfinished.root, journal.unfinished.directory, journal.task);
  const isHarmless = HARMLESS.has(journal.operation);
  return { journal, state: isHarmless ? 'failed' : 'rolled-back' };
}

/** What was made for a site that did not come about. An undo makes none: what its journal names so is the site's. */
async function dropMade(journal: Journal, tools: SwitchTools): Promise<void> {
  if (journal.operation === 'undo') return;
  for (const { server, name } of journal.made ?? []) {
    const admin = await tools.administratorOf(server, journal.site.home);
    await tools.audit('drop-database', `database ${name}`, () => dropSiteDatabase(admin, { name, task: journal.task }));
  }
}

/** The site is the new one: the old stays for `undo`. What moved away left databases without tables: they go. */
export async function keep(journal: Journal, tools: RecoveryTools): Promise<Recovered> {
  openSite(journal);
  await dropEmptied(journal, tools);
  const original = journal.of === null ? null : tools.journals.read(journal.of);
  const stagings = journal.stagings.length > 0 ? journal.stagings : (original?.stagings ?? []);
  const kept: Journal = { ...journal, phase: 'kept', stagings };
  tools.journals.write(kept);
  // Two journals for an instant: the older one of a site can't be undone any more.
  if (original !== null) tools.journals.remove(original.task);
  return { journal: kept, state: 'succeeded' };
}

/**
 * Drops what a task built. Three agree before each: the journal names it, its name is made of the task's id, and no
 * site has a database of such a name.
 */
export async function dropScratchDatabases(
  journal: Journal,
  databases: readonly ScratchDatabase[],
  tools: SwitchTools,
): Promise<void> {
  for (const { server, name, user } of databases) {
    if (!name.startsWith(scratchPrefix(journal.task)))
      throw new Error(`${name} is not a database of task ${journal.task}`);
    const admin = await tools.administratorOf(server, journal.site.home);
    // What a switch took away lies in `old`: while a table is there, it may be the only copy of it.
    if (name.startsWith(scratchName(journal.task, 'old')) && (await holdsTables(admin, name)))
      throw new Error(`${name} holds tables that were not moved back`);
    await tools.audit('drop-database', `database ${name}`, () => dropScratch(admin, { database: name, user }));
  }
}

/**
 * Databases of ours that the switch has emptied. Of what this task has loaded, that was never to move goes with it: sequences
 * beside chosen tables, and other sites' tables in a dump. One that holds a table that should have moved stays.
 */
async function dropEmptied(journal: Journal, tools: SwitchTools): Promise<void> {
  for (const { server, plan } of journal.switch?.tables ?? []) {
    const admin = await tools.administratorOf(server, journal.site.home);
    const isLoaded = plan.scratch.startsWith(scratchName(journal.task, 'new'));
    const moved = isLoaded ? new Set(plan.moves.filter(({ comes }) => comes).map(({ table }) => table)) : null;
    if (await holdsTables(admin, plan.scratch, moved)) continue;
    await tools.audit('drop-database', `database ${plan.scratch}`, () =>
      dropScratch(admin, { database: plan.scratch, user: plan.scratch }),
    );
  }
}

/** Any table, or one of those. */
async function holdsTables(
  admin: DatabaseLogin,
  database: string,
  those: ReadonlySet<string> | null = null,
): Promise<boolean> {
  await using connection = await openConnection(admin);
  return (await readTables(connection, database)).some(({ name }) => those === null || those.has(name));
}
