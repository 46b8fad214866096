/**
 * The agent's own store: one SQLite file in its state directory. Owns how the file is opened and what shape
 * its tables have; the queries live with what they ask about (`tasks/`, `points/`). It is a cache of what disk,
 * repositories and configuration say: losing it loses the list of tasks, those that wait for their turn too, and no point.
 */
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Kysely, SqliteDialect, sql } from 'kysely';
import { isNewest, migrateStore } from './migrations.ts';
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
    if (!isNewest(listMigrations(database))) {
      // All of it or nothing, by one process: another one that opens the store waits here and finds it done.
      database.exec('BEGIN IMMEDIATE');
      await migrateStore(store);
      database.exec('COMMIT');
    }
  } catch (error) {
    database.close();
    throw error;
  }
  return store;
}

/**
 * One transaction that no other writer comes between: what `body` reads stands until it has written. It must use the
 * store that it is handed, and wait for nothing else.
 */
export async function writeAtOnce<T>(store: Store, body: (store: Kysely<StoreTables>) => Promise<T>): Promise<T> {
  return await store.connection().execute(async (connection) => {
    // By itself SQLite would take the lock at the first write, and refuse it where somebody wrote since the first read.
    await sql`BEGIN IMMEDIATE`.execute(connection);
    try {
      const result = await body(connection);
      await sql`COMMIT`.execute(connection);
      return result;
    } catch (error) {
      // Where the disk is full SQLite has rolled back by itself, and says so here.
      await sql`ROLLBACK`.execute(connection).catch(() => undefined);
      throw error;
    }
  });
}

function listMigrations(database: DatabaseSync): readonly string[] {
  const table = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'kysely_migration'").get();
  if (table === undefined) return [];
  return database
    .prepare('SELECT name FROM kysely_migration')
    .all()
    .map(({ name }) => String(name));
}

/** Writes a whole copy of the store into a file that is not there yet, while others read and write. */
export async function copyStore(store: Store, file: string): Promise<void> {
  await sql`VACUUM INTO ${file}`.execute(store);
}
