import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SalvorError } from '../errors.ts';
import { describeError } from './describe-error.ts';

test('the real cause is told, not what failed while cleaning up after it', () => {
  const cause = new SalvorError('site-unknown', { site: 'a.com' });
  const inner = new SuppressedError(new Error('closing failed'), cause);
  assert.equal(describeError(new SuppressedError(new Error('and again'), inner)).code, 'site-unknown');
});

test('an error of the engine keeps its code, hint and context', () => {
  const error = Object.assign(new Error('no'), {
    code: 'wrong-password',
    hint: 'look',
    context: { a: 1 },
    retry: 'never',
  });
  const { code, hint, context, exit } = describeError(error);
  assert.deepEqual({ code, hint, context, exit }, { code: 'wrong-password', hint: 'look', context: { a: 1 }, exit: 1 });
});

test('an abort is a cancellation, and a refusal of the system is no fault of ours', () => {
  assert.equal(describeError(new DOMException('x', 'AbortError')).code, 'cancelled');
  const refused = Object.assign(new Error('EACCES: permission denied, open /x'), { code: 'EACCES', syscall: 'open' });
  assert.equal(describeError(refused).code, 'system-refused');
  assert.equal(describeError(refused).stack, null);
});

test('a fault of our own is told with its stack, whatever was thrown', () => {
  assert.match(describeError(new TypeError('x is not a function')).stack ?? '', /describe-error\.test/);
  assert.equal(describeError('text').code, 'internal');
  assert.equal(describeError(undefined).exit, 1);
});
