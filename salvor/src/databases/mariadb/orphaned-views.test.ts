import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withoutDatabase } from './orphaned-views.ts';

test('a statement without its database keeps texts, columns and tables of its name, and other databases', () => {
  const cases = [
    ['select `d.b`.`t`.`i` AS `d.b` from `d.b`.`t`', 'select `t`.`i` AS `d.b` from `t`'],
    ["select 'it''s \\'`d.b`.`t`' from `e`.`d.b`", "select 'it''s \\'`d.b`.`t`' from `e`.`d.b`"],
    ['select `d.b`.`d.b`.`i`, `dxb`.`t`.`i`, `a``d.b`.`c`', 'select `d.b`.`i`, `dxb`.`t`.`i`, `a``d.b`.`c`'],
  ];
  for (const [statement, expected] of cases) assert.equal(withoutDatabase(statement ?? '', 'd.b'), expected);
});
