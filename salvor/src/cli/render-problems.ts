import type { Problem } from '@salvor/contract';
import type { Paint } from './paint.ts';
import { counted, escapeControl } from './readable.ts';

/** More of one run scroll what matters off the screen; `--json` has all. */
const MAX_SHOWN = 50;

/** One line a problem: what it is about, what is wrong, and its code. */
export function renderProblems(
  problems: readonly Problem[],
  paint: Paint,
  kind: 'problem' | 'error' | 'hint' = 'problem',
): readonly string[] {
  const mark = { problem: paint.yellow, error: paint.red, hint: paint.dim }[kind](`${kind}:`);
  const lines = problems.slice(0, MAX_SHOWN).map(({ code, message, path, file, line }) => {
    const about = file === undefined ? path : line === undefined ? file : `${file}:${line}`;
    const isNamed = about === undefined || about === null || about === '' || message.includes(about);
    const text = escapeControl(isNamed ? message : `${about}: ${message}`);
    return `${mark} ${text} ${paint.dim(`(${code})`)}`;
  });
  const left = problems.length - lines.length;
  return left > 0 ? [...lines, `… and ${left} more; --json lists all`] : lines;
}

/** What stands below every plan: what is well to know, and what has to be put right first. */
export function renderFindings(
  { notes, obstacles }: { readonly notes: readonly Problem[]; readonly obstacles: readonly Problem[] },
  paint: Paint,
): readonly string[] {
  return [
    ...(notes.length === 0 ? [] : ['To know before:', ...renderProblems(notes, paint, 'hint')]),
    ...(obstacles.length === 0
      ? []
      : [`${counted(obstacles.length, 'thing')} in the way:`, ...renderProblems(obstacles, paint)]),
  ];
}
