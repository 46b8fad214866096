import assert from 'node:assert/strict';
import { test } from 'node:test';
import { orderViews } from './order-views.ts';

test('a view stands behind those that it names, whatever they are called, and in the given order else', () => {
  const on = (...names: readonly string[]): string => `select 1 from ${names.join(' join ')}`;
  const views = [
    { name: 'a', definition: on('`d`.`m`', '`d`.`q``x`') },
    { name: 'b', definition: '' },
    { name: 'm', definition: on('`d`.`z`', '`e`.`b`') },
    { name: 'q`x', definition: on('`d`.`a table`') },
    { name: 'z', definition: "select '`d`.`b`'" },
  ];
  assert.deepEqual(orderViews('d', views), ['b', 'z', 'm', 'q`x', 'a']);
});

test('a circle, which a text can make, ends', () => {
  const views = ['a', 'b'].map((name) => ({ name, definition: '`d`.`a` `d`.`b`' }));
  assert.deepEqual(orderViews('d', views), ['b', 'a']);
});
