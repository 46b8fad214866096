import { type DatabaseLogin, openConnection } from './connect.ts';
import type { SwapPlan } from './plan-swap.ts';

/** `DATABASE.TABLE` as the site knows it → when it was last written to, as the server says it: a rename keeps that. */
export type WriteTimes = ReadonlyMap<string, string>;

/** Of the tables that a swap brings, while they lie in their scratch database. Throws as `openConnection`. */
export async function readWriteTimes(admin: DatabaseLogin, plans: readonly SwapPlan[]): Promise<WriteTimes> {
  await using connection = await openConnection(admin);
  const times = new Map<string, string>();
  for (const { live, scratch, moves } of plans) {
    const coming = new Set(moves.filter(({ comes }) => comes).map(({ table }) => table));
    const rows = await connection.query<{ name: string; written: string }>(
      `SELECT TABLE_NAME AS name, CONCAT(IFNULL(UPDATE_TIME, 'never')) AS written FROM information_schema.TABLES
       WHERE TABLE_SCHEMA = ?`,
      [scratch],
    );
    for (const { name, written } of rows) if (coming.has(name)) times.set(`${live}.${name}`, written);
  }
  return times;
}

/** Tables that were written to between the two. */
export function writtenSince(before: WriteTimes, now: WriteTimes): readonly string[] {
  return [...now].filter(([table, written]) => before.get(table) !== written).map(([table]) => table);
}
