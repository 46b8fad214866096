import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderTable } from './render-table.ts';
import type { Row } from './row.ts';

const both = { ours: 1, peer: 2 };
const row: Row = {
  row: 'a row',
  ours: 1.234,
  peer: 2,
  peerName: 'restic',
  ratio: 0.617,
  goal: 0.8,
  unit: 's',
  runs: [{ ...both, cpu: both, other: { ours: 0, peer: 0 }, calm: { ours: true, peer: true } }],
  seconds: { ours: 1.234, peer: 2 },
  cpu: both,
  memoryMiB: { ours: 100, peer: 50 },
  files: 1000,
  bytes: 4e6,
  growth: null,
  note: '',
  machine: 'a machine',
  versions: { salvor: '1', node: '2', restic: '3' },
  date: '2026-11-26T00:00:00Z',
};

test('a row by time is judged by its seconds, one by memory by its MiB', () => {
  const table = renderTable([row, { ...row, row: 'memory', unit: 'MiB', ours: 150, peer: 50, ratio: 3, goal: 2 }]);
  assert.match(table, /^a row +1,000 files, 4 MB +1\.23 s +2\.00 s +0\.62 +≤ 0\.8 +met /m);
  assert.match(table, /^memory +1,000 files, 4 MB +150 MiB +50 MiB +3\.00 +≤ 2\.0 +MORE /m);
});

test('a figure that grows with its work is told with both sizes', () => {
  const growth = { files: 250, bytes: 1e6, ours: 100, peer: 45, times: 1.5, goal: 1.2 };
  const table = renderTable([{ ...row, unit: 'MiB', ours: 150, peer: 50, ratio: 1.5, goal: 2, growth }]);
  assert.match(table, /goal missed/);
  assert.match(
    table,
    /100 \/ 45 MiB of 250 files, 1 MB, 150 here: 4\.0 times as much takes 1\.50 times ours \(≤ 1\.2, restic's 1\.11\): goal missed/,
  );
});

test('times that others had a part in are named, memory is not', () => {
  const runs = row.runs.map((run) => ({ ...run, other: { ours: 0.5, peer: 0 } }));
  assert.match(renderTable([{ ...row, runs }]), /Others used the machine during: a row\./);
  assert.doesNotMatch(renderTable([{ ...row, runs, unit: 'MiB' }]), /Others used/);
});

test('a row by bytes names its peer and has neither time nor memory', () => {
  const stored = { ...row, row: 'stored', unit: 'MB', peerName: 'tar czf', runs: [], ours: 12.34, peer: 99 } as const;
  const table = renderTable([row, stored]);
  assert.match(table, /^stored +1,000 files, 4 MB +12\.3 MB +99\.0 MB \(tar czf\) +0\.62 +≤ 0\.8 +met$/m);
  assert.match(table, /Medians of 1 runs/);
});
