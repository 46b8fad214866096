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

/** By id of the snapshot: the tag of its point. */
export async function readMadePoints(
  store: Store,
  account: string,
  copy: CopyName,
): Promise<ReadonlyMap<string, string>> {
  const rows = await store
    .selectFrom('made_snapshots')
    .select(['snapshot', 'point'])
    .where('account', '=', account)
    .where('copy', '=', copy)
    .execute();
  return new Map(rows.map(({ snapshot, point }) => [snapshot, point]));
}

/** A snapshot took the place of another, which only other tags tell from it: what is known of the one holds for it too. */
export async function followMade(store: Store, { old, new: next }: { old: string; new: string }): Promise<void> {
  const row = await store.selectFrom('made_snapshots').selectAll().where('snapshot', '=', old).executeTakeFirst();
  if (row !== undefined) await rememberMade(store, [{ ...row, snapshot: next }]);
}

/** What was let go of need not be known any more. */
export async function forgetMade(store: Store, snapshots: readonly string[]): Promise<void> {
  for (const snapshot of snapshots) await store.deleteFrom('made_snapshots').where('snapshot', '=', snapshot).execute();
}
