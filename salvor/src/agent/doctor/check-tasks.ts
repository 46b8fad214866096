import type { DoctorFinding } from '@salvor/contract';
import { documentOfTask, problemOfHung } from '../task-documents.ts';
import type { Check } from './examine-host.ts';
import { finding } from './findings.ts';

const MAX_LOOKED_AT = 1000;
const RECENT_MS = 30 * 86_400_000;

/** Tasks that hang, and those that a crash left and nothing could finish or take back. */
export const checkTasks: Check = async ({ log, limits, clock }) => {
  const findings: DoctorFinding[] = [];
  const at = clock();
  const rows = await log.readLast({ count: MAX_LOOKED_AT, states: ['running', 'rollback-failed'] });
  for (const row of rows) {
    const task = documentOfTask(row, { at, hungAfterMs: limits.hungAfterMs, waitsFor: null });
    const site = `${task.account}/${task.uri}`;
    if (task.isHung) findings.push(finding('task-hung', { problem: problemOfHung(task).message }, site));
    if (task.state !== 'rollback-failed' || at.getTime() - Date.parse(task.queuedAt) > RECENT_MS) continue;
    const error = task.error?.message ?? 'it did not say why';
    findings.push(finding('task-unrecovered', { task: task.id, operation: task.operation, site, error }, site));
  }
  return findings;
};
