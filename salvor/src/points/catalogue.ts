/**
 * The points that are known, as rows of the store: a cache, so that a list costs no opening of every manifest. What
 * is here and not in a repository is forgotten; what is in a repository and not here is read from its manifest.
 */
import { PIN_TAG } from '@salvor/engine';
import type { CopyName } from './repositories.ts';
import type { Store } from '../store/open-store.ts';
import type { PointRow } from '../store/tables.ts';
import { type Manifest, bytesOfManifest } from './manifest.ts';

/** Of a point as a copy has it. That it is pinned its snapshot says, whose tag a confirmation takes away; what it once was, its manifest. */
export function rowOfManifest(
  manifest: Manifest,
  snapshot: { readonly id: string; readonly tags: readonly string[] },
  copy: CopyName,
): PointRow {
  return {
    id: manifest.point,
    copy,
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
    pinned: snapshot.tags.includes(PIN_TAG) ? 1 : 0,
    task: manifest.task,
    snapshot: snapshot.id,
  };
}

export async function rememberPoints(store: Store, rows: readonly PointRow[]): Promise<void> {
  for (const row of rows) {
    await store
      .insertInto('points')
      .values(row)
      .onConflict((conflict) =>
        conflict.columns(['id', 'copy']).doUpdateSet({
          snapshot: row.snapshot,
          complete: row.complete,
          pinned: row.pinned,
          holds_files: row.holds_files,
          holds_databases: row.holds_databases,
          bytes: row.bytes,
        }),
      )
      .execute();
  }
}

export async function readCatalogue(store: Store, account: string): Promise<readonly PointRow[]> {
  return await store.selectFrom('points').selectAll().where('account', '=', account).execute();
}

/** What was known of one of its copies when that was looked at last. */
export async function readCatalogueOf(store: Store, account: string, copy: CopyName): Promise<readonly PointRow[]> {
  return (await readCatalogue(store, account)).filter((row) => row.copy === copy);
}

export async function forgetPoints(store: Store, ids: readonly string[], copy: CopyName): Promise<void> {
  for (const id of ids) await store.deleteFrom('points').where('id', '=', id).where('copy', '=', copy).execute();
}

export async function isPinned(store: Store, point: string): Promise<boolean> {
  const rows = await store.selectFrom('points').select('pinned').where('id', '=', point).execute();
  return rows.some(({ pinned }) => pinned === 1);
}

export async function setUnpinned(store: Store, point: string, task: string): Promise<void> {
  for (const [column, value] of [
    ['id', point],
    ['task', task],
  ] as const)
    await store.updateTable('points').set({ pinned: 0 }).where(column, '=', value).execute();
}

/** The safety point of a task that nobody has confirmed, in whichever copy. */
export async function findPinnedOf(store: Store, task: string): Promise<PointRow | null> {
  const row = await store
    .selectFrom('points')
    .selectAll()
    .where('task', '=', task)
    .where('pinned', '=', 1)
    // One that was made anew at the switch stands for the task.
    .orderBy('time', 'desc')
    .executeTakeFirst();
  return row ?? null;
}
