/** Where a point lies in an account's repository: a snapshot of its own, or its part of a night's point of the account. */
import type { Repository, Snapshot } from '@salvor/engine';
import { SalvorError } from '../errors.ts';
import { type AccountSnapshots, openSitePoint, readAccountManifest } from './account-point.ts';
import { type OpenPoint, openPoint } from './open-point.ts';

export type StoredPoint =
  | { readonly kind: 'site'; readonly snapshot: Snapshot }
  | { readonly kind: 'account'; readonly snapshots: AccountSnapshots; readonly uri: string };

/** Throws `point-incomplete`, and the engine's codes for damage. */
export async function openStored(repository: Repository, stored: StoredPoint): Promise<OpenPoint> {
  if (stored.kind === 'site') return await openPoint(repository, stored.snapshot);
  const { point, sites } = await readAccountManifest(repository, stored.snapshots);
  const site = sites.find(({ uri }) => uri === stored.uri);
  if (site === undefined)
    throw new SalvorError('point-incomplete', { point, problem: `it does not hold ${stored.uri}` });
  return await openSitePoint(repository, stored.snapshots, site);
}
