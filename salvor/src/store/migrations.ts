import type { Kysely } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';

/** Brings the store to the newest shape. A migration that has been released is never changed. */
export async function migrateStore<T>(store: Kysely<T>): Promise<void> {
  const migrator = new Migrator({ db: store, provider: { getMigrations: () => Promise.resolve(MIGRATIONS) } });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
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
};
