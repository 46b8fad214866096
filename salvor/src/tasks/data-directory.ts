import { statSync } from 'node:fs';
import { type DatabaseConnection, type DatabaseLogin, openConnection } from '../databases/mariadb/connect.ts';

/** Where a server on this machine keeps its tables; null for one elsewhere. */
export async function readDataDirectory(connection: DatabaseConnection): Promise<string | null> {
  if (!('socket' in connection.login.address)) return null;
  const [row] = await connection.query<{ directory: string }>('SELECT @@datadir AS directory');
  const path = row?.directory ?? '';
  return statSync(path, { throwIfNoEntry: false }) === undefined ? null : path;
}

/** The same by a log-in. Throws what the connection throws. */
export async function findDataDirectory(login: DatabaseLogin, signal: AbortSignal): Promise<string | null> {
  await using connection = await openConnection(login, { signal });
  return await readDataDirectory(connection);
}
