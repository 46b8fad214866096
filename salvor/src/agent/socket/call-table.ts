/** Which calls of the agent a command may make over the socket. What is not here it does itself, in its own process. */
import { join } from 'node:path';
import type { Agent } from '../agent.ts';

export const CALLS = [
  'sites',
  'backup',
  'planBackup',
  'restore',
  'undo',
  'confirm',
  'delete',
  'clone',
  'import',
  'switchSite',
  'rename',
  'migrate',
  'verify',
  'tasks',
  'cancelTask',
  'points',
  'export',
  'deleteBackup',
  'ls',
  'daily',
  'policy',
  'simulatePolicy',
  'rebuildCatalogue',
  'recoverCopies',
  'rotateKeys',
  'status',
] as const satisfies readonly (keyof Agent)[];
export type CallName = (typeof CALLS)[number];

/** What a command can ask for, whether an agent runs on the host or not. */
export type AgentCalls = AsyncDisposable & Pick<Agent, CallName | 'watchTask' | 'cat'>;

export function isCall(name: string): name is CallName {
  return (CALLS as readonly string[]).includes(name);
}

export function socketOf(state: string): string {
  return join(state, 'agent.sock');
}
