/**
 * The agent's own store: one SQLite file in its state directory. Owns how the file is opened and what shape
 * its tables have; the queries live with what they ask about (`tasks/`, `points/`). It is a cache of what disk,
 * repositories and configuration say: losing it loses the list of past tasks and no point.
 */
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Kysely, SqliteDialect } from 'kysely';
import { migrateStore } from './migrations.ts';
import { adaptNodeSqlite } from './node-sqlite.ts';
import type { StoreTables } from './tables.ts';
import { makeDirectories } from '../lib/make-directories.ts';

export type Store = Kysely<StoreTables> & AsyncDisposable;

/** Several commands may run at once: a writer waits this long for another one's transaction, which lasts milliseconds. */
const MAX_WAIT_MS = 15_000;

/** Opens STATE/salvor.sqlite, makes it where it is missing and brings it to the newest shape. */
export async function openStore(stateDirectory: string): Promise<Store> {
  makeDirectories(stateDirectory, 0o700);
  chmodSync(stateDirectory, 0o700);
  const database = new DatabaseSync(join(stateDirectory, 'salvor.sqlite'), { timeout: MAX_WAIT_MS });
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON');
  const store = new Kysely<StoreTables>({ dialect: new SqliteDialect({ database: adaptNodeSqlite(database) }) });
  try {
    await migrateStore(store);
  } catch (error) {
    database.close();
    throw error;
  }
  return store;
}
