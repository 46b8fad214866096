import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Snapshot } from '@salvor/engine';
import type { PointRow } from '../store/tables.ts';
import type { CopyPoint } from './list-copy.ts';
import { mergeCopies } from './listed-point.ts';

const NONE = new Set<string>();

function rowOf(id: string, copy: string, change: Partial<PointRow> = {}): PointRow {
  return {
    id,
    copy,
    account: 'o1',
    uri: 'a.test',
    time: `2026-11-${id}T02:00:00.000Z`,
    origin: 'daily',
    reason: null,
    holds_files: 1,
    holds_databases: 1,
    bytes: 1,
    complete: 1,
    safety: 0,
    pinned: 0,
    task: null,
    snapshot: `${copy}-${id}`,
    ...change,
  };
}

function localOf(id: string, change: Partial<PointRow> = {}): CopyPoint {
  return { row: rowOf(id, 'local', change), stored: { kind: 'site', snapshot: {} as Snapshot }, tag: `tag-${id}` };
}

function remoteOf(id: string, change: Partial<PointRow> = {}): { row: PointRow; stored: null } {
  return { row: rowOf(id, 'remote', change), stored: null };
}

describe('points of two copies', () => {
  it('are listed once each, newest first, with the copies that have them', () => {
    const merged = mergeCopies({
      local: [localOf('11'), localOf('13')],
      remote: [remoteOf('12'), remoteOf('11')],
      putRemote: NONE,
    });
    assert.deepEqual(
      merged.map(({ row, copies }) => [row.id, copies]),
      [
        ['13', ['local']],
        ['12', ['remote']],
        ['11', ['local', 'remote']],
      ],
    );
  });

  it('are what the local copy has, where the rules let go of the files there and the remote one still has them', () => {
    const left = { holds_files: 0, complete: 0 };
    const [merged] = mergeCopies({ local: [localOf('11', left)], remote: [remoteOf('11')], putRemote: NONE });
    assert.deepEqual([merged?.row.holds_files, merged?.copies], [0, ['local', 'remote']]);
    const [other] = mergeCopies({ local: [localOf('11')], remote: [remoteOf('11', left)], putRemote: NONE });
    assert.deepEqual([other?.row.holds_files, other?.copies], [1, ['local']]);
  });

  it('are what the remote copy has, where the local one is not whole', () => {
    const [merged] = mergeCopies({
      local: [localOf('11', { complete: 0 })],
      remote: [remoteOf('11')],
      putRemote: NONE,
    });
    assert.deepEqual([merged?.row.complete, merged?.copies], [1, ['remote']]);
  });

  it('that were put into the remote one since it was looked at are in both', () => {
    const [merged] = mergeCopies({ local: [localOf('11')], remote: [], putRemote: new Set(['tag-11']) });
    assert.deepEqual(merged?.copies, ['local', 'remote']);
  });
});
