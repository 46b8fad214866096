import { judge } from './judge.ts';
import { MAX_OTHER_SHARE } from './measure/contest.ts';
import { PROGRAMS } from './programs.ts';
import type { Pair, Row } from './row.ts';

const HEAD = ['ROW', 'OF', 'OURS', PROGRAMS.peer.name.toUpperCase(), 'RATIO', 'GOAL', '', 'TIME', 'CPU', 'MEMORY'];

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
    `Medians of ${Math.max(...rows.map(({ runs }) => runs.length))} runs, order turned each round, every result checked; ours / ${PROGRAMS.peer.name}`,
    '',
    ...table,
    ...growths(rows),
    ...disturbed(rows),
  ].join('\n');
}

function cellsOf(row: Row): readonly string[] {
  const { unit, ratio, goal } = row;
  const digits = { s: 2, ms: 1, MiB: 0, MB: 1 }[unit];
  return [
    row.row,
    describeWork(row),
    `${row.ours.toFixed(digits)} ${unit}`,
    `${row.peer.toFixed(digits)} ${unit}${row.peerName === PROGRAMS.peer.name ? '' : ` (${row.peerName})`}`,
    ratio.toFixed(2),
    `≤ ${goal.toFixed(1)}`,
    { met: 'met', 'goal missed': 'goal missed', worse: unit === 's' || unit === 'ms' ? 'SLOWER' : 'MORE' }[judge(row)],
    ...(row.runs.length === 0 ? [] : [pair(row.seconds, 1, 's'), pair(row.cpu, 1, 's'), pair(row.memoryMiB, 0, 'MiB')]),
  ];
}

function describeWork({ files, bytes }: { readonly files: number; readonly bytes: number }): string {
  return `${files.toLocaleString('en')} files, ${Math.round(bytes / 1e6).toLocaleString('en')} MB`;
}

function pair({ ours, peer }: Pair, digits: number, unit: string): string {
  return `${ours.toFixed(digits)} / ${peer.toFixed(digits)} ${unit}`;
}

/** Figures stand to the right, words to the left. */
function pad(cell: string, width: number, column: number): string {
  return column >= 2 && column <= 4 ? cell.padStart(width) : cell.padEnd(width);
}

/** How a figure grows that was measured at two sizes. */
function growths(rows: readonly Row[]): readonly string[] {
  const lines = rows.flatMap(({ row, growth, ours, peer, unit, bytes }) => {
    if (growth === null) return [];
    const there = `${growth.ours.toFixed(0)} / ${growth.peer.toFixed(0)} ${unit} of ${describeWork(growth)}`;
    const more = `${(bytes / growth.bytes).toFixed(1)} times as much takes ${growth.times.toFixed(2)} times ours`;
    const theirs = `${PROGRAMS.peer.name}'s ${(peer / growth.peer).toFixed(2)}`;
    const verdict = growth.times > growth.goal ? 'goal missed' : 'met';
    return [`${row}: ${there}, ${ours.toFixed(0)} here: ${more} (≤ ${growth.goal}, ${theirs}): ${verdict}`];
  });
  return lines.length === 0 ? [] : ['', ...lines];
}

/** A time that others had a part in is named as such. */
function disturbed(rows: readonly Row[]): readonly string[] {
  const named = rows.filter(
    ({ runs, unit }) =>
      unit === 's' &&
      runs.some(({ ours, peer, other }) => Math.max(other.ours / ours, other.peer / peer) > MAX_OTHER_SHARE),
  );
  if (named.length === 0) return [];
  return [
    '',
    `Others used the machine during: ${named.map(({ row }) => row).join('; ')}. Measure again when it is calm.`,
  ];
}
