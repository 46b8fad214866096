import assert from 'node:assert/strict';
import { test } from 'node:test';
import { letHeapGrow } from './let-heap-grow.ts';

test('the heap may grow from the first who needs it to the last, however often each says that he is done', () => {
  const flags: string[] = [];
  const set = (flag: string): void => void flags.push(flag);
  const one = letHeapGrow(set);
  const other = letHeapGrow(set);
  one[Symbol.dispose]();
  one[Symbol.dispose]();
  assert.deepEqual(flags, ['--heap-growing-percent=200']);
  other[Symbol.dispose]();
  assert.deepEqual(flags, ['--heap-growing-percent=200', '--heap-growing-percent=0']);
  letHeapGrow()[Symbol.dispose]();
});
