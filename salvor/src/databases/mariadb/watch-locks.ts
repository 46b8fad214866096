/**
 * Ends a dump that waits for a table which somebody else has locked. The server itself would wait for a day, and the
 * tool has no option for it. Looked at only while the tool is silent: a large table that is sorted is silent too.
 */
import { SalvorError } from '../../errors.ts';
import { type DatabaseLogin, openConnection } from './connect.ts';

export type LockWatch = {
  readonly login: DatabaseLogin;
  readonly database: string;
  /** How long a session may wait; looked at as often while nothing comes. */
  readonly waitSeconds: number;
  /** Stops the tool: its output then ends with what was aborted with. */
  readonly stop: AbortController;
};

/** Passes the tool's output through. Aborts `stop` with 'dump-locked'. */
export async function* watchLocks(source: AsyncIterable<Uint8Array>, watch: LockWatch): AsyncGenerator<Uint8Array> {
  let timer: NodeJS.Timeout | undefined;
  const look = async (): Promise<void> => {
    const words = await findLockWait(watch).catch(() => null);
    if (words !== null) watch.stop.abort(new SalvorError('dump-locked', { database: watch.database, words }));
  };
  try {
    timer = setInterval(() => void look(), watch.waitSeconds * 1000);
    for await (const bytes of source) {
      // While the consumer is busy with it nobody waits for the server.
      clearInterval(timer);
      yield bytes;
      timer = setInterval(() => void look(), watch.waitSeconds * 1000);
    }
  } finally {
    clearInterval(timer);
  }
}

/** Of the same user in the same database: the server shows a user his own sessions. */
async function findLockWait({ login, database, waitSeconds, stop }: LockWatch): Promise<string | null> {
  await using connection = await openConnection(login, { signal: stop.signal });
  const [row] = await connection.query<{ seconds: string; state: string; statement: string }>(
    `SELECT TIME AS seconds, STATE AS state, LEFT(COALESCE(INFO, ''), 200) AS statement FROM information_schema.PROCESSLIST
     WHERE USER = SUBSTRING_INDEX(USER(), '@', 1) AND DB = ? AND TIME >= ? AND STATE LIKE 'Waiting for %lock'
     ORDER BY TIME DESC LIMIT 1`,
    [database, String(waitSeconds)],
  );
  return row === undefined ? null : `${row.state} for ${row.seconds} s: ${row.statement}`;
}
