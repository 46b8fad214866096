/** What a server is set to for as long as a load runs on it, and what it was set to before. */
import { type DatabaseConnection, type DatabaseLogin, openConnection } from './connect.ts';
import type { LoadOptions } from './load.ts';

/** The largest packet that server and client know; a value in hexadecimal takes twice its size. */
const MAX_PACKET_BYTES = 1024 * 1024 * 1024;

type Load = Pick<LoadOptions, 'admin' | 'signal'>;

/**
 * Lets sessions that begin from now on send the largest packets, until it is disposed; then the server is as it was,
 * unless another load runs on it. A crash leaves the wider limit, which costs nothing.
 */
export async function widenPackets({ admin, signal }: Load): Promise<AsyncDisposable> {
  await using resources = new AsyncDisposableStack();
  const connection = resources.use(await openConnection(admin, signal === undefined ? {} : { signal }));
  const size = await readNumber(connection, 'SELECT @@GLOBAL.max_allowed_packet AS number');
  if (size < MAX_PACKET_BYTES) {
    await connection.execute(`SET GLOBAL max_allowed_packet = ${MAX_PACKET_BYTES}`);
    resources.defer(() => putBack(admin, `SET GLOBAL max_allowed_packet = ${size}`));
  }
  return resources.move();
}

/**
 * With a binary log a user without rights may make no function or trigger, as a replica would run it with all rights. That
 * of a load is made for one scratch database in the user's own name, and made again as the site's user by the switch: for
 * as long as the load runs the server lets it be made.
 */
export async function trustCreators({ admin, signal }: Load): Promise<AsyncDisposable> {
  await using resources = new AsyncDisposableStack();
  const connection = resources.use(await openConnection(admin, signal === undefined ? {} : { signal }));
  const isRefused = 'SELECT @@GLOBAL.log_bin AND NOT @@GLOBAL.log_bin_trust_function_creators AS number';
  if ((await readNumber(connection, isRefused)) === 1) {
    await connection.execute('SET GLOBAL log_bin_trust_function_creators = 1');
    resources.defer(() => putBack(admin, 'SET GLOBAL log_bin_trust_function_creators = 0'));
  }
  return resources.move();
}

/** Unless another load runs, which needs it too. */
async function putBack(admin: DatabaseLogin, statement: string): Promise<void> {
  try {
    await using connection = await openConnection(admin);
    const loads = "SELECT COUNT(*) AS number FROM information_schema.PROCESSLIST WHERE USER LIKE 'salvor\\_%'";
    if ((await readNumber(connection, loads)) === 0) await connection.execute(statement);
  } catch {
    // The server is gone, and with it what was set: what the load ended with is what its caller must hear.
  }
}

async function readNumber(connection: DatabaseConnection, sql: string): Promise<number> {
  const [row] = await connection.query<{ number: string | number }>(sql);
  return Number(row?.number ?? 0);
}
