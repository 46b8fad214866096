/**
 * What a task's row says of what is wanted, so that another process can do it: of a backup and of a restore. The others are
 * run by whoever wants them and by nobody else: who waited for a delete may think otherwise by now.
 */
import type { TaskRow } from '../store/tables.ts';
import type { CopyName } from '../points/repositories.ts';
import type { RestoreWish } from '../tasks/restore-scope.ts';

export type RestoreRowWish = RestoreWish & {
  /** Whose point it is. */
  readonly account: string;
  readonly uri: string;
  /** Its whole id. */
  readonly point: string;
  /** The copy that is read alone; of an older row nothing is said of it. */
  readonly from?: CopyName | null;
  /** Another site, by URI or ACCOUNT/URI; null for its own. */
  readonly into: string | null;
  /** Where it lies now, though the platform of its point is there. */
  readonly despitePlatform?: boolean;
};

export type RowWish =
  | { readonly operation: 'backup'; readonly reason: string | null }
  | { readonly operation: 'restore'; readonly wish: RestoreRowWish };

/** Null where the row does not say enough. */
export function readRowWish({ operation, wish }: Pick<TaskRow, 'operation' | 'wish'>): RowWish | null {
  const said = JSON.parse(wish ?? '{}') as { readonly reason?: string | null; readonly point?: string };
  if (operation === 'backup') return { operation, reason: said.reason ?? null };
  return operation === 'restore' && said.point !== undefined ? { operation, wish: said as RestoreRowWish } : null;
}
