import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { rewriteSerialised } from '../lib/php-serialised.ts';
import { rewriteValue } from './rewrite-value.ts';

const renaming = { oldUri: 'old.com', newUri: 'new-name.org', aliases: ['www.old.com'] };
const rewrite = (text: string): string => rewriteValue(Buffer.from(text), renaming).value.toString();

/** What PHP makes of a value, and of what we made of it. */
function php(code: string, input: string | Buffer): string {
  const { stdout, stderr, status } = spawnSync('php', ['-r', code], { input, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return stdout;
}

describe('renaming in a value', () => {
  it('of a site that is called by its path changes all its names and its place, and no other default site', () => {
    const byPath = {
      ...renaming,
      hosts: ['www.old.com', 'old.com:8080'],
      directory: { from: 'default', to: 'new-name.org' },
      place: { from: '/h/web/sites/default', to: '/h/next/sites/new-name.org' },
    };
    for (const [before, after] of [
      ['/sites/default/files/a.png', '/sites/new-name.org/files/a.png'],
      ['https://www.old.com/sites/default/x', 'https://new-name.org/sites/new-name.org/x'],
      ['http://old.com:8080/x http://old.com:9090/x', 'http://new-name.org/x http://new-name.org:9090/x'],
      ['/h/web/sites/default/private', '/h/next/sites/new-name.org/private'],
      ['"\\/h\\/web\\/sites\\/default\\/x"', '"\\/h\\/next\\/sites\\/new-name.org\\/x"'],
      ['/srv/web/sites/default/x /x/h/web/sites/default', null],
      ['https://other.com/sites/default/x', null],
      ['sites/default-old sites/defaults default sites', null],
    ] as const)
      assert.equal(rewriteValue(Buffer.from(before), byPath).value.toString(), after ?? before, before);
    const docroot = { ...byPath, directory: null, place: { from: '/h/old.com', to: '/h/new-name.org' } };
    const text = 'sites/default/x /h/old.com/wp-content /h/old.com.bak /h/old.com-2';
    assert.equal(
      rewriteValue(Buffer.from(text), docroot).value.toString(),
      text.replace('/h/old.com/', '/h/new-name.org/'),
    );
  });

  it('changes paths and links of the site, however their slashes are written', () => {
    const changed: readonly (readonly [before: string, after: string])[] = [
      ['sites/old.com/files/a.png', 'sites/new-name.org/files/a.png'],
      ['<img src="/sites/old.com/files/a.png">', '<img src="/sites/new-name.org/files/a.png">'],
      ['https://old.com/sites/old.com/files', 'https://new-name.org/sites/new-name.org/files'],
      ['http://www.old.com/sites/old.com/files', 'http://www.old.com/sites/new-name.org/files'],
      ['{"src":"\\/sites\\/old.com\\/files"}', '{"src":"\\/sites\\/new-name.org\\/files"}'],
      ['"{\\"u\\":\\"https:\\\\/\\\\/old.com\\\\/x\\"}"', '"{\\"u\\":\\"https:\\\\/\\\\/new-name.org\\\\/x\\"}"'],
      ['redirect=https%3A%2F%2Fold.com%2Fnode', 'redirect=https%3A%2F%2Fnew-name.org%2Fnode'],
      ['//old.com:8080/x', '//new-name.org:8080/x'],
      ['See https://old.com. Ends.', 'See https://new-name.org. Ends.'],
      ['Grüße 🦉 sites/old.com/ä', 'Grüße 🦉 sites/new-name.org/ä'],
    ];
    for (const [before, after] of changed) assert.equal(rewrite(before), after);
  });

  it('takes a path by a name and a port that sites.php gives the site for its own, by another port it does not', () => {
    const served = { ...renaming, aliases: ['8080.127.0.0.1'] };
    for (const [before, after] of [
      ['http://127.0.0.1:8080/sites/old.com/x', 'http://127.0.0.1:8080/sites/new-name.org/x'],
      ['http:\\/\\/127.0.0.1:8080\\/sites\\/old.com', 'http:\\/\\/127.0.0.1:8080\\/sites\\/new-name.org'],
      ['http://127.0.0.1:8081/sites/old.com/x http://127.0.0.1/sites/old.com/x', null],
    ] as const)
      assert.equal(rewriteValue(Buffer.from(before), served).value.toString(), after ?? before, before);
  });

  it("leaves what is another host's, another site's, a longer name or a mail address", () => {
    const left = [
      'https://cdn.example/sites/old.com/files/a.png',
      'http:\\/\\/othersite.net\\/sites\\/old.com\\/x',
      'sites/old.com.au/files',
      'sites/my-old.com/files',
      'subsites/old.com/files',
      'sites/default/files',
      'https://shop.old.com/',
      'https://old.community/',
      'info@old.com',
      'old.com',
    ];
    for (const text of left) assert.equal(rewrite(text), text);
    const foreign = rewriteValue(Buffer.from(left[0] ?? ''), renaming);
    assert.deepEqual({ replaced: foreign.replaced, foreign: foreign.foreign }, { replaced: 0, foreign: 1 });
  });

  it('keeps serialised values whole, nested ones too, as PHP itself reads them', () => {
    const make = `
      class Thing { public $path = "sites/old.com/x"; protected $hidden = "//old.com/é"; private $n = NULL; }
      $inner = serialize(["logo" => "sites/old.com/files/ü.png", "json" => json_encode(["u" => "https://old.com/🦉"])]);
      $self = ["a" => 1.5, "b" => true, 7 => new Thing, "sites/old.com/key" => $inner, "e" => [], "big" => -9007199254740993];
      $self["again"] = &$self["a"];
      echo serialize($self);`;
    const before = spawnSync('php', ['-r', make]).stdout;
    const { value, replaced, isDamaged } = rewriteValue(before, renaming);
    assert.equal(isDamaged, false);
    assert.equal(replaced, 5);
    const show = `
      class Thing { public $path; protected $hidden; private $n; function all() { return [$this->path, $this->hidden, $this->n]; } }
      $v = unserialize(stream_get_contents(STDIN));
      $inner = unserialize(array_values($v)[3]);
      echo json_encode([array_keys($v), $v[7]->all(), $inner["logo"], json_decode($inner["json"])->u, (string) $v["big"], $v["again"]], JSON_UNESCAPED_UNICODE|JSON_UNESCAPED_SLASHES);`;
    assert.deepEqual(JSON.parse(php(show, value)), [
      ['a', 'b', 7, 'sites/new-name.org/key', 'e', 'big', 'again'],
      ['sites/new-name.org/x', '//new-name.org/é', null],
      'sites/new-name.org/files/ü.png',
      'https://new-name.org/🦉',
      '-9007199254740993',
      1.5,
    ]);
  });

  it('leaves a serialised value that is damaged, and says so', () => {
    const cut = Buffer.from('a:1:{s:4:"path";s:99:"sites/old.com/files";}');
    const { value, isDamaged, replaced } = rewriteValue(cut, renaming);
    assert.deepEqual([value.equals(cut), isDamaged, replaced], [true, true, 0]);
  });

  it('leaves binary bytes around what it changes as they are', () => {
    const noise = Buffer.from([0, 255, 128, 10, 13, 34, 92]);
    const before = Buffer.concat([noise, Buffer.from(' sites/old.com/x '), noise]);
    const { value } = rewriteValue(before, renaming);
    assert.deepEqual(value, Buffer.concat([noise, Buffer.from(' sites/new-name.org/x '), noise]));
  });

  it('of a hostile value ends: deep nesting, wrong lengths, huge counts', () => {
    const deep = `${'a:1:{i:0;'.repeat(5000)}s:13:"sites/old.com";${'}'.repeat(5000)}`;
    for (const text of [
      deep,
      'a:9999999999:{s:13:"sites/old.com";',
      's:9999999999:"sites/old.com";',
      'O:1:"sites/old.com',
    ])
      assert.equal(rewrite(text), text);
  });
});

describe('serialised values', () => {
  it('that nothing is changed in come out as they went in (random values)', () => {
    const leaf = fc.oneof(
      fc.integer().map((n) => `i:${n};`),
      fc.boolean().map((b) => `b:${b ? 1 : 0};`),
      fc.constant('N;'),
      fc.string().map((text) => `s:${Buffer.byteLength(text)}:"${text}";`),
    );
    const { value } = fc.letrec<{ value: string }>((tie) => ({
      value: fc.oneof(
        { depthSize: 'small' },
        leaf,
        fc
          .array(tie('value'), { maxLength: 4 })
          .map((all) => `a:${all.length}:{${all.map((each, n) => `i:${n};${each}`).join('')}}`),
      ),
    }));
    fc.assert(
      fc.property(value, (text) => {
        const bytes = Buffer.from(text);
        assert.deepEqual(
          rewriteSerialised(bytes, (each) => each),
          bytes,
        );
      }),
    );
  });

  it('are told from other bytes without an exception (random bytes)', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const found = rewriteSerialised(Buffer.from(bytes), (each) => each);
        assert.ok(found === null || found.equals(Buffer.from(bytes)));
      }),
    );
  });
});
