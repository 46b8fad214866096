/**
 * Ends what a task keeps because a person said that the new is right: first the pin of its safety point, which then
 * lives as long as the rules say, then what it replaced, which can't be switched back any more.
 */
import type { Problem } from '@salvor/contract';
import { type DropTools, type Dropped, dropKept } from './drop-kept.ts';
import type { Journal } from './journal.ts';
import type { RecoveryTools } from './recover-task.ts';
import type { TaskRun } from './task-run.ts';

export type ConfirmTools = Pick<RecoveryTools, 'journals' | 'administratorOf'> &
  Pick<DropTools, 'readSites'> & {
    /** Ends the pin in every copy; what of it could not be done is returned. */
    readonly unpin: (point: string) => Promise<readonly Problem[]>;
  };

export type Confirmed = { readonly safetyPoint: string | null; readonly isDropped: boolean };

/** `original` is null where the task keeps nothing, `point` where it has no safety point that is pinned. */
export async function confirmTask(
  of: { readonly original: Journal | null; readonly point: string | null },
  tools: ConfirmTools,
  run: TaskRun,
): Promise<Confirmed> {
  const { original, point } = of;
  if (point !== null) {
    const problems = await run.step('end the pin', () => run.audit('unpin-point', point, () => tools.unpin(point)));
    run.note(...problems);
  }
  if (original === null) return { safetyPoint: point, isDropped: false };
  const dropped = await run.commit('drop what was replaced', () => dropConfirmed(original, tools, run));
  if (!dropped.isDropped)
    run.note({ code: 'kept-stays', path: original.site.path, message: `what was replaced stays: ${dropped.why}` });
  return { safetyPoint: point, isDropped: dropped.isDropped };
}

/** The journal says it first: what a crash interrupts the next task drops (`agent/expire-kept.ts`). */
async function dropConfirmed(original: Journal, tools: ConfirmTools, run: TaskRun): Promise<Dropped> {
  const confirmed: Journal = { ...original, confirmed: run.clock().toISOString() };
  tools.journals.write(confirmed);
  const dropped = await dropKept(confirmed, run.clock(), {
    administratorOf: tools.administratorOf,
    readSites: tools.readSites,
    journals: tools.journals,
    say: (line) => run.say(line),
    audit: run.audit,
  });
  if (dropped.isDropped) tools.journals.remove(original.task);
  return dropped;
}
