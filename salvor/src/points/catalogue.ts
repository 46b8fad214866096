/**
 * The points that are known, as rows of the store: a cache, so that a list costs no opening of every manifest. What
 * is here and not in a repository is forgotten; what is in a repository and not here is read from its manifest.
 */
import type { Store } from '../store/open-store.ts';
import type { PointRow } from '../store/tables.ts';
import { type Manifest, bytesOfManifest } from './manifest.ts';

export function rowOfManifest(manifest: Manifest, snapshot: string): PointRow {
  return {
    id: manifest.point,
    account: manifest.account.name,
    uri: manifest.site.uri,
    time: manifest.time,
    origin: manifest.origin,
    reason: manifest.reason,
    holds_files: manifest.files === null ? 0 : 1,
    holds_databases: manifest.databases.length > 0 ? 1 : 0,
    bytes: bytesOfManifest(manifest),
    complete: manifest.complete ? 1 : 0,
    safety: manifest.safety ? 1 : 0,
    pinned: manifest.safety ? 1 : 0,
    task: manifest.task,
    snapshot,
  };
}

/** What is already there keeps its pin: only the catalogue knows that a person confirmed the task. */
export async function rememberPoints(store: Store, rows: readonly PointRow[]): Promise<void> {
  for (const row of rows) {
    await store
      .insertInto('points')
      .values(row)
      .onConflict((conflict) => conflict.column('id').doUpdateSet({ snapshot: row.snapshot, complete: row.complete }))
      .execute();
  }
}

export async function readCatalogue(store: Store, account: string): Promise<readonly PointRow[]> {
  return await store.selectFrom('points').selectAll().where('account', '=', account).execute();
}

export async function forgetPoints(store: Store, ids: readonly string[]): Promise<void> {
  for (const id of ids) await store.deleteFrom('points').where('id', '=', id).execute();
}
