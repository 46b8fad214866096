import { SalvorError } from '../errors.ts';
import { type DropTools, dropKept } from '../tasks/drop-kept.ts';
import type { TaskRoom } from './run-task.ts';

/** Drops what finished tasks keep and whose time is over. A site that is busy, or a server that is away, waits. */
export async function expireKept(room: TaskRoom, readSites: DropTools['readSites']): Promise<void> {
  const now = room.clock();
  for (const { task, site, undoUntil, confirmed } of room.journals.list()) {
    const isDue = confirmed !== undefined || (undoUntil !== null && Date.parse(undoUntil) < now.getTime());
    if (!isDue) continue;
    const say = (line: string): void => room.say(`kept by ${task}: ${line}`);
    using held = new DisposableStack();
    try {
      held.use(room.locks.lockSite(site, task));
      const journal = room.journals.read(task);
      if (journal === null) continue;
      const dropped = await dropKept(journal, now, { ...room, readSites, say, audit: room.auditLog.for(task) });
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
