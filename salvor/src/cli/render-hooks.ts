import type { PlannedHook } from '@salvor/contract';
import { escapeControl } from './readable.ts';

/** The hoster's commands around the steps of a task, a line each. */
export function renderHooks(hooks: readonly PlannedHook[]): readonly string[] {
  if (hooks.length === 0) return [];
  return [
    'Hooks:',
    ...hooks.map(({ when, step, command }) => `  ${when} ${step}: ${escapeControl(command.join(' '))}`),
  ];
}
