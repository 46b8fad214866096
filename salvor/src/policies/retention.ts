/**
 * Decides which snapshots the rules let go of: pure, and by time alone. Whoever acts on it looks again.
 *
 * What a hostile or broken clock, thirty failed nights or snapshots that somebody else wrote with the account's key could
 * do is shut out here: no count is ever used, a time that lies ahead counts for nothing, nothing goes while the clock is
 * in doubt, ages are those of time that was lived through, and the newest complete snapshot of each content that we made ourselves never goes.
 */
import type { Policy } from './settings.ts';

export type Content = 'files' | 'databases';

export type RetainedSnapshot = {
  readonly id: string;
  /** As the snapshot says. */
  readonly time: Date;
  /** What it is a snapshot of: all of an account, or one site of it. */
  readonly scope: string;
  /** The site's account scope; its own where it is an account's. */
  readonly within: string;
  readonly holds: readonly Content[];
  /** Nothing of what it should hold is missing, and it is not empty. */
  readonly isComplete: boolean;
  /** Made by this host's agent and read back then; what only carries the account's key may be anybody's. */
  readonly isOurs: boolean;
  /** A safety point that nobody confirmed, or what a person holds. */
  readonly isPinned: boolean;
};

export type RetentionReason =
  | 'within'
  | 'holds-unknown'
  | 'newest-complete'
  | 'pinned'
  | 'from-the-future'
  | 'clock-in-doubt';

export type RetentionPlan = {
  readonly keep: readonly { readonly id: string; readonly reasons: readonly RetentionReason[] }[];
  readonly expire: readonly string[];
};

export type RetentionOptions = {
  readonly now: Date;
  /** False after a jump of the clock, until it has proven itself: then nothing expires. */
  readonly isClockTrusted: boolean;
  /** Milliseconds that the host has lived through since an instant; by the clock alone where nothing else is known. */
  readonly ageOf?: (time: Date) => number;
  /** Added to what the policy keeps: a remote repository lets go later. */
  readonly waitMs?: number;
};

/** Clocks of one host may differ from run to run by this much without being called wrong. */
const FUTURE_TOLERANCE_MS = 10 * 60_000;

export function planRetention(
  snapshots: readonly RetainedSnapshot[],
  rules: Pick<Policy, 'keepFilesMs' | 'keepDatabasesMs'>,
  { now, isClockTrusted, ageOf = (time) => now.getTime() - time.getTime(), waitMs = 0 }: RetentionOptions,
): RetentionPlan {
  const newest = newestComplete(snapshots, now);
  const keep: { id: string; reasons: RetentionReason[] }[] = [];
  const expire: string[] = [];
  for (const snapshot of snapshots) {
    const keptMs = Math.max(0, ...snapshot.holds.map((content) => keepMsOf(rules, content))) + waitMs;
    const reasons: RetentionReason[] = [];
    if (snapshot.isPinned) reasons.push('pinned');
    if (newest.has(snapshot.id)) reasons.push('newest-complete');
    if (snapshot.time.getTime() > now.getTime() + FUTURE_TOLERANCE_MS) reasons.push('from-the-future');
    else if (ageOf(snapshot.time) <= keptMs) reasons.push('within');
    // Whatever it is, it is not ours to judge.
    else if (snapshot.holds.length === 0) reasons.push('holds-unknown');
    else if (!isClockTrusted) reasons.push('clock-in-doubt');
    if (reasons.length > 0) keep.push({ id: snapshot.id, reasons });
    else expire.push(snapshot.id);
  }
  return { keep, expire };
}

function keepMsOf(rules: Pick<Policy, 'keepFilesMs' | 'keepDatabasesMs'>, content: Content): number {
  return content === 'files' ? rules.keepFilesMs : rules.keepDatabasesMs;
}

/**
 * Of every scope and content the newest that is complete and ours. A site's is not held where its account's own
 * snapshot is newer and holds the same.
 */
function newestComplete(snapshots: readonly RetainedSnapshot[], now: Date): ReadonlySet<string> {
  const latest = now.getTime() + FUTURE_TOLERANCE_MS;
  const sound = snapshots.filter((each) => each.isComplete && each.isOurs && each.time.getTime() <= latest);
  const newest = new Map<string, RetainedSnapshot>();
  for (const snapshot of sound) {
    for (const content of snapshot.holds) {
      const key = `${content} ${snapshot.scope}`;
      const known = newest.get(key);
      if (known === undefined || known.time < snapshot.time) newest.set(key, snapshot);
    }
  }
  const held = new Set<string>();
  for (const [key, snapshot] of newest) {
    const content = key.slice(0, key.indexOf(' '));
    const account = newest.get(`${content} ${snapshot.within}`);
    if (account === undefined || account === snapshot || account.time < snapshot.time) held.add(snapshot.id);
  }
  return held;
}
