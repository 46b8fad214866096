import { MAX_OTHER_SHARE } from './measure/contest.ts';
import { PROGRAMS } from './programs.ts';
import type { Pair, Row } from './row.ts';

const HEAD = ['ROW', 'OF', 'OURS', PROGRAMS.peer.name.toUpperCase(), 'RATIO', 'GOAL', '', 'CPU', 'MEMORY'];

/** The rows for people: machine and versions on top, each figure as ours beside the peer's. */
export function renderTable(rows: readonly Row[]): string {
  const [first] = rows;
  if (first === undefined) return 'No row was measured.';
  const { salvor, node, restic } = first.versions;
  const lines = [HEAD, ...rows.map(cellsOf)];
  const widths = HEAD.map((_, column) => Math.max(...lines.map((cells) => (cells[column] ?? '').length)));
  const table = lines.map((cells) =>
    cells
      .map((cell, column) => pad(cell, widths[column] ?? 0, column))
      .join('  ')
      .trimEnd(),
  );
  return [
    `Salvor ${salvor} on Node ${node} beside ${PROGRAMS.peer.name} ${restic}`,
    first.machine,
    `Medians of ${first.runs.length} runs, order turned each round, every result checked; ours / ${PROGRAMS.peer.name}`,
    '',
    ...table,
    ...disturbed(rows),
  ].join('\n');
}

function cellsOf({ row, files, bytes, ours, peer, ratio, goal, cpu, memoryMiB }: Row): readonly string[] {
  return [
    row,
    `${files.toLocaleString('en')} files, ${Math.round(bytes / 1e6).toLocaleString('en')} MB`,
    `${ours.toFixed(2)} s`,
    `${peer.toFixed(2)} s`,
    ratio.toFixed(2),
    `≤ ${goal.toFixed(1)}`,
    verdict(ratio, goal),
    pair(cpu, 1, 's'),
    pair(memoryMiB, 0, 'MiB'),
  ];
}

function verdict(ratio: number, goal: number): string {
  if (ratio > 1) return 'SLOWER';
  return ratio > goal ? 'goal missed' : 'met';
}

function pair({ ours, peer }: Pair, digits: number, unit: string): string {
  return `${ours.toFixed(digits)} / ${peer.toFixed(digits)} ${unit}`;
}

/** Figures stand to the right, words to the left. */
function pad(cell: string, width: number, column: number): string {
  return column >= 2 && column <= 4 ? cell.padStart(width) : cell.padEnd(width);
}

/** A figure that others had a part in is named as such. */
function disturbed(rows: readonly Row[]): readonly string[] {
  const named = rows.filter(({ runs }) =>
    runs.some(({ ours, peer, other }) => Math.max(other.ours / ours, other.peer / peer) > MAX_OTHER_SHARE),
  );
  if (named.length === 0) return [];
  return [
    '',
    `Others used the machine during: ${named.map(({ row }) => row).join('; ')}. Measure again when it is calm.`,
  ];
}
