/** Which copy a task reads its point from, as its plan, its log and its problems tell it. */
import type { RestorePlan } from '@salvor/contract';
import type { EitherCopy } from '../points/either-copy.ts';
import type { OpenPoint } from '../points/open-point.ts';
import type { TaskRun } from './task-run.ts';

/** A plan before it is known from which copy it was made in the end. */
export type PlanOfPoint = Omit<RestorePlan, 'copy'>;

/** Where nothing is wrong with the local copy and the remote one is read all the same, a note says so. */
export function tellCopy(plan: PlanOfPoint, { copy, problems }: EitherCopy): RestorePlan {
  const isTold = copy === 'local' || problems.length > 0;
  const message = 'it is read from the remote copy';
  return { ...plan, copy, notes: [...(isTold ? [] : [{ code: 'read-from-remote', message }]), ...plan.notes] };
}

/** Does what reads the point as `EitherCopy.read` does; what turns out to be wrong with a copy is a problem of the run. */
export async function readCopy<T>(
  source: EitherCopy,
  run: TaskRun,
  work: (point: OpenPoint) => Promise<T>,
  takeBack?: () => Promise<void>,
): Promise<T> {
  const known = source.problems.length;
  try {
    return await source.read(work, takeBack);
  } finally {
    run.note(...source.problems.slice(known));
  }
}
