import assert from 'node:assert/strict';
import { it } from 'node:test';
import { parseMaskRule } from './mask-rule.ts';

it('rules of masking name a column, a choice of rows, or whole rows', () => {
  assert.deepEqual(parseMaskRule('users.mail=mail'), { table: 'users', column: 'mail', where: null, kind: 'mail' });
  assert.deepEqual(parseMaskRule('usermeta.meta_value[meta_key=a|b c]=text'), {
    table: 'usermeta',
    column: 'meta_value',
    where: { column: 'meta_key', values: ['a', 'b c'] },
    kind: 'text',
  });
  assert.deepEqual(parseMaskRule('messages_*=rows'), { table: 'messages_*', column: null, where: null, kind: 'rows' });
});

it('what is no rule is none', () => {
  for (const text of [
    'users',
    'users.mail',
    'users.mail=nonsense',
    'users=mail',
    'users.mail=rows',
    'a.b.c=mail',
    'a.b[c]=mail',
    '=rows',
  ])
    assert.equal(parseMaskRule(text), null, text);
});
