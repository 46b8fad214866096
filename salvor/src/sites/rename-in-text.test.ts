import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Naming, renameInText } from './rename-in-text.ts';

function naming(from: string, to: string, root = '/h/plat'): Naming {
  return {
    uri: { from, to },
    root: { from: '/h/plat', to: root },
    path: { from: `/h/plat/sites/${from}`, to: `${root}/sites/${to}` },
    moved: [{ from: `/h/static/files/${from}.files`, to: `/h/static/files/${to}.files` }],
    aliases: [`www.${from}`],
    context: null,
  };
}

test('the name changes in paths and links that are the site’s, and in no others', () => {
  for (const [before, after] of [
    ['sites/a.test/files', 'sites/b.test/files'],
    ['/sites/a.test', '/sites/b.test'],
    ['web/sites/a.test/files', 'web/sites/b.test/files'],
    ['"sites/a.test","sites/a.test."', '"sites/b.test","sites/b.test."'],
    ['https://a.test:8080/x //a.test', 'https://b.test:8080/x //b.test'],
    ['https://www.a.test/sites/a.test/x', 'https://www.a.test/sites/b.test/x'],
    ['http://user@a.test.cdn.test/sites/a.test/x', null],
    ['/h/plat/sites/a.test/private', '/h/plat/sites/b.test/private'],
    ['/h/static/files/a.test.files/x', '/h/static/files/b.test.files/x'],
    ['/h/other/sites/a.test /h/plat2/sites/a.test', null],
    ['/x/h/plat/sites/a.test', null],
    ['sites/a.test.au sites/my-a.test sites/a.testing xsites/a.test', null],
    ['a.test info@a.test mysites/a.test', null],
    ['///a.test', null],
  ] as const)
    assert.equal(renameInText(before, naming('a.test', 'b.test')), after ?? before, before);
});

test('a path by a name and a port that sites.php gives the site is its own, by another port it is not', () => {
  const served: Naming = { ...naming('a.test', 'b.test'), aliases: ['8080.127.0.0.1', 'www.a.test'] };
  for (const [before, after] of [
    ['http://127.0.0.1:8080/sites/a.test/x', 'http://127.0.0.1:8080/sites/b.test/x'],
    ['http://127.0.0.1:8081/sites/a.test/x http://127.0.0.1/sites/a.test/x', null],
  ] as const)
    assert.equal(renameInText(before, served), after ?? before, before);
});

test('a migration without another name changes the root alone', () => {
  const moved = naming('a.test', 'a.test', '/h/next');
  const text = 'sites/a.test /h/plat/sites/a.test/x /h/plat/sites/all https://a.test/';
  assert.equal(renameInText(text, moved), text.replace('/h/plat/sites/a.test', '/h/next/sites/a.test'));
});

test('of a site that is called by its path all names change, and no directory of another name', () => {
  const byPath: Naming = {
    ...naming('a.test', 'b.test'),
    hosts: ['www.a.test', 'a.test:8080'],
    directory: { from: 'default', to: 'b.test' },
    path: { from: '/h/plat/sites/default', to: '/h/plat/sites/b.test' },
  };
  for (const [before, after] of [
    ['sites/default/files', 'sites/b.test/files'],
    ['http://a.test:8080/x //www.a.test', 'http://b.test/x //b.test'],
    ['/h/plat/sites/default/private', '/h/plat/sites/b.test/private'],
    ['/h/other/sites/default sites/a.test', null],
  ] as const)
    assert.equal(renameInText(before, byPath), after ?? before, before);
});

test('there and back again is the same text, also where one name is a part of the other', () => {
  const names = ['a.test', 'x.a.test', 'a.test.au', 'a', 'a-b', 'b.test'];
  const piece = fc.constantFrom(
    'sites/',
    '//',
    'https://',
    '/h/plat/sites/',
    '/h/static/files/',
    '.files',
    '/',
    ' ',
    '"',
    '.',
    'x',
    '@',
    '-',
    ...names,
  );
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 12 }),
      fc.constantFrom(...names),
      fc.constantFrom(...names),
      (pieces, from, to) => {
        const text = pieces.join('');
        fc.pre(from !== to && renameInText(text, naming(to, from)) === text);
        assert.equal(renameInText(renameInText(text, naming(from, to)), naming(to, from)), text);
      },
    ),
    { numRuns: 2000 },
  );
});
