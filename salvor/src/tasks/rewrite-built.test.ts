import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renameLink } from './rewrite-built.ts';

const CHANGE = {
  oldPath: '/h/one/sites/old',
  newPath: '/h/two/sites/new',
  moved: [{ target: '/h/static/old.files', link: 'files' }],
};

test('a link that led into the old site leads to the same in the new one, and every other stays', () => {
  for (const [path, text, wanted] of [
    ['files/a', '/h/one/sites/old/files/b', '/h/two/sites/new/files/b'],
    ['files/a', '/h/one/sites/old', '/h/two/sites/new'],
    ['files/a', '/h/static/old.files/b', '/h/two/sites/new/files/b'],
    ['files/a', '../../old/files/b', 'b'],
    ['a', '../old/files', 'files'],
    ['files/a', 'b', null],
    ['files/a', '../private/./b', null],
    ['files/a', '/h/one/sites/older/b', null],
    ['files/a', '/h/one/sites/old-copy', null],
    ['files/a', '../../all/libraries', null],
    ['files/a', '../../../../../etc/passwd', null],
    ['files/a', '/etc/passwd', null],
    ['a', 'nowhere', null],
  ] as const)
    assert.equal(renameLink(path, text, CHANGE), wanted, `${path} → ${text}`);
});
