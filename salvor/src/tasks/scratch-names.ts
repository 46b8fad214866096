/** What a task's own databases are called: by the task, so that whoever recovers it knows them all, and touches no other. */
import type { ServerAddress } from '../databases/mariadb/connect.ts';
import type { ScratchDatabase } from './journal.ts';

/** Where a dump is loaded; where what it replaces is kept; where what a recovery takes back goes. */
export type ScratchKind = 'new' | 'old' | 'back';

/** `index` counts the databases of one kind, from 0. */
export function scratchName(task: string, kind: ScratchKind, index = 0): string {
  return `${scratchPrefix(task)}${kind}${index === 0 ? '' : index + 1}`;
}

/** With what the names of all of a task's databases begin. */
export function scratchPrefix(task: string): string {
  return `salvor_${task}_`;
}

/** One with its user, which has the same name. */
export function scratchDatabase(server: ServerAddress, name: string): ScratchDatabase {
  return { server, name, user: name };
}
