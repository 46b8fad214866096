import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  type SitesPhpChange,
  namesInSitesPhp,
  renameInSitesPhp,
  rewriteSitesPhp,
  targetInSitesPhp,
} from './sites-php.ts';

const FILE = '/h/plat/sites/sites.php';
const BEFORE = `<?php
/** www.old.test is old.test. */
$sites = array(
  'www.old.test' => 'old.test', // ours
  'shop.test'=>'other.test',
  "8080.old.test"   =>   "old.test",
);
$sites['m.old.test'] = 'old.test'; # by key
  $sites['gone.test'] = 'old.test';
$sites['x.test'] = 'other.test';
`;

function rewritten(text: string | null, change: SitesPhpChange): string | null {
  const { bytes, problems } = rewriteSitesPhp(text === null ? null : Buffer.from(text), change, FILE);
  assert.deepEqual(problems, []);
  return bytes === null ? null : Buffer.from(bytes).toString();
}

describe('sites.php', () => {
  test('tells the names of a site, and where a name leads', () => {
    assert.deepEqual(namesInSitesPhp(Buffer.from(BEFORE), 'old.test'), [
      'www.old.test',
      '8080.old.test',
      'm.old.test',
      'gone.test',
    ]);
    assert.deepEqual(namesInSitesPhp(null, 'old.test'), []);
    assert.equal(namesInSitesPhp(Buffer.from('<?php foreach ($x as $y) $sites[$y] = "a";'), 'a'), null);
    assert.equal(targetInSitesPhp(Buffer.from(BEFORE), 'shop.test'), 'other.test');
    assert.equal(targetInSitesPhp(Buffer.from(BEFORE), 'new.test'), null);
  });

  test('a rename leads all names to the new directory and leaves every other byte', () => {
    assert.equal(
      rewritten(BEFORE, renameInSitesPhp('old.test', 'new.test')),
      BEFORE.replaceAll(/(=>\s*|= )(['"])old\.test\2/g, (_, before: string) => `${before}'new.test'`),
    );
    // The new name was a further one of the old site, and the old one led to itself.
    const own = `<?php\n$sites['old.test'] = 'old.test';\n$sites['new.test'] = 'old.test';\n$sites['www.test'] = 'old.test';\n`;
    assert.equal(rewritten(own, renameInSitesPhp('old.test', 'new.test')), `<?php\n$sites['www.test'] = 'new.test';\n`);
    // A name that leads to another site is that one's.
    const others = `<?php\n$sites['old.test'] = 'other.test';\n$sites['www.test'] = 'old.test';\n`;
    assert.match(rewritten(others, renameInSitesPhp('old.test', 'new.test')) ?? '', /'old\.test'\] = 'other\.test'/);
  });

  test('names are taken out with their lines, and comments stay', () => {
    const names = namesInSitesPhp(Buffer.from(BEFORE), 'old.test') ?? [];
    assert.equal(
      rewritten(BEFORE, { remove: names }),
      `<?php
/** www.old.test is old.test. */
$sites = array(
   // ours
  'shop.test'=>'other.test',
);
 # by key
$sites['x.test'] = 'other.test';
`,
    );
    const line = `<?php $sites = ['a.test' => 'a', 'b.test' => 'b']; $sites['c.test'] = 'c';`;
    assert.equal(rewritten(line, { remove: ['b.test', 'c.test'] }), `<?php $sites = ['a.test' => 'a', ]; `);
  });

  test('names are added at the end, before a closing tag, and in a new file', () => {
    const add = [{ name: 'www.new.test', uri: 'new.test' }];
    const line = `$sites['www.new.test'] = 'new.test';\n`;
    assert.equal(rewritten(BEFORE, { add }), BEFORE + line);
    assert.equal(rewritten('<?php\n$a = 1;', { add }), `<?php\n$a = 1;\n${line}`);
    assert.equal(rewritten('<?php\n$a = 1;\n?>\n', { add }), `<?php\n$a = 1;\n${line}?>\n`);
    assert.equal(rewritten(null, { add }), `<?php\n${line}`);
    assert.equal(rewritten(null, { remove: ['x'] }), null);
    assert.equal(rewritten(BEFORE + line, { add }), BEFORE + line, 'one that is there stays');
  });

  test('what code makes, or changes again, is refused', () => {
    for (const [source, line] of [
      ['<?php\nforeach ($x as $y) $sites[$y] = "old.test";', 2],
      [`<?php\n$sites['a'] = 'old.test';\nif ($x) { $sites['a'] = 'b'; }`, 3],
      [
        `<?php\n$old = 'old' . '.test';\n$sites['a'] = 'old.test';\n$sites['a'] = $old . '';\n$sites = array_flip($sites);`,
        5,
      ],
      ['<?php $sites = [', undefined],
    ] as const) {
      const change = renameInSitesPhp('old.test', 'new.test');
      const { bytes, problems } = rewriteSitesPhp(
        Buffer.from(source),
        { ...change, add: [{ name: 'n', uri: 'n' }] },
        FILE,
      );
      assert.deepEqual(
        problems.map((problem) => [problem.code, problem.file, problem.line]),
        [['sites-php-not-rewritten', FILE, line]],
      );
      assert.equal(Buffer.from(bytes ?? []).toString(), source);
    }
    // A name that is put together is one like any other: it gets the new value.
    assert.equal(
      rewritten(`<?php\n$sites['a'] = 'old' . '.test';\n`, renameInSitesPhp('old.test', 'new.test')),
      `<?php\n$sites['a'] = 'new.test';\n`,
    );
  });

  test('for any names: what was added and taken out again leaves the file as it was', () => {
    const name = fc.oneof(
      fc.constantFrom('-5', '0', '007', '9007199254740993'),
      fc.stringMatching(/^[a-z0-9.'\\ é-]{1,12}$/u),
    );
    fc.assert(
      fc.property(fc.uniqueArray(name, { maxLength: 6 }), name, (names, uri) => {
        const base = `<?php\n// names\n$sites['keep me'] = 'kept';\n`;
        const fresh = names.filter((one) => one !== 'keep me');
        const added = rewritten(base, { add: fresh.map((one) => ({ name: one, uri })) });
        assert.deepEqual(new Set(namesInSitesPhp(Buffer.from(added ?? ''), uri)), new Set(fresh));
        assert.equal(rewritten(added, { remove: fresh }), base);
      }),
    );
  });
});
