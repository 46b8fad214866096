/**
 * The end of the grace period: what a task has switched out goes for good. What was written there since the switch by
 * someone who still had it open stops that, because it exists nowhere else.
 *
 * Before anything is dropped three agree: the journal names it, its name or place is made of a task's id, and the time
 * until which it can be undone has passed or a person has confirmed the task.
 */
import { basename, dirname } from 'node:path';
import { type DatabaseAccount, type DatabaseConnection, openConnection } from '../databases/mariadb/connect.ts';
import { dropScratch } from '../databases/mariadb/scratch.ts';
import { dropEmptied, isEmptyDatabase, readTies } from '../databases/mariadb/ties.ts';
import { walkTree } from '../lib/beneath/walk-tree.ts';
import { type Site, siteKey } from '../sites/site.ts';
import type { DroppedDatabase, Journal } from './journal.ts';
import { removeStaging } from './staging.ts';
import type { SwitchTools } from './switch-site.ts';
import { parseTaskId } from './task-id.ts';

/** Writes of the very switch, and of requests that were being served in it. */
const MAX_LATE_MS = 60_000;
/** What journals were kept for that don't say it: of before the policy decided. Tells when their switch was. */
export const FORMER_GRACE_HOURS = 72;

export type DropTools = SwitchTools & {
  /** All sites of the host, as they are now. */
  readonly readSites: () => Promise<readonly Site[]>;
  readonly journals: { readonly write: (journal: Journal) => void };
};

export type Dropped = { readonly isDropped: true } | { readonly isDropped: false; readonly why: string };

/**
 * Drops what the journal keeps, if it is due and nothing was written there, or the rest of it where an earlier drop was
 * interrupted. The journal says that it has begun before anything goes. Throws where the server can't be asked, or refuses.
 */
export async function dropKept(journal: Journal, now: Date, tools: DropTools): Promise<Dropped> {
  if (journal.phase !== 'kept' || journal.undoUntil === null || journal.switch === null)
    return keepIt('it keeps nothing');
  if (journal.dropBegan === undefined) {
    const why = await findReasonToKeep(journal, now, tools);
    if (why !== null) return keepIt(why);
    tools.journals.write({ ...journal, dropBegan: now.toISOString() });
  }
  for (const { server, plan } of journal.switch.tables) {
    if (!isNameOf(plan.old)) throw new Error(`${plan.old} is not a database that a task has made`);
    const admin = await tools.administratorOf(server, journal.site.home);
    await tools.audit('drop-database', `database ${plan.old}`, () =>
      dropScratch(admin, { database: plan.old, user: plan.old }),
    );
  }
  for (const staging of journal.stagings) {
    const isOurs = parseTaskId(basename(staging)) !== null && basename(dirname(staging)) === journal.site.account;
    if (!isOurs) throw new Error(`${staging} is not a place that a task has made`);
    await tools.audit('remove-files', staging, () => removeStaging(staging));
  }
  for (const database of journal.drops ?? []) await dropDeleted(database, journal, tools);
  return { isDropped: true };
}

/** Not asked again of what is half dropped: to remove files is to write in their directories. */
async function findReasonToKeep(journal: Journal, now: Date, tools: DropTools): Promise<string | null> {
  if (journal.confirmed === undefined) {
    if (!(Date.parse(journal.undoUntil ?? '') < now.getTime())) return `it can be undone until ${journal.undoUntil}`;
    if (journal.late === 'unknown')
      return 'what was written there while the task ran is in no point: undo brings it back, confirm lets go of it';
  }
  return await findLateWrite(journal, tools);
}

/** Why what a task keeps stays, whoever wants it gone: somebody has written there since. Null where nobody has. */
export async function findLateWrite(
  { undoUntil, graceHours, stagings, switch: done, site }: Journal,
  { administratorOf }: Pick<DropTools, 'administratorOf'>,
): Promise<string | null> {
  if (undoUntil === null) return null;
  const quietSince = Date.parse(undoUntil) - (graceHours ?? FORMER_GRACE_HOURS) * 3_600_000 + MAX_LATE_MS;
  for (const staging of stagings) {
    const written = await findWritten(staging, quietSince);
    if (written !== null) return `${written} was written after the switch`;
  }
  for (const { server, plan } of done?.tables ?? []) {
    await using connection = await openConnection(await administratorOf(server, site.home));
    const [late] = await connection.query<{ name: string }>(
      `SELECT TABLE_NAME AS name FROM information_schema.TABLES
       WHERE TABLE_SCHEMA = ? AND UNIX_TIMESTAMP(UPDATE_TIME) > ? LIMIT 1`,
      [plan.old, Math.ceil(quietSince / 1000)],
    );
    if (late !== undefined) return `${plan.old}.${late.name} was written after the switch`;
  }
  return null;
}

/** The database of a site that was deleted, with its user. Where they stay, it is said. */
async function dropDeleted(database: DroppedDatabase, journal: Journal, tools: DropTools): Promise<void> {
  const { name, user, server } = database;
  const admin = await tools.administratorOf(server, journal.site.home);
  await using connection = await openConnection(admin);
  const { why, accounts } = await judgeDeleted(connection, database, await tools.readSites());
  if (why !== null) return tools.say(`the database ${name} and its user ${user} stay: ${why}`);
  await tools.audit('drop-database', `database ${name}`, () => dropEmptied(connection, name, accounts));
}

/**
 * Whether the database of a site that was deleted may go, with its user. Three agree before: the journal names them,
 * nothing is in the database and no site's settings name it or the user any more, and the server's grants give nobody else
 * anything there nor the user anything elsewhere. Where one does not, `why` says it.
 */
export async function judgeDeleted(
  connection: DatabaseConnection,
  { name, user }: DroppedDatabase,
  sites: readonly Site[],
): Promise<{ readonly why: string | null; readonly accounts: readonly DatabaseAccount[] }> {
  const stays = (why: string): { readonly why: string; readonly accounts: readonly [] } => ({ why, accounts: [] });
  const isUsed = (site: Site): boolean =>
    site.databases.some(({ name: theirs, login }) => theirs === name || login.user === user);
  const other = sites.find(isUsed);
  if (other !== undefined) return stays(`${siteKey(other)} names them in its settings`);
  if (!(await isEmptyDatabase(connection, name))) return stays('there is something in it');
  const ties = await readTies(connection, name, user);
  if (!ties.isUsers) return stays('no rights of the user on it can be seen');
  if (ties.others.length > 0) return stays(`${ties.others.join(', ')} has rights on it`);
  if (ties.elsewhere.length > 0) return stays(`the user has rights on ${ties.elsewhere.join(', ')}`);
  return { why: null, accounts: ties.accounts };
}

function keepIt(why: string): Dropped {
  return { isDropped: false, why };
}

function isNameOf(database: string): boolean {
  const match = /^salvor_([0-9a-z]{12})_old\d*$/.exec(database);
  return match !== null && parseTaskId(match[1] ?? '') !== null;
}

/** The first file there whose content or metadata changed after that time; null where all is quiet. */
async function findWritten(directory: string, sinceMs: number): Promise<string | null> {
  const since = BigInt(Math.ceil(sinceMs)) * 1_000_000n;
  for await (const { path, stat } of walkTree(directory))
    if (stat.ctimeNs > since) return path === '' ? directory : path;
  return null;
}
