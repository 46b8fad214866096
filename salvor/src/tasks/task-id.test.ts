import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeTaskId, parseTaskId } from './task-id.ts';

test('names of tasks sort by time and are twelve letters and digits, whatever chance gives', () => {
  const times = ['2026-01-01T00:00:00Z', '2026-01-01T00:00:00.001Z', '2031-05-06T00:00:00Z', '2058-12-31T00:00:00Z'];
  const ids = times.flatMap((time, i) =>
    [0, 0.999_999_999].map((chance) => makeTaskId(new Date(time), () => (i % 2 === 0 ? chance : 1 - chance - 1e-12))),
  );
  for (const id of ids) assert.equal(parseTaskId(id), id);
  const firsts = times.map((time) => makeTaskId(new Date(time), () => 0.5));
  assert.deepEqual(firsts.toSorted(), firsts);
});

test('what could be a path or a statement is no name of a task', () => {
  for (const text of ['', '../../etc', 'ABCDEFGHIJKL', 'abcdefghijk', 'abcdefghijklm', 'abc-defghijk', 'abcdefghijk\n'])
    assert.equal(parseTaskId(text), null);
});
