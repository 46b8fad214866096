import type { RowFigures } from './row.ts';

/** From best to worst; `worse` is worse than the peer, where the goal asked for no worse. */
export type Verdict = 'met' | 'goal missed' | 'worse';

/** What a row's figures are worth: its ratio to the peer, and how it grows. */
export function judge({ ratio, goal, growth }: Pick<RowFigures, 'ratio' | 'goal' | 'growth'>): Verdict {
  if (ratio > Math.max(1, goal)) return 'worse';
  return ratio > goal || (growth !== null && growth.times > growth.goal) ? 'goal missed' : 'met';
}
