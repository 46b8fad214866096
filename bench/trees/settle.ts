import { chmodSync, lchownSync } from 'node:fs';
import { setTimes } from '@salvor/engine/libc';
import type { Random } from '../../demo/random.ts';

export type Owner = { readonly uid: number; readonly gid: number };

/** Times of a tree lie in the year before it. */
const NEWEST_MS = Date.UTC(2026, 0, 1);
const SPAN_S = 365 * 86_400;

/** Gives a finished file, link or directory its owner, its mode (null: a link) and a time that uses all nanoseconds. */
export function settle(path: string, { uid, gid }: Owner, mode: number | null, random: Random): void {
  lchownSync(path, uid, gid);
  // After the owner: a change of owner takes the set-group bit away.
  if (mode !== null) chmodSync(path, mode);
  const seconds = BigInt(NEWEST_MS / 1000 - random.between(0, SPAN_S));
  const time = seconds * 1_000_000_000n + BigInt(random.between(0, 999_999_999));
  setTimes(path, time, time);
}
