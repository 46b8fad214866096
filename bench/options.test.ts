import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HELP, parseOptions } from './options.ts';
import { ROW_KEYS } from './row.ts';

test('rows of full size, three runs at least, are kept; anything less is not', () => {
  for (const [args, isKept] of [
    [[], true],
    [['--runs', '5'], true],
    [['--runs', '2'], false],
    [['--rows', 'first'], true],
    [['--quick', '--runs', '3'], false],
  ] as const) {
    const options = parseOptions(args);
    assert.ok(typeof options !== 'string');
    assert.equal(options.isKept, isKept, args.join(' '));
  }
});

test('rows run in their own order, however they were named', () => {
  const options = parseOptions(['--rows', 'index, first', '--quick']);
  assert.ok(typeof options !== 'string');
  assert.deepEqual([options.rows, options.runs, options.scale], [['first', 'index'], 1, 0.1]);
});

test('wrong usage is told in words, and the help names every row', () => {
  for (const args of [['--rows', 'none'], ['--runs', '0'], ['--runs', 'x'], ['--nothing']])
    assert.notEqual(typeof parseOptions(args), 'object', args.join(' '));
  for (const key of ROW_KEYS) assert.ok(HELP.includes(key));
});
