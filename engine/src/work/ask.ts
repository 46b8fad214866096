import type { AnswerTo, BackupJob } from './backup-jobs.ts';

/** What a backup needs of its workers. */
export type JobRunner = {
  readonly size: number;
  run(worker: number, job: BackupJob, transfer?: readonly ArrayBuffer[]): Promise<{ readonly kind: BackupJob['kind'] }>;
};

/** The answer of a worker to a job. */
export async function ask<J extends BackupJob>(
  pool: JobRunner,
  worker: number,
  job: J,
  transfer: readonly ArrayBuffer[] = [],
): Promise<AnswerTo<J['kind']>> {
  const answer = await pool.run(worker, job, transfer);
  if (answer.kind !== job.kind) throw new Error(`a worker answered ${answer.kind} to ${job.kind}`);
  return answer as AnswerTo<J['kind']>;
}
