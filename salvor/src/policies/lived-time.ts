/**
 * Ages by the time that a host has lived through, whatever its clock was set to meanwhile: pure. What the clock jumped ahead,
 * and what the machine was off for, makes nothing older.
 */

/** A time in which the clock went as the time since the boot did. Milliseconds. */
export type Stretch = {
  /** What the clock showed when it began, since 1970. */
  readonly wall: number;
  /** What the host had lived through by then, since it was first looked at. */
  readonly lived: number;
};

/** All of them, oldest first, at least one. Where one may have begun is before where it was known to have ended the one before. */
export type LivedTime = {
  readonly stretches: readonly (Stretch & {
    /** What the host had lived through when the clock was first seen to be another; null of the last. */
    readonly until: number | null;
  })[];
  /** Up to now. */
  readonly lived: number;
};

/** Clocks are set by small steps all the time. */
export const CLOCK_TOLERANCE_MS = 10 * 60_000;

/**
 * Milliseconds. Of an instant that the clock has shown twice, the age of the later; of one that it is not known to have shown,
 * the least that it may be. From before the first look the clock is believed.
 */
export function ageLived({ stretches, lived }: LivedTime, time: Date): number {
  const made = stretches
    .filter(({ wall }, number) => number === 0 || time.getTime() >= wall)
    .map((stretch) => ({
      at: stretch.lived + time.getTime() - stretch.wall,
      until: stretch.until ?? lived,
    }));
  const shown = made.filter(({ at, until }) => at <= until + CLOCK_TOLERANCE_MS);
  return Math.min(...(shown.length > 0 ? shown : made).map(({ at, until }) => lived - Math.min(at, until)));
}

/** How much of the time since an instant, by the clock of now, was not lived through: what is kept until some time is kept so much longer. */
export function unlivedSince(host: LivedTime, time: Date, now: Date): number {
  return Math.max(0, now.getTime() - time.getTime() - ageLived(host, time));
}
