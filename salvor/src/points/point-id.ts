import { hash } from 'node:crypto';

import type { Brand } from '../lib/brand.ts';

/** A point's name: 128 random bits in hex, the same in every copy; never a snapshot's id. */
export type PointId = Brand<string, 'PointId'>;

/** `randomBytes` gives that many bytes that nobody can guess. */
export function makePointId(randomBytes: (count: number) => Uint8Array): PointId {
  return Buffer.from(randomBytes(16)).toString('hex') as PointId;
}

/** Null where the text is not a point's name. */
export function parsePointId(text: string): PointId | null {
  return /^[0-9a-f]{32}$/.test(text) ? (text as PointId) : null;
}

/**
 * The id of one site's point in a night's point of its account: made of that one's, so that it is the same in every
 * copy, and names one site.
 */
export function pointIdOfSite(accountPoint: string, uri: string): string {
  return hash('sha256', `${accountPoint}/${uri}`, 'hex').slice(0, 32);
}
