/**
 * Which snapshots this host's agent made and read back. Whoever has an account's key can write a snapshot that says anything
 * of itself; only those that are named here count where the rules ask for the newest complete one.
 */
import type { CopyName } from './repositories.ts';
import type { Store } from '../store/open-store.ts';
import type { MadeSnapshotRow } from '../store/tables.ts';

export async function rememberMade(store: Store, rows: readonly MadeSnapshotRow[]): Promise<void> {
  for (const row of rows) {
    await store
      .insertInto('made_snapshots')
      .values(row)
      .onConflict((conflict) => conflict.column('snapshot').doNothing())
      .execute();
  }
}

/** By id of the snapshot: whether it is complete. */
export async function readMade(store: Store, account: string, copy: CopyName): Promise<ReadonlyMap<string, boolean>> {
  const rows = await store
    .selectFrom('made_snapshots')
    .selectAll()
    .where('account', '=', account)
    .where('copy', '=', copy)
    .execute();
  return new Map(rows.map(({ snapshot, complete }) => [snapshot, complete === 1]));
}

/** Ids of the points that a copy holds, as far as this agent put them there. */
export async function readPointsIn(store: Store, account: string, copy: CopyName): Promise<ReadonlySet<string>> {
  const rows = await store
    .selectFrom('made_snapshots')
    .select('point')
    .where('account', '=', account)
    .where('copy', '=', copy)
    .execute();
  return new Set(rows.map(({ point }) => point));
}

/** What was let go of need not be known any more. */
export async function forgetMade(store: Store, snapshots: readonly string[]): Promise<void> {
  for (const snapshot of snapshots) await store.deleteFrom('made_snapshots').where('snapshot', '=', snapshot).execute();
}
