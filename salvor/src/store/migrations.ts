import { type Kysely, sql } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';

/** Brings the store to the newest shape. A migration that has been released is never changed. */
export async function migrateStore<T>(store: Kysely<T>): Promise<void> {
  const migrator = new Migrator({ db: store, provider: { getMigrations: () => Promise.resolve(MIGRATIONS) } });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
}

/** Whether the store has the newest shape already; most openings end here, without waiting for a writer. */
export function isNewest(names: readonly string[]): boolean {
  return Object.keys(MIGRATIONS).every((name) => names.includes(name));
}

const MIGRATIONS: Record<string, Migration> = {
  '0001-tasks-and-points': {
    async up(store: Kysely<unknown>) {
      await store.schema
        .createTable('tasks')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('operation', 'text', (c) => c.notNull())
        .addColumn('account', 'text', (c) => c.notNull())
        .addColumn('uri', 'text', (c) => c.notNull())
        .addColumn('state', 'text', (c) => c.notNull())
        .addColumn('started', 'text', (c) => c.notNull())
        .addColumn('ended', 'text')
        .addColumn('point', 'text')
        .addColumn('undo_until', 'text')
        .addColumn('error', 'text')
        .addColumn('pid', 'integer', (c) => c.notNull())
        .addColumn('process_start', 'text', (c) => c.notNull())
        .execute();
      await store.schema
        .createTable('task_log')
        .addColumn('task', 'text', (c) => c.notNull())
        .addColumn('number', 'integer', (c) => c.notNull())
        .addColumn('time', 'text', (c) => c.notNull())
        .addColumn('line', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('task_log_key', ['task', 'number'])
        .execute();
      await store.schema
        .createTable('points')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('account', 'text', (c) => c.notNull())
        .addColumn('uri', 'text', (c) => c.notNull())
        .addColumn('time', 'text', (c) => c.notNull())
        .addColumn('origin', 'text', (c) => c.notNull())
        .addColumn('reason', 'text')
        .addColumn('holds_files', 'integer', (c) => c.notNull())
        .addColumn('holds_databases', 'integer', (c) => c.notNull())
        .addColumn('bytes', 'integer', (c) => c.notNull())
        .addColumn('complete', 'integer', (c) => c.notNull())
        .addColumn('safety', 'integer', (c) => c.notNull())
        .addColumn('pinned', 'integer', (c) => c.notNull())
        .addColumn('task', 'text')
        .addColumn('snapshot', 'text', (c) => c.notNull())
        .execute();
      await store.schema.createIndex('points_of_site').on('points').columns(['account', 'uri', 'time']).execute();
    },
  },
  // `started` may be empty from now on, which SQLite can't change in place: the table is made anew and filled.
  '0002-queue': {
    async up(store: Kysely<unknown>) {
      await store.schema.alterTable('tasks').renameTo('tasks_before_queue').execute();
      await store.schema
        .createTable('tasks')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('operation', 'text', (c) => c.notNull())
        .addColumn('account', 'text', (c) => c.notNull())
        .addColumn('uri', 'text', (c) => c.notNull())
        .addColumn('path', 'text')
        .addColumn('home', 'text')
        .addColumn('state', 'text', (c) => c.notNull())
        .addColumn('priority', 'integer', (c) => c.notNull())
        .addColumn('queued', 'text', (c) => c.notNull())
        .addColumn('started', 'text')
        .addColumn('ended', 'text')
        .addColumn('point', 'text')
        .addColumn('undo_until', 'text')
        .addColumn('error', 'text')
        .addColumn('error_code', 'text')
        .addColumn('of_task', 'text')
        .addColumn('wish', 'text')
        .addColumn('pid', 'integer', (c) => c.notNull())
        .addColumn('process_start', 'text', (c) => c.notNull())
        .addColumn('seen', 'text')
        .addColumn('progress', 'text')
        .addColumn('cancel_asked', 'text')
        .addColumn('cancelled_by', 'text')
        .addColumn('attempt', 'integer', (c) => c.notNull())
        .addColumn('attempts', 'integer', (c) => c.notNull())
        .addColumn('not_before', 'text')
        .addColumn('timeout_ms', 'integer')
        .addColumn('problems', 'integer', (c) => c.notNull())
        .execute();
      await sql`INSERT INTO tasks (id, operation, account, uri, state, priority, queued, started, ended, point,
          undo_until, error, pid, process_start, attempt, attempts, problems)
        SELECT id, operation, account, uri, state, 0, started, started, ended, point,
          undo_until, error, pid, process_start, 1, 1, 0 FROM tasks_before_queue`.execute(store);
      await store.schema.dropTable('tasks_before_queue').execute();
      await store.schema.createIndex('tasks_by_state').on('tasks').column('state').execute();
      await store.schema.createIndex('tasks_of_site').on('tasks').columns(['account', 'uri', 'id']).execute();
      await store.schema
        .alterTable('task_log')
        .addColumn('kind', 'text', (c) => c.notNull().defaultTo('info'))
        .execute();
      await store.schema.alterTable('task_log').addColumn('code', 'text').execute();
    },
  },
  '0003-made-snapshots': {
    async up(store: Kysely<unknown>) {
      await store.schema
        .createTable('made_snapshots')
        .addColumn('snapshot', 'text', (c) => c.primaryKey())
        .addColumn('account', 'text', (c) => c.notNull())
        .addColumn('copy', 'text', (c) => c.notNull())
        .addColumn('point', 'text', (c) => c.notNull())
        .addColumn('complete', 'integer', (c) => c.notNull())
        .execute();
      await store.schema.createIndex('made_of_copy').on('made_snapshots').columns(['account', 'copy']).execute();
    },
  },
  '0004-archives': {
    async up(store: Kysely<unknown>) {
      await store.schema
        .createTable('archives')
        .addColumn('path', 'text', (c) => c.primaryKey())
        .addColumn('account', 'text', (c) => c.notNull())
        .addColumn('bytes', 'integer', (c) => c.notNull())
        .addColumn('mtime_ns', 'text', (c) => c.notNull())
        .addColumn('look', 'text', (c) => c.notNull())
        .addColumn('manifest', 'text')
        .execute();
    },
  },
  // A point has a row for each copy from now on, and SQLite can't change a key in place.
  '0005-points-of-copies': {
    async up(store: Kysely<unknown>) {
      await store.schema.alterTable('points').renameTo('points_of_local').execute();
      await store.schema.dropIndex('points_of_site').execute();
      await store.schema
        .createTable('points')
        .addColumn('id', 'text', (c) => c.notNull())
        .addColumn('copy', 'text', (c) => c.notNull())
        .addColumn('account', 'text', (c) => c.notNull())
        .addColumn('uri', 'text', (c) => c.notNull())
        .addColumn('time', 'text', (c) => c.notNull())
        .addColumn('origin', 'text', (c) => c.notNull())
        .addColumn('reason', 'text')
        .addColumn('holds_files', 'integer', (c) => c.notNull())
        .addColumn('holds_databases', 'integer', (c) => c.notNull())
        .addColumn('bytes', 'integer', (c) => c.notNull())
        .addColumn('complete', 'integer', (c) => c.notNull())
        .addColumn('safety', 'integer', (c) => c.notNull())
        .addColumn('pinned', 'integer', (c) => c.notNull())
        .addColumn('task', 'text')
        .addColumn('snapshot', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('points_key', ['id', 'copy'])
        .execute();
      const columns = sql.raw(
        'account, uri, time, origin, reason, holds_files, holds_databases, bytes, complete, safety, pinned, task, snapshot',
      );
      await sql`INSERT INTO points (id, copy, ${columns})
        SELECT id, 'local', ${columns} FROM points_of_local`.execute(store);
      await store.schema.dropTable('points_of_local').execute();
      await store.schema.createIndex('points_of_site').on('points').columns(['account', 'uri', 'time']).execute();
    },
  },
};
