import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { evaluatePhp, valueAt } from '../lib/php-evaluate.ts';
import { encodeLiteral } from '../lib/php-literals.ts';
import { PhpArray, type PhpValue, fromText } from '../lib/php-values.ts';
import { type Secrets, isSettingsFile, stripPasswords } from './strip-passwords.ts';

const PASSWORD = "S3cret'$pass 1";
const SECRETS: Secrets = { passwords: [PASSWORD], open: ['drupal', 'localhost', 'example.com'], replacement: 'gone' };

function strip(source: string, name = 'settings.php', secrets = SECRETS): string {
  const stripped = stripPasswords(name, Buffer.from(source), secrets);
  if (stripped.kind === 'left') return `left: ${stripped.why}`;
  return stripped.kind === 'clean' ? 'clean' : Buffer.from(stripped.bytes).toString();
}

describe('the password is replaced', () => {
  const cases: readonly (readonly [string, string, string])[] = [
    [
      'in an array of arrays',
      `$databases['default']['default'] = ['database' => 'drupal', 'password' => 'x', 'port' => 3306];`,
      `$databases['default']['default'] = ['database' => 'drupal', 'password' => 'gone', 'port' => 3306];`,
    ],
    [
      'in the old way of writing arrays, in a second database too',
      `$databases = array('default' => array('default' => array("password" => "x")), 'old' => array('default' => array('password' => 'y')));`,
      `$databases = array('default' => array('default' => array("password" => 'gone')), 'old' => array('default' => array('password' => 'gone')));`,
    ],
    [
      'where it is a number',
      `$databases['default']['default']['password'] = 12345;`,
      `$databases['default']['default']['password'] = 'gone';`,
    ],
    [
      'in Aegir’s drushrc.php, where it is url-encoded',
      `$options['db_passwd'] = 'S3cret%27%24pass%201';\n$_SERVER['db_passwd'] = $options['db_passwd'];`,
      `$options['db_passwd'] = 'gone';\n$_SERVER['db_passwd'] = $options['db_passwd'];`,
    ],
    [
      'in WordPress’s constants',
      `define( 'DB_NAME', 'drupal' );\ndefine( "DB_PASSWORD" , 'x' );`,
      `define( 'DB_NAME', 'drupal' );\ndefine( "DB_PASSWORD" , 'gone' );`,
    ],
    ['in a constant of the other kind', `const DB_PASSWORD = "x";`, `const DB_PASSWORD = 'gone';`],
    [
      'in an address of Drupal 6',
      `$db_url = 'mysqli://u%40:p%2Fw@localhost/drupal';`,
      `$db_url = 'mysqli://u%40:gone@localhost/drupal';`,
    ],
    [
      'where it is what stands in for the environment',
      `$databases['default']['default']['password'] = getenv('PW') ?: 'x';`,
      `$databases['default']['default']['password'] = getenv('PW') ?: 'gone';`,
    ],
    [
      'in a variable that is used elsewhere',
      `$pw = "S3cret'\\$pass 1";\n$databases['default']['default']['password'] = $pw;`,
      `$pw = 'gone';\n$databases['default']['default']['password'] = $pw;`,
    ],
    [
      'inside of another text',
      `$conf['dump'] = 'mysqldump -pS3cret\\'$pass 1 drupal';`,
      `$conf['dump'] = 'mysqldump -pgone drupal';`,
    ],
    ['in a comment', `// was: S3cret'$pass 1, long ago\n$a = 1;`, `// was: ***, long ago\n$a = 1;`],
    [
      'in nowdoc',
      `$databases['default']['default']['password'] = <<<'X'\nx y\nX;`,
      `$databases['default']['default']['password'] = 'gone';`,
    ],
    [
      'in base64',
      `$databases['default']['default']['password'] = base64_decode('UzNjcmV0JyRwYXNzIDE=');`,
      `$databases['default']['default']['password'] = base64_decode('gone');`,
    ],
    ['in a text that would run', `eval("\\$p = 'S3cret\\\\'\\$pass 1';");`, `eval('$p = \\'gone\\';');`],
  ];
  for (const [what, source, expected] of cases) {
    test(what, () => assert.equal(strip(`<?php\n${source}\n`), `<?php\n${expected}\n`));
  }

  test('in environment files, with its quotes', () => {
    const source = `A=1\nDB_PASSWORD="x y"\nexport DATABASE_URL=mysql://a:b@c/d\r\n# comment\nEMPTY=\n`;
    assert.equal(
      strip(source, '.env'),
      `A=1\nDB_PASSWORD="gone"\nexport DATABASE_URL=mysql://a:gone@c/d\r\n# comment\nEMPTY=\n`,
    );
  });

  test('by nothing where it is left out', () => {
    const source = `<?php define('DB_PASSWORD', 'x');`;
    assert.equal(strip(source, 'wp-config.php', { ...SECRETS, replacement: '' }), `<?php define('DB_PASSWORD', '');`);
  });
});

describe('nothing else changes', () => {
  const kept = [
    `$conf['smtp_password'] = 'keep this';`,
    `$settings['hash_salt'] = 'abc'; $databases['default']['default']['username'] = 'drupal';`,
    `$databases['default']['default']['password'] = $_SERVER['db_passwd'];`,
    `$databases['default']['default']['password'] = '';`,
  ];
  for (const source of kept) test(source, () => assert.equal(strip(`<?php ${source}`), 'clean'));

  test('where the password is the name of the database, or a word like any other', () => {
    const secrets = { ...SECRETS, passwords: ['drupal'] };
    const source = `<?php $databases['default']['default'] = ['database' => 'drupal', 'username' => 'drupal', 'password' => 'drupal']; $theme = 'drupal'; // drupal`;
    const expected = `<?php $databases['default']['default'] = ['database' => 'drupal', 'username' => 'drupal', 'password' => 'gone']; $theme = 'drupal'; // drupal`;
    assert.equal(strip(source, 'settings.php', secrets), expected);
  });

  test('in bytes that are no text', () => {
    const source = Buffer.concat([
      Buffer.from(`<?php $a = '`),
      Buffer.from([0xff, 0xe9]),
      Buffer.from(`'; define('DB_PASSWORD', 'x');`),
    ]);
    const stripped = stripPasswords('wp-config.php', source, SECRETS);
    assert.equal(stripped.kind, 'stripped');
    assert.deepEqual(
      stripped.kind === 'stripped' && Buffer.from(stripped.bytes).subarray(0, 14),
      source.subarray(0, 14),
    );
  });
});

describe('a file is left out', () => {
  test('where it does not parse and may hold a password', () => {
    assert.match(strip(`<?php $databases['default']['default']['password'] = `), /^left: .*read as PHP/);
    assert.match(strip(`<?php $a = S3cret'$pass 1`), /^left/);
    assert.equal(strip(`<?php $a = ;`), 'clean');
  });

  test('where it puts the password together from pieces', () => {
    const source = `<?php $a = "S3cret'"; $b = '$pass 1'; $databases['default']['default']['password'] = $a . $b;`;
    assert.match(strip(source), /^left: .*pieces/);
  });

  test('where the password stands in text around the PHP', () => {
    assert.match(strip(`S3cret'$pass 1\n<?php $a = 1;`), /^left: .*expected/);
  });
});

test('settings files are known by their names', () => {
  const yes = [
    'settings.php',
    'local.settings.php',
    'settings.local.php',
    'drushrc.php',
    'wp-config.php',
    'settings.php.bak',
    'settings.php~',
    '.env',
    '.env.local',
    'site.settings.inc',
    'wp-config-db.php',
  ];
  const no = ['index.php', 'settings.txt', 'mysettings.phpx', 'environment', 'settings'];
  assert.deepEqual([...yes, ...no].filter(isSettingsFile), yes);
});

/** What PHP would have in place of the password, and all that stands beside it. */
function valuesOf(bytes: Uint8Array): readonly PhpValue[] {
  const result = evaluatePhp('/a.php', {
    files: {
      read: (path) => (path === '/a.php' ? { kind: 'read', path, bytes } : { kind: 'missing' }),
      probe: () => 'missing',
    },
    variables: { databases: PhpArray.empty },
  });
  const connection = valueAt(result.variables.get('databases'), 'default', 'default');
  return ['database', 'username', 'password', 'host'].map((key) => valueAt(connection, key) ?? null);
}

const seed = 31_337;
test(`whatever the password, it is gone and the rest of the settings has its values (seed ${seed})`, () => {
  const text = fc.string({ unit: 'grapheme', minLength: 6, maxLength: 40 }).filter((value) => !value.includes('\0'));
  fc.assert(
    fc.property(text, text, (password, other) => {
      fc.pre(!other.includes(password) && !'localhost'.includes(password));
      const source = `<?php\n$databases['default']['default'] = array(\n  'database' => ${encodeLiteral(fromText(other))},\n  'username' => ${encodeLiteral(fromText(other))},\n  'password' => ${encodeLiteral(fromText(password))},\n  'host' => 'localhost',\n);\n`;
      const bytes = Buffer.from(source, 'latin1');
      const stripped = stripPasswords('settings.php', bytes, {
        passwords: [password],
        open: [other, 'localhost'],
        replacement: 'gone',
      });
      assert.equal(stripped.kind, 'stripped');
      assert.deepEqual(valuesOf(stripped.kind === 'stripped' ? stripped.bytes : bytes), [
        fromText(other),
        fromText(other),
        'gone',
        'localhost',
      ]);
      assert.equal(stripped.kind === 'stripped' && Buffer.from(stripped.bytes).includes(password), false);
    }),
    { seed, numRuns: 300 },
  );
});

test('any bytes under a settings file’s name give an answer (seed 5)', () => {
  const pieces = fc.constantFrom(
    '<?php ',
    '$databases',
    "['password']",
    ' = ',
    "'",
    '"',
    '\\',
    ';',
    '<<<X\n',
    'X',
    '//',
    '/*',
    '*/',
    '?>',
    'S3cret',
    '(',
    '[',
    '{$',
    '\n',
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 30 }), (parts) => {
      strip(`<?php ${parts.join('')}`);
    }),
    { seed: 5, numRuns: 500 },
  );
});
