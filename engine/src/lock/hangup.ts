/**
 * `restic unlock` finds out whether the holder of a lock is alive by sending it SIGHUP, which restic itself ignores
 * and which ends a Node process: while a lock is held it must not.
 */
let held = 0;

const ignore = (): void => undefined;

/** Ignores SIGHUP until as many `allowHangup` as `ignoreHangup` were called; other listeners are called as ever. */
export function ignoreHangup(): void {
  if (held++ === 0) process.on('SIGHUP', ignore);
}

export function allowHangup(): void {
  if (--held === 0) process.off('SIGHUP', ignore);
}
