import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { evaluatePhp, valueAt } from './php-evaluate.ts';
import type { PhpResult } from './php-evaluate.ts';
import { type PhpFiles, type PhpOptions, PhpSession } from './php-reading.ts';
import { fromText, PhpArray, phpArrayOf, Unresolved } from './php-values.ts';
import type { PhpValue } from './php-values.ts';

function inMemory(sources: Readonly<Record<string, string | Buffer>>): PhpFiles {
  return {
    read(path) {
      const source = sources[path];
      if (!path.startsWith('/home/')) return { kind: 'refused', why: 'it lies outside of the home' };
      return source === undefined ? { kind: 'missing' } : { kind: 'read', path, bytes: Buffer.from(source) };
    },
    probe: (path) => (!path.startsWith('/home/') ? 'refused' : sources[path] === undefined ? 'missing' : 'file'),
  };
}

function evaluate(
  source: string | Buffer,
  options: Partial<PhpOptions> = {},
  others: Record<string, string> = {},
): PhpResult {
  const php = typeof source === 'string' ? `<?php\n${source}` : source;
  return evaluatePhp('/home/a.php', { files: inMemory({ '/home/a.php': php, ...others }), ...options });
}

function variable(
  source: string,
  name = 'a',
  options: Partial<PhpOptions> = {},
  others: Record<string, string> = {},
): PhpValue | undefined {
  const result = evaluate(source, options, others);
  assert.equal(result.ok, true, JSON.stringify(result.notes));
  return result.variables.get(name);
}

function assertUnresolved(value: PhpValue | undefined, line: number, why: RegExp): void {
  assert.ok(value instanceof Unresolved, `known as ${inspect(value)}`);
  assert.equal(value.line, line);
  assert.match(value.why, why);
}

/** Bytes of each expression as PHP itself works them out, in hexadecimal. */
function askPhp(expressions: readonly string[]): string[] {
  const lines = expressions.map((expression) => Buffer.from(expression, 'latin1').toString('base64'));
  const program = `foreach (explode("\\n", stream_get_contents(STDIN)) as $line) { $v = '<v>'; echo bin2hex(eval('return ' . base64_decode($line) . ';')), "\\n"; }`;
  const output = execFileSync('php', ['-n', '-d', 'display_errors=stderr', '-r', program], {
    input: lines.join('\n'),
    encoding: 'utf8',
  });
  return output.split('\n').slice(0, expressions.length);
}

function hexOf(expression: string): string {
  const source = Buffer.from(`<?php\n$v = '<v>';\n$a = ${expression};\n`, 'latin1');
  const value = evaluate(source).variables.get('a');
  return typeof value === 'string' ? Buffer.from(value, 'latin1').toString('hex') : `not a string: ${inspect(value)}`;
}

describe('strings', () => {
  const byte = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code));
  const troubled = fc.constantFrom(
    '\\',
    '\\\\',
    "'",
    '"',
    '$',
    '\\n',
    '\\x',
    '\\X4',
    '\\u{1F600}',
    '\\u',
    '\\8',
    '\\777',
    '{',
    '%',
    '\r\n',
    '\r',
    '?>',
    '\\$',
    '$$',
    '$1',
    '\x7f',
    '{ $',
  );
  const bytes = fc.array(fc.oneof(byte, troubled), { maxLength: 24 }).map((parts) => parts.join(''));

  test('a single-quoted literal of any content is the bytes that PHP makes of it', () => {
    const literals = fc.sample(bytes, { numRuns: 600, seed: 7 }).map((text) => `'${text.replace(/[\\']/g, '\\$&')}'`);
    // As people write them too: a backslash that escapes nothing stays.
    const lazy = fc
      .sample(bytes, { numRuns: 300, seed: 8 })
      .map((text) => `'${text.replaceAll("'", '').replace(/\\+$/, '')}'`);
    const all = [...literals, ...lazy];
    assert.deepEqual(all.map(hexOf), askPhp(all));
  });

  test('a double-quoted literal of any content, with variables in it, is the bytes that PHP makes of it', () => {
    // Whole pieces, so that no two of them make a variable or a bad escape where they meet.
    const plain = byte.filter((character) => !'\\"${'.includes(character));
    const piece = fc.constantFrom(
      ...`{$v} |$v |\${v}|$v\\x41|\\$v|\\\\|\\"|\\'|\\n|\\r\\t\\v\\e\\f|\\0|\\8|\\12|\\777|\\x4|\\X4f|\\xg|\\u.|\\u{1F600}|\\u{e9}|\\u{D800}|\\q|$ |$1|$$ |{ |{}|%|\r\n|?>`.split(
        '|',
      ),
    );
    const parts = fc.array(fc.oneof(plain, piece), { maxLength: 16 });
    const literals = fc.sample(parts, { numRuns: 900, seed: 9 }).map((list) => `"${list.join('')}"`);
    assert.deepEqual(literals.map(hexOf), askPhp(literals));
  });

  test('heredoc and nowdoc are the bytes that PHP makes of them, indented or not', () => {
    const literals = [
      '<<<T\na\\tb $v\n\\"q\\" "r" \\x41\nT',
      "<<<'T'\na\\tb $v\n'q'\nT",
      '<<<"T"\n  a\n    b {$v} c\n\n  d\n  T',
      "<<<'T'\n\ta\n\t\tb\n\tT",
      '<<<T\n$v\nT',
      '<<<T\n    $v x\n    T',
      '<<<T\n\\n  a\n b\nT',
      '<<<T\nT',
      '<<<T\na\r\nb\r\nT',
    ];
    assert.deepEqual(literals.map(hexOf), askPhp(literals));
  });
});

test('expressions come out as PHP works them out, or as unresolved', () => {
  const expressions = [
    `'a' . 'b' . "c"`,
    `'x' . 1`,
    `'x' . 1.5`,
    `'x' . -3`,
    `'' . true . false . null`,
    `'1' . (1 + 2)`,
    `(string) 0x1F . 0b11 . 0777 . 1_000`,
    `true ? 'a' : 'b'`,
    `0 ?: 'b'`,
    `'0' ?: 'c'`,
    `'' ?: 'd'`,
    `null ?? 'e'`,
    `'1' == '01' ? 'eq' : 'ne'`,
    `'a' == 'a' ? 'eq' : 'ne'`,
    `'abc' == 0 ? 'eq' : 'ne'`,
    `null == false ? 'eq' : 'ne'`,
    `'' == null ? 'eq' : 'ne'`,
    `!empty('0') ? 'y' : 'n'`,
    `isset($v) && $v ? 'y' : 'n'`,
    `dirname('/a/b/c')`,
    `dirname('/a/b/c', 2)`,
    `dirname('/a')`,
    `dirname('a')`,
    `dirname('/a//b//')`,
    `basename('/a/b.php/')`,
    `urldecode('a%20b+c%2Bd%zz%')`,
    `rawurldecode('a+b%41')`,
    `urlencode("a b/ü~")`,
    `rawurlencode('a b~')`,
    `strtolower('ABC')`,
    `trim("  a b \\n")`,
    `rtrim('a//', '/')`,
    `str_replace('a', '$&', 'banana')`,
    `strval(7 % 4)`,
    `'' . (7 / 2)`,
    `'' . (6 / 2)`,
    `'' . 10 / 4`,
    `['a' => 'x', 'b' => 'y']['b']`,
    `array('p', 'q')[1]`,
    `['1' => 'n'][1]`,
    `(['a' => '1'] + ['a' => '2', 'c' => '3'])['c']`,
    `'a' . 1 + 2 . 'b'`,
    `"\\u{0}x"`,
    `"$v[0]"`,
    `PHP_EOL . DIRECTORY_SEPARATOR`,
    `(string) 1e3`,
    `(string) 1.0`,
    `'' . 0.1 . 1e100`,
    `!'a' . 'b'`,
    `-1 . 'x'`,
    `1 . 2`,
    `'a' <=> 'b' . ''`,
    `base64_decode('aGVsbG8=')`,
    `(int) '12' . ''`,
    `'x' . (5 & 3) . (5 | 3) . (1 << 3)`,
  ];
  const asked = askPhp(expressions.map((expression) => (expression.includes("'a' . 1 + 2") ? `''` : expression)));
  const unresolved: string[] = [];
  for (const [index, expression] of expressions.entries()) {
    const ours = hexOf(expression);
    if (ours.startsWith('not a string')) unresolved.push(expression);
    else assert.equal(ours, asked[index], expression);
  }
  // Numeric strings, floats beyond doubt, letters of strings, and what PHP 7 and 8 read in two ways.
  assert.deepEqual(unresolved, [
    `'1' == '01' ? 'eq' : 'ne'`,
    `'abc' == 0 ? 'eq' : 'ne'`,
    `'a' . 1 + 2 . 'b'`,
    `"$v[0]"`,
    `'' . 0.1 . 1e100`,
    `'a' <=> 'b' . ''`,
  ]);
});

describe('assignments', () => {
  test('reach into nested arrays, append, and add up', () => {
    const a = variable(
      `$a['x']['y'] = 1; $a['x'][] = 2; $a['x'][] = 3; $a['x']['y'] .= 'b'; $a += ['x' => 0, 'z' => 9];`,
    );
    assert.equal(valueAt(a, 'x', 'y'), '1b');
    assert.equal(valueAt(a, 'x', 1n), 3n);
    assert.equal(valueAt(a, 'z'), 9n);
    assert.equal(valueAt(a, 'none'), undefined);
  });

  test('a later one wins, and unset takes away', () => {
    assert.equal(variable(`$a = 1; $a = 2;`), 2n);
    assert.equal(valueAt(variable(`$a = ['k' => 1, 'l' => 2]; unset($a['k']);`), 'k'), undefined);
  });

  test('under a key that is not known leave nothing of the array certain', () => {
    assertUnresolved(valueAt(variable(`$a['x'] = 1; $a[getenv('K')] = 2;`), 'x'), 2, /environment variable K/);
  });

  test('by reference, by list, in a loop and by extract() are not guessed', () => {
    assertUnresolved(variable(`$a = 1; $b = &$a; $b = 2;`), 2, /reference/);
    assertUnresolved(variable(`$a = 1;\n[$a] = [2];`), 3, /taken out/);
    assertUnresolved(variable(`$a = 1;\nforeach ([1, 2] as $n) { $a .= $n; }`), 3, /loop/);
    assertUnresolved(variable(`$a = 1;\nforeach ([[1]] as list($a)) {}`), 3, /loop/);
    assertUnresolved(variable(`$a = 1;\nextract($_POST);`), 3, /extract/);
    assertUnresolved(variable(`$a = 1;\n$$b = 2;`), 3, /name is not known/);
    assertUnresolved(variable(`$a = 1;\nchange($a);`), 3, /handed/);
    assertUnresolved(variable(`$a = 1;\nfunction f() { global $a; $a = 2; }\nf();`), 4, /function of the file/);
    assertUnresolved(variable(`$a = 1;\n$GLOBALS[$b] = 2;`), 3, /name is not known/);
  });

  test('through $GLOBALS are assignments', () => {
    assert.equal(variable(`$GLOBALS['a'] = 5;`), 5n);
  });

  test('in a function that nobody calls change nothing', () => {
    assert.equal(variable(`$a = 1; function f() { global $a; $a = 2; }`), 1n);
  });
});

describe('conditions', () => {
  test('that are known take one way', () => {
    assert.equal(
      variable(`define('X', true); if (defined('X') && X) { $a = 1; } elseif (1) { $a = 2; } else { $a = 3; }`),
      1n,
    );
    assert.equal(variable(`if (!isset($a['q'])) $a = 1;`, 'a', { variables: { a: PhpArray.empty } }), 1n);
    assert.equal(variable(`if (file_exists(__DIR__ . '/b.php')): $a = 1; else: $a = 2; endif;`), 2n);
  });

  test('that are not known leave certain only what both ways agree on', () => {
    const result = evaluate(
      `if (getenv('STAGE')) { $a = 1; $b = 7; $c['k'] = 1; $c['m'] = 1; }\nelse { $a = 2; $b = 7; $c['k'] = 1; }`,
    );
    assertUnresolved(result.variables.get('a'), 2, /condition that comes from the environment variable STAGE/);
    assert.equal(result.variables.get('b'), 7n);
    assert.equal(valueAt(result.variables.get('c'), 'k'), 1n);
    assertUnresolved(valueAt(result.variables.get('c'), 'm'), 2, /STAGE/);
  });

  test('whose other way ends the program are settled by it', () => {
    assert.equal(variable(`$a = 1; if (getenv('X')) { $a = 2; exit; }`), 1n);
    assert.equal(variable(`$a = 1; getenv('X') or die('no'); $a = 3;`), 3n);
    assertUnresolved(variable(`$a = 1; if (getenv('X')) { return; } $a = 2;`), 2, /where .* ends/);
  });

  test('a fallback of the environment is not certain', () => {
    assertUnresolved(variable(`$a = getenv('DB_PASS') ?: 'fallback';`), 2, /DB_PASS/);
    assertUnresolved(variable(`$a = $_ENV['DB_PASS'] ?? 'fallback';`), 2, /environment/);
  });
});

describe('the request', () => {
  test('hands on the environment that the virtual host gives, and no more', () => {
    const environment = new Map([['DB', 'shop']]);
    assert.equal(variable(`$a = getenv('DB');`, 'a', { environment }), 'shop');
    assertUnresolved(variable(`$a = getenv('PW');`, 'a', { environment }), 2, /PW/);
  });

  const server = phpArrayOf({ db_name: 'shop', db_port: '3306' }, new Unresolved('comes from the request', '', 0));

  test('gives what it is said to hold, until that is unset', () => {
    const source = `if (isset($_SERVER['db_name'])) { $a = ['n' => $_SERVER['db_name'], 'p' => (string) $_SERVER['db_port']]; }\nunset($_SERVER['db_name']); $b = isset($_SERVER['db_name']);`;
    const result = evaluate(source, { server });
    assert.equal(valueAt(result.variables.get('a'), 'n'), 'shop');
    assert.equal(valueAt(result.variables.get('a'), 'p'), '3306');
    assert.equal(result.variables.get('b'), false);
  });

  test('keeps the rest open', () => {
    assertUnresolved(variable(`$a = isset($_SERVER['HTTP_HOST']);`, 'a', { server }), 0, /request/);
  });
});

describe('constants', () => {
  test('are held by define, const and classes, the first value wins', () => {
    const result = evaluate(
      `define('A', 'x' . 1); define('A', 2); const B = A . 'y'; class Drupal { const VERSION = '10.3.1'; } $a = \\B . Drupal::VERSION;`,
    );
    assert.equal(result.variables.get('a'), 'x1y10.3.1');
    assert.equal(result.constants.get('drupal::VERSION'), '10.3.1');
  });

  test('that nothing set are unresolved', () => {
    assertUnresolved(variable(`$a = WHATEVER;`), 2, /WHATEVER/);
    assert.equal(valueAt(variable(`$a = ['x' => 1, 'pdo' => [PDO::ATTR => 2]];`), 'x'), 1n);
  });

  test('name the file and its directory', () => {
    assert.equal(variable(`$a = __DIR__ . '|' . __FILE__ . '|' . dirname(dirname(__FILE__));`), '/home|/home/a.php|/');
  });
});

describe('includes', () => {
  const local = { '/home/local.php': `<?php $a = 'local'; return 5;` };

  test('of a file that may be read change what follows, once', () => {
    assert.equal(variable(`$a = 1; include __DIR__ . '/local.php';`, 'a', {}, local), 'local');
    assert.equal(variable(`$a = 1; $b = include 'local.php';`, 'b', {}, local), 5n);
    assert.equal(
      variable(`include_once 'local.php'; $a = 2; include_once __DIR__ . '/local.php';`, 'a', {}, local),
      2n,
    );
  });

  test('of a file outside, of one that is missing and of one whose path is not known are noted with their line', () => {
    const result = evaluate(
      `include '/etc/secret.php';\n@include 'gone.php';\nrequire 'gone.php';\ninclude getenv('X') . '/y.php';`,
    );
    assert.deepEqual(
      result.notes.map((note) => [note.kind, note.line]),
      [
        ['not-included', 2],
        ['not-included', 4],
        ['not-included', 5],
      ],
    );
  });

  test('of an address or a stream are code from elsewhere', () => {
    for (const path of ['https://x.test/a.php', 'phar://a.phar/b.php', 'data:text/plain,<?php $a = 2;']) {
      const result = evaluate(`$a = 1;\ninclude '${path}';`);
      assert.deepEqual(
        result.notes.map(({ kind, line }) => [kind, line]),
        [['not-included', 3]],
      );
    }
  });

  test('and looks at files go by the working directory where the path is relative', () => {
    const options = { workingDirectory: '/home/site' };
    const others = { '/home/site/b.inc': '<?php $a = 2;' };
    assert.equal(variable(`$a = 1; if (is_readable('b.inc')) { include 'b.inc'; }`, 'a', options, others), 2n);
    assert.equal(variable(`$a = 1; if (file_exists('c.inc')) { $a = 3; }`, 'a', options, others), 1n);
  });

  test('in circles end', () => {
    const result = evaluate(`include __FILE__; $a = 1;`);
    assert.equal(result.variables.get('a'), 1n);
    assert.match(result.notes[0]?.message ?? '', /too many files/);
  });

  test('of a file that does not parse fail the whole, and name that file', () => {
    const result = evaluate(`$a = 1; include 'local.php';`, {}, { '/home/local.php': `<?php\n\n$x = ;` });
    assert.equal(result.ok, false);
    assert.deepEqual(
      result.notes.map(({ kind, file, line }) => ({ kind, file, line })),
      [{ kind: 'syntax', file: '/home/local.php', line: 3 }],
    );
  });
});

describe('what would run', () => {
  test('does not, and is named with its line', () => {
    const flag = `/tmp/salvor-php-ran-${process.pid}`;
    const source = `system('touch ${flag}');\n$a = \`touch ${flag}\`;\neval('touch();');\n$f = 'system'; $f('touch ${flag}');\n$b = "x" . shell_exec('touch ${flag}');\nforeach ([1] as $x) { passthru('touch ${flag}'); }`;
    const result = evaluate(source);
    assert.deepEqual(
      result.notes.map((note) => [note.line, note.message.split(' ')[0]]),
      [
        [2, 'system()'],
        [3, 'backticks'],
        [4, 'eval()'],
        [5, 'a'],
        [6, 'shell_exec()'],
        [7, 'passthru()'],
      ],
    );
    assertUnresolved(result.variables.get('a'), 3, /program/);
    assert.throws(() => execFileSync('test', ['-e', flag]));
  });
});

describe('limits', () => {
  const cases: readonly (readonly [string, string | Buffer, RegExp])[] = [
    ['a file over a mebibyte', Buffer.alloc((1 << 20) + 1, 'x'), /larger/],
    ['brackets without end', `$a = ${'['.repeat(50_000)}1${']'.repeat(50_000)};`, /deep/],
    ['a tree of blocks', `${'if (getenv("x")) {'.repeat(2_000)}${'}'.repeat(2_000)}`, /deep/],
    ['an array copied without end', `$a = [${'1,'.repeat(5_000)}];${'$a[] = 1;'.repeat(5_000)}`, /steps/],
    [
      'forks of forks',
      `${'$v = getenv("x") ? 1 : 2;'.repeat(10)}${Array.from({ length: 3_000 }, (_, i) => `$v${i} = 1; if (getenv('q')) { $w${i} = 1; }`).join('')}`,
      /steps/,
    ],
  ];
  for (const [name, source, expected] of cases) {
    test(`${name}: an answer within seconds that says so`, () => {
      const start = performance.now();
      const result = evaluate(source);
      assert.equal(result.ok, false);
      assert.equal(result.notes.at(-1)?.kind, 'too-large');
      assert.match(result.notes.at(-1)?.message ?? '', expected);
      assert.ok(performance.now() - start < 10_000);
    });
  }

  test('what all files of a session may cost together is used up by some, and the others are not read', () => {
    const source = `<?php\n$a = [${'1,'.repeat(500)}];${'$a[] = 1;'.repeat(200)}`;
    const files = { ...inMemory({ '/home/a.php': source }), session: new PhpSession(500_000) };
    const read = Array.from({ length: 6 }, () => evaluatePhp('/home/a.php', { files }));
    assert.deepEqual([read[0]?.ok, read[5]?.ok], [true, false]);
    assert.match(read[5]?.notes[0]?.message ?? '', /of this account/);
  });

  test('a file that many include is parsed once, and again when it has changed', () => {
    const sources = {
      '/home/a.php': `<?php include '/home/b.php';`,
      '/home/b.php': `<?php $a = 1;${' '.repeat(60_000)}`,
    };
    const files = { ...inMemory(sources), session: new PhpSession(80_000) };
    for (let i = 0; i < 20; i++) assert.equal(evaluatePhp('/home/a.php', { files }).variables.get('a'), 1n);
    sources['/home/b.php'] = '<?php $a = 2;';
    assert.equal(evaluatePhp('/home/a.php', { files }).variables.get('a'), 2n);
  });

  test('a string that doubles forty times is given up, not built', () => {
    assertUnresolved(variable(`$a = 'x';${'$a .= $a;'.repeat(40)}`), 2, /“\.”/);
  });
});

describe('syntax errors', () => {
  const cases: readonly (readonly [string, string, number])[] = [
    ['a missing value', `$a = 1;\n$b = ;`, 3],
    ['an array that does not end', `$a = array(1,\n 'b'`, 3],
    ['a string that does not end', `$a = 1;\n$b = 'abc`, 3],
    ['a comment that does not end', `$a = 1;\n/* abc`, 3],
    ['an escaped quote at the end', `$a = 'abc\\'`, 2],
  ];
  for (const [name, source, line] of cases) {
    test(`${name}: the line is named, and nothing of the source`, () => {
      const result = evaluate(source);
      assert.equal(result.ok, false);
      assert.equal(result.notes[0]?.kind, 'syntax');
      assert.equal(result.notes[0]?.line, line);
      assert.doesNotMatch(result.notes[0]?.message ?? '', /abc/);
    });
  }
});

test('text of any script passes through bytes unharmed', () => {
  assert.equal(variable(`$a = 'pä$$%ß日本🔑';`), fromText('pä$$%ß日本🔑'));
});
