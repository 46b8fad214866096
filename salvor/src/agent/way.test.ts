import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Way } from './way.ts';

describe('a process that runs tasks', () => {
  it('gives way while all of them should, and no longer', () => {
    let given = 0;
    const way = new Way(() => {
      given += 1;
      return { [Symbol.dispose]: () => (given -= 1) };
    });
    const night = way.enter(true);
    assert.equal(given, 1);
    const restore = way.enter(false);
    assert.equal(given, 0);
    const other = way.enter(true);
    assert.equal(given, 0);
    restore[Symbol.dispose]();
    assert.equal(given, 1);
    night[Symbol.dispose]();
    assert.equal(given, 1);
    other[Symbol.dispose]();
    assert.equal(given, 0);
  });
});
