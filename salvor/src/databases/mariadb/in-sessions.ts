import { type DatabaseConnection, type DatabaseLogin, openConnection } from './connect.ts';

/** Two processors are what a small host has. */
export const SESSIONS = 2;

/** Does it for each item, in two sessions beside each other. Both have ended when the first failure is thrown. */
export async function inSessions<Item>(
  items: readonly Item[],
  { admin, signal }: { readonly admin: DatabaseLogin; readonly signal?: AbortSignal | undefined },
  act: (connection: DatabaseConnection, item: Item) => Promise<void>,
): Promise<void> {
  const queue = [...items];
  const work = async (): Promise<void> => {
    await using connection = await openConnection(admin, { signal });
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await act(connection, item);
  };
  const ended = await Promise.allSettled(Array.from({ length: Math.min(SESSIONS, queue.length) }, work));
  for (const one of ended) if (one.status === 'rejected') throw one.reason;
}
