/**
 * How long statements of a switch wait for tables that are in use, and how they are tried again. One that waits for a
 * table keeps every visitor behind it; one that does not wait costs them nothing.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type DatabaseConnection, serverErrorNumber } from './connect.ts';

/** For how long a statement waits that has to. */
export const LOCK_WAIT_SECONDS = 1;
/** What makes a view or a trigger is done at once or waits for a lock, of which the server knows whole seconds only. */
export const STATEMENT_SECONDS = 0.5;
/** Between two tries the visitors that queued up behind the first one get their turn. */
export const PAUSE_MS = 300;
/** Between two tries that wait for nothing: there are many instants in a second at which no statement is at work on a table. */
export const QUICK_PAUSE_MS = 7;

export const ER_LOCK_WAIT_TIMEOUT = 1205;
const ER_LOCK_DEADLOCK = 1213;
const ER_STATEMENT_TIMEOUT = 1969;

/** Whether a statement gave way to somebody who holds what it needs. */
export function isLockedOut(error: unknown): boolean {
  const number = serverErrorNumber(error);
  return number === ER_LOCK_WAIT_TIMEOUT || number === ER_LOCK_DEADLOCK || number === ER_STATEMENT_TIMEOUT;
}

/** How long statements of the session wait for a lock, in whole seconds, and how long they take at most; 0: as long as it takes. */
export async function setWaits(connection: DatabaseConnection, lockSeconds: number, seconds = 0): Promise<void> {
  await connection.execute(`SET SESSION lock_wait_timeout = ${lockSeconds}, max_statement_time = ${seconds}`);
}

/** For sessions that wait for no lock: again and again for `withinMs`, once where that is 0. Throws as the last try does. */
export async function executeInTries(
  connection: DatabaseConnection,
  statement: string,
  withinMs: number,
): Promise<void> {
  for (const until = performance.now() + withinMs; ;) {
    try {
      return await connection.execute(statement);
    } catch (error) {
      if (performance.now() >= until || serverErrorNumber(error) !== ER_LOCK_WAIT_TIMEOUT) throw error;
    }
    await sleep(QUICK_PAUSE_MS);
  }
}
