import assert from 'node:assert/strict';
import { test } from 'node:test';
import { namesForDatabase } from './name-database.ts';
import { whyNoUri } from './new-uri.ts';

test('a new name is one that a web server can be asked for, and no directory that a platform has for something else', () => {
  for (const uri of ['example.org', 'a-b.example.org', 'xn--bcher-kva.example', 'intranet', '1and1.de'])
    assert.equal(whyNoUri(uri), null, uri);
  const refused = [
    '',
    '.',
    '..',
    '../x',
    'a/b',
    'a b',
    'Example.org',
    'a..b',
    '-a.org',
    'a-.org',
    'a_b.org',
    'all',
    'default',
  ];
  refused.push(
    'example.org.restore',
    `${'a'.repeat(64)}.org`,
    `${'a.'.repeat(130)}org`,
    'ex\u00e4mple.org',
    'a\n.org',
    "a'.org",
  );
  for (const uri of refused) assert.notEqual(whyNoUri(uri), null, JSON.stringify(uri));
});

test('a database is called after its site, and by no name that we may drop', () => {
  assert.deepEqual(namesForDatabase('www.my-shop.example.org').slice(0, 3), [
    'myshopexampleorg',
    'myshopexampleorg_0',
    'myshopexampleorg_1',
  ]);
  assert.deepEqual(namesForDatabase('salvor')[0], 'site');
  for (const name of namesForDatabase(`${'long'.repeat(15)}.org`)) {
    assert.ok(name.length <= 32, name);
    assert.doesNotMatch(name, /^salvor_/);
  }
});
