import { SalvorError } from '../errors.ts';
import { type DropTools, FORMER_GRACE_HOURS, dropKept } from '../tasks/drop-kept.ts';
import { unlivedSince } from '../policies/lived-time.ts';
import { readClock } from './clock-watch.ts';
import type { TaskRoom } from './run-task.ts';

const HOUR_MS = 3_600_000;

/** Drops what finished tasks keep and whose time is over: not by what the clock jumped ahead meanwhile. A site that is busy, or a server that is away, waits. */
export async function expireKept(room: TaskRoom, readSites: DropTools['readSites']): Promise<void> {
  const now = room.clock();
  const clock = readClock(room.state, now, room.uptime());
  const isOver = (until: number, graceMs: number): boolean =>
    clock.isTrusted && until + unlivedSince(clock, new Date(until - graceMs), now) < now.getTime();
  for (const journal of room.journals.list()) {
    const { task, site, undoUntil, confirmed, dropBegan, graceHours = FORMER_GRACE_HOURS } = journal;
    const isDue =
      confirmed !== undefined ||
      dropBegan !== undefined ||
      (undoUntil !== null && isOver(Date.parse(undoUntil), graceHours * HOUR_MS));
    if (!isDue) continue;
    const say = (line: string): void => room.say(`kept by ${task}: ${line}`);
    using held = new DisposableStack();
    try {
      held.use(room.locks.lockSite(site, task));
      const current = room.journals.read(task);
      if (current === null) continue;
      const dropped = await dropKept(current, now, { ...room, readSites, say, audit: room.auditLog.for(task) });
      if (!dropped.isDropped) {
        say(`stays: ${dropped.why}`);
        continue;
      }
      room.journals.remove(task);
      await room.log.setUndoUntil(task, null);
      say('dropped');
    } catch (error) {
      if (!(error instanceof SalvorError)) throw error;
      say(`stays: ${error.message}`);
    }
  }
}
