/**
 * Stamps of tables: when each was made or altered and last written to, as the server says it. Two that are the same mean
 * that nobody has changed the table between them, but for times of which `readAmbiguousTimes` says that they may come again.
 */
import type { DatabaseConnection } from './connect.ts';

/** The stamp of each: `MADE/WRITTEN`, in the server's own time. Throws as a statement does. */
export async function readStamps(
  connection: DatabaseConnection,
  database: string,
  tables: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const rows = await connection.query<{ name: string; made: string; written: string | null }>(
    `${IN_ITS_TIME} SELECT TABLE_NAME AS name, CREATE_TIME AS made, UPDATE_TIME AS written
     FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME IN (?)`,
    [database, tables],
  );
  return new Map(rows.map(({ name, made, written }) => [name, `${made}/${written ?? ''}`]));
}

/**
 * Times of which a stamp does not tell whether there will be another write of the same time. InnoDB gives a table the
 * second in which the transaction began that wrote to it, when that is committed (tried: MariaDB 10.11.19): those of
 * transactions that are open, this second, and the last one, because the server has clocks of more than one precision.
 * The last two are those of another change of a definition too.
 */
export async function readAmbiguousTimes(connection: DatabaseConnection): Promise<ReadonlySet<string>> {
  const rows = await connection.query<{ second: string }>(
    `${IN_ITS_TIME} SELECT CONCAT(NOW()) AS second UNION SELECT CONCAT(NOW() - INTERVAL 1 SECOND)
     UNION SELECT CONCAT(trx_started) FROM information_schema.INNODB_TRX`,
  );
  return new Set(rows.map(({ second }) => second));
}

/** A transaction's time is the server's whatever the session's is. */
const IN_ITS_TIME = "SET STATEMENT time_zone = 'SYSTEM' FOR";

/** When it was made or last altered. */
export function madeAt(stamp: string): string {
  return stamp.split('/')[0] ?? '';
}

/** Empty where the server does not remember it: it keeps that in memory, for tables that are open. */
export function writtenAt(stamp: string): string {
  return stamp.split('/')[1] ?? '';
}
