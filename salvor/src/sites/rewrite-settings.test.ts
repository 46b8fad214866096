import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Connection, ConnectionChange } from './connection-fields.ts';
import type { Naming } from './rename-in-text.ts';
import { CLOAKED } from './layouts/test-host.ts';
import { FIELDS_OF_CLONE } from './set-context.ts';
import { rewriteSettings } from './rewrite-settings.ts';
import type { RewrittenSettings, SettingsChanges } from './settings-changes.ts';

const OLD: Connection = {
  name: 'oldtest',
  user: 'oldtest',
  password: 'p@ss/w:rd',
  address: { socket: '/run/mysqld/mysqld.sock' },
};
const NEW: Connection = { ...OLD, name: 'newtest', user: 'newtest_0', password: `n'e\\w"$x%41+é` };
const CHANGE: ConnectionChange = { from: OLD, to: NEW };

function naming(from = 'old.test', to = 'new.test', roots: readonly [string, string] = ['/h/plat', '/h/plat']): Naming {
  return {
    uri: { from, to },
    root: { from: roots[0], to: roots[1] },
    path: { from: `${roots[0]}/sites/${from}`, to: `${roots[1]}/sites/${to}` },
    moved: [{ from: `/h/static/files/${from}.files`, to: `/h/static/files/${to}.files` }],
    aliases: ['www.old.test'],
    context: { from: { name: 'platform_Old', root: roots[0] }, to: { name: 'platform_New', root: roots[1] } },
  };
}

function rewrite(text: string, changes: Partial<SettingsChanges> = {}, name = 'settings.php'): RewrittenSettings {
  return rewriteSettings({ name, bytes: Buffer.from(text) }, { connections: [CHANGE], naming: naming(), ...changes });
}

function rewritten(text: string, changes: Partial<SettingsChanges> = {}, name = 'settings.php'): string {
  const result = rewrite(text, changes, name);
  assert.deepEqual(result.problems, []);
  return Buffer.from(result.bytes).toString();
}

function refused(text: string, changes: Partial<SettingsChanges> = {}): string[] {
  const result = rewrite(text, changes);
  assert.equal(Buffer.from(result.bytes).toString(), text, 'what is refused stays as it is');
  return result.problems.map(({ code, file, line }) => `${code} ${file}:${line ?? '?'}`);
}

/** The new password as a literal. */
const LITERAL = String.raw`'n\'e\\w"$x%41+é'`;
const ENCODED = 'n%27e%5Cw%22%24x%2541%2B%C3%A9';

describe('log-ins', () => {
  test('an array of Drupal 7 and later gets the new values, and every other byte stays', () => {
    const before = `<?php
# oldtest is the database; its password is p@ss/w:rd.
$databases = array (
  "default" => array('default' => array(
    'driver' => 'mysql', // mysql
    'database'=>"oldtest",
    'username' => 'oldtest','password' => 'p@ss/w:rd',
    'host' => 'localhost', 'port' => '3306', 'prefix' => 'oldtest',
  )),
);
$conf['site_name'] = 'oldtest';
`;
    const after = before
      .replace(`'database'=>"oldtest"`, `'database'=>"newtest"`)
      .replace(
        `'username' => 'oldtest','password' => 'p@ss/w:rd'`,
        () => `'username' => 'newtest_0','password' => ${LITERAL}`,
      );
    assert.equal(rewritten(before), after);
  });

  test('fields that are assigned key by key, in a variable of their own, and in branches that do not run', () => {
    const before = `<?php
$db = ['database' => 'oldtest', 'username' => 'oldtest'];
$db['password'] = 'p@ss/w:rd';
$databases['default']['default'] = $db;
if (false) { $databases['default']['default'] = ['database' => 'oldtest', 'username' => 'oldtest', 'password' => 'p@ss/w:rd']; }
`;
    // Its group names no database: the assignment beside it does.
    assert.equal(
      rewritten(before),
      before
        .replaceAll(
          `'database' => 'oldtest', 'username' => 'oldtest'`,
          `'database' => 'newtest', 'username' => 'newtest_0'`,
        )
        .replaceAll(`'p@ss/w:rd'`, () => LITERAL),
    );
  });

  test('another database with the same user, password and host stays', () => {
    const other = `$databases['legacy']['default'] = array('database' => 'legacy', 'username' => 'oldtest', 'password' => 'p@ss/w:rd', 'host' => 'localhost');`;
    const redis = `$settings['redis.connection'] = ['host' => 'localhost', 'password' => 'p@ss/w:rd'];`;
    const before = `<?php\n$databases['default']['default'] = array('database' => 'oldtest', 'username' => 'oldtest', 'password' => 'p@ss/w:rd');\n${other}\n${redis}\n`;
    const after = rewritten(before);
    assert.ok(after.includes(other) && after.includes(redis), after);
    assert.ok(!after.includes(`'database' => 'oldtest'`));
  });

  test('a URL of Drupal 6, of Backdrop and of CiviCRM keeps its other parts', () => {
    const url = `mysqli://oldtest:p%40ss%2Fw%3Ard@localhost/oldtest`;
    const becomes = `mysqli://newtest_0:${ENCODED}@localhost/newtest`;
    assert.equal(rewritten(`<?php\n$db_url = '${url}';`), `<?php\n$db_url = '${becomes}';`);
    assert.equal(
      rewritten(`<?php\n$db_url = array("default" => "${url}");`),
      `<?php\n$db_url = array("default" => "${becomes}");`,
    );
    assert.equal(rewritten(`<?php\n$database = '${url}?x=1';`), `<?php\n$database = '${becomes}?x=1';`);
    assert.equal(
      rewritten(`<?php\ndefine('CIVICRM_DSN', '${url}?new_link=true');`, {}, 'civicrm.settings.php'),
      `<?php\ndefine('CIVICRM_DSN', '${becomes}?new_link=true');`,
    );
  });

  test('constants of WordPress', () => {
    const before = `<?php
define( 'DB_NAME', 'oldtest' );
define("DB_USER", "oldtest");
const DB_PASSWORD = 'p@ss/w:rd';
define('DB_HOST', 'localhost');
define('AUTH_KEY', 'oldtest');
$table_prefix = 'wp_';
require_once ABSPATH . 'wp-settings.php';
`;
    const after = before
      .replace(`'DB_NAME', 'oldtest'`, `'DB_NAME', 'newtest'`)
      .replace(`"oldtest"`, `"newtest_0"`)
      .replace(`'p@ss/w:rd'`, () => LITERAL);
    assert.equal(rewritten(before, {}, 'wp-config.php'), after);
  });

  test('drushrc.php has them url-encoded, and mirrored', () => {
    const before = `<?php
$options['db_type'] = 'mysql';
$options['db_name'] = 'oldtest';
$options['db_user'] = 'oldtest';
$options['db_passwd'] = 'p%40ss%2Fw%3Ard';
$options['db_host'] = 'localhost';
$options['uri'] = 'old.test';
$options['platform'] = '@platform_Old';
$options['site_path'] = '/h/plat/sites/old.test';
$_SERVER['db_passwd'] = $options['db_passwd'];
$_SERVER['db_name'] = urldecode($options['db_name']);
if (file_exists(__DIR__ . '/local.drushrc.php')) include_once(__DIR__ . '/local.drushrc.php');
`;
    const after = before
      .replaceAll(`'oldtest';\n$options['db_user'] = 'oldtest'`, `'newtest';\n$options['db_user'] = 'newtest_0'`)
      .replace('p%40ss%2Fw%3Ard', ENCODED)
      .replaceAll('old.test', 'new.test')
      .replace('platform_Old', 'platform_New');
    assert.equal(rewritten(before, {}, 'drushrc.php'), after);
  });

  test('what Aegir writes uncloaked: double quotes, a URL with a password as it is, and the same in drushrc.php', () => {
    const from = { ...OLD, password: 'a+b%41' };
    const to = { ...NEW, password: 'plain' };
    const before = `<?php
  $databases['default']['default'] = array(
    'driver' => "mysql",
    'database' => "oldtest",
    'username' => "oldtest",
    'password' => "a+b%41",
    'host' => "localhost",
    'port' => "3306",
   );
  $db_url['default'] = "mysql://oldtest:a+b%41@localhost:3306/oldtest";
  if (is_readable('/h/plat/sites/old.test/local.settings.php')) {
    include_once('/h/plat/sites/old.test/local.settings.php');
  }
`;
    const connections = [{ from, to }];
    assert.equal(
      rewritten(before, { connections }),
      before
        .replace('"oldtest",\n    \'username\' => "oldtest"', '"newtest",\n    \'username\' => "newtest_0"')
        .replace('"a+b%41"', '"plain"')
        .replace('oldtest:a+b%41@localhost:3306/oldtest', 'newtest_0:plain@localhost:3306/newtest')
        .replaceAll('sites/old.test', 'sites/new.test'),
    );
    const drushrc = `<?php \n$options['db_name'] = 'oldtest';\n$options['db_passwd'] = 'a+b%41';\n\n# Aegir additions\n$_SERVER['db_passwd'] = $options['db_passwd'];\n`;
    assert.equal(
      rewritten(drushrc, { connections }, 'drushrc.php'),
      drushrc.replace('oldtest', 'newtest').replace('a+b%41', 'plain'),
    );
  });

  test('cloaked settings that put a URL together hold none, and stay', () => {
    const url = `$db_url['default'] = "$_SERVER[db_type]://$_SERVER[db_user]:$_SERVER[db_passwd]@$_SERVER[db_host]:$_SERVER[db_port]/$_SERVER[db_name]";`;
    const text = `${CLOAKED.split('unset')[0]}${url}\n$db_url['other'] = $_SERVER['db_type'] . '://' . $_SERVER['db_user'] . ':' . $_SERVER['db_passwd'] . '@x/' . $_SERVER['db_name'];\n`;
    assert.equal(rewritten(text), text);
  });

  test('a clone’s drushrc.php leads to none of its origin’s further names', () => {
    const before = `<?php\n$options['uri'] = 'old.test';\n$options['aliases'] = array ( 0 => 'www.old.test', );\n$options['redirection'] = 'www.old.test';\n`;
    assert.equal(
      rewritten(before, { options: FIELDS_OF_CLONE }, 'drushrc.php'),
      `<?php\n$options['uri'] = 'new.test';\n$options['aliases'] = array();\n$options['redirection'] = false;\n`,
    );
  });

  test('cloaked settings hold none, and stay', () => {
    assert.equal(rewritten(CLOAKED), CLOAKED);
  });

  test('another server: its host and port, its socket, and the short form of WordPress', () => {
    const from = { ...OLD, address: { host: 'db1.test', port: 3306 } };
    const connections = (address: Connection['address']): SettingsChanges['connections'] => [
      { from, to: { ...from, address } },
    ];
    const drupal = `<?php $databases['default']['default'] = ['database' => 'oldtest', 'host' => 'db1.test', 'port' => 3306];`;
    assert.equal(
      rewritten(drupal, { connections: connections({ host: 'db2.test', port: 3307 }) }),
      drupal.replace('db1', 'db2').replace('3306', '3307'),
    );
    const press = `<?php define('DB_NAME', 'oldtest'); define('DB_HOST', 'db1.test');`;
    for (const [address, host] of [
      [{ host: 'db2.test', port: 3307 }, 'db2.test:3307'],
      [{ socket: '/run/x.sock' }, 'localhost:/run/x.sock'],
      [{ socket: '/run/mysqld/mysqld.sock' }, 'localhost'],
    ] as const)
      assert.equal(
        rewritten(press, { connections: connections(address) }, 'wp-config.php'),
        press.replace('db1.test', host),
      );
    const url = `<?php $db_url = 'mysql://oldtest:p%40ss%2Fw%3Ard@db1.test:3306/oldtest';`;
    assert.equal(
      rewritten(url, { connections: connections({ host: 'db2.test', port: 3307 }) }),
      url.replace('db1.test:3306', 'db2.test:3307'),
    );
  });

  test('what can not be changed as data stops it, with file and line', () => {
    const at = (line: number): string[] => [`settings-not-rewritten /h/plat/sites/old.test/settings.php:${line}`];
    const database = `$databases['default']['default'] = ['database' => 'oldtest', 'username' => 'oldtest',\n'password' => `;
    assert.deepEqual(refused(`<?php\n${database}getenv('DB_PASSWORD')];`), at(3));
    assert.deepEqual(refused(`<?php\n${database}'p@ss' . '/w:rd'];`), at(3));
    assert.deepEqual(refused(`<?php\n$p = 'p@ss/w:rd';\n${database}$p];`), at(3));
    assert.deepEqual(refused(`<?php\n${database}"p@ss{$x}"];`), at(3));
    assert.deepEqual(refused(`<?php\n$n = 'old.test';\n$conf['file_public_path'] = "sites/$n/files";`), at(3));
    assert.deepEqual(refused(`<?php\n$databases = ['default' => ['database' => 'oldtest'\n`), at(3));
  });
});

describe('names and paths', () => {
  const before = `<?php
// http://old.test/ stays in comments.
$base_url = 'https://old.test';
$cookie_domain = '.old.test';
$conf['file_public_path'] = "sites/old.test/files";
$conf['file_private_path'] = '/h/plat/sites/old.test/private/files';
$settings['file_temp_path'] = '/h/static/files/old.test.files/tmp';
$settings['trusted_host_patterns'] = ['^old\\\\.test$', '^www\\\\.old\\\\.test$', '^other\\.test$'];
$settings['cache_prefix'] = 'old.test:';
$settings['x'] = 'https://cdn.test/sites/old.test/files, https://www.old.test/sites/old.test/files';
$settings['y'] = '/h/other/sites/old.test/files /h/plat/sites/old.test2/x sites/my.old.test/files http://old.test.net';
$settings['z'] = "$app_root/$site_path/private" . ' ' . __DIR__;
if ($_SERVER['HTTP_HOST'] === 'old.test') $conf['theme'] = 'x';
`;

  test('change where they are this site’s, and nowhere else', () => {
    const after = before
      .replace(`'https://old.test'`, `'https://new.test'`)
      .replace(".old.test';\n$conf", ".new.test';\n$conf")
      .replace('"sites/old.test/files"', '"sites/new.test/files"')
      .replace('/h/plat/sites/old.test/private', '/h/plat/sites/new.test/private')
      .replace('files/old.test.files/tmp', 'files/new.test.files/tmp')
      .replace(`'^old\\\\.test`, `'^new\\\\.test`)
      .replace(`'old.test:'`, `'new.test:'`)
      .replace('https://www.old.test/sites/old.test/', 'https://www.old.test/sites/new.test/');
    const result = rewrite(before);
    assert.deepEqual(result.problems, []);
    assert.equal(Buffer.from(result.bytes).toString(), after);
    assert.deepEqual(result.left, [2, 10, 11, 13]);
    assert.deepEqual(result.places[0], {
      line: 3,
      what: 'name-or-path',
      before: 'https://old.test',
      after: 'https://new.test',
    });
  });

  test('a migration changes the root in paths and keys, and no other path of the platform', () => {
    const text = `<?php
$options['root'] = '/h/plat';
$options['site_path'] = '/h/plat/sites/old.test';
$conf['x'] = '/h/plat/sites/all/x /h/plat/sites/old.test/y';
`;
    assert.equal(
      rewritten(text, { connections: [], naming: naming('old.test', 'old.test', ['/h/plat', '/h/new']) }),
      text.replace(`'/h/plat'`, `'/h/new'`).replaceAll('/h/plat/sites/old.test', '/h/new/sites/old.test'),
    );
  });

  test('a file without anything of it stays, also one that PHP can not read', () => {
    for (const text of ['<?php\n', '', '<?php $a = 1;\n?>\ntext', '<?php broken(', 'plain old text'])
      assert.equal(rewritten(text), text);
  });
});

describe('any password', () => {
  const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 24 });
  const troubled = fc
    .array(
      fc.oneof(
        fc.constantFrom(
          '\\',
          "'",
          '"',
          '$',
          '{',
          '%',
          '+',
          '@',
          ':',
          '/',
          '?',
          '#',
          ' ',
          '\n',
          '?>',
          '\0',
          'é',
          '😀',
          '*/',
        ),
        text,
      ),
      { minLength: 1, maxLength: 6 },
    )
    .map((parts) => parts.join(''));
  const literal = (value: string): string => `'${value.replace(/[\\']/g, '\\$&')}'`;

  test('old and new survive in every form, and PHP itself reads the new one', () => {
    const programs: string[] = [];
    const expected: string[] = [];
    fc.assert(
      fc.property(troubled, troubled, (password, next) => {
        const connections = [{ from: { ...OLD, password }, to: { ...OLD, name: 'newtest', password: next } }];
        const url = `mysqli://oldtest:${encodeURIComponent(password)}@localhost/oldtest`;
        const files = {
          'settings.php': `<?php\n$databases['default']['default'] = ['database' => 'oldtest', 'password' => ${literal(password)}];`,
          'drushrc.php': `<?php\n$options['db_name'] = 'oldtest'; $options['db_passwd'] = '${encodeURIComponent(password).replaceAll("'", '%27')}';`,
          'wp-config.php': `<?php\ndefine('DB_NAME', 'oldtest'); define('DB_PASSWORD', ${literal(password)});`,
          'six.settings.php': `<?php\n$db_url = ${literal(url)};`,
        };
        for (const [name, source] of Object.entries(files)) {
          const result = rewrite(source, { connections }, name);
          assert.deepEqual(result.problems, [], name);
          const php = Buffer.from(result.bytes).toString('latin1').slice(5);
          programs.push(php);
          expected.push(Buffer.from(next).toString('hex'));
        }
      }),
      { numRuns: 60 },
    );
    const tells = `bin2hex($databases['default']['default']['password'] ?? (isset($options) ? urldecode($options['db_passwd']) : (isset($db_url) ? urldecode(parse_url($db_url)['pass'] ?? '') : '')))`;
    const program = `foreach (explode("\\n", stream_get_contents(STDIN)) as $line) { if ($line === '') continue; unset($databases, $options, $db_url);
      $code = str_replace(["define('DB_NAME', 'newtest');", "define('DB_PASSWORD', "], ['', '$databases["default"]["default"]["password"] = ('], base64_decode($line)); eval($code); echo ${tells}, "\\n"; }`;
    const told = execFileSync('php', ['-n', '-r', program], {
      input: programs.map((code) => Buffer.from(code, 'latin1').toString('base64')).join('\n'),
      encoding: 'utf8',
      maxBuffer: 64 << 20,
    });
    assert.deepEqual(told.trimEnd().split('\n'), expected);
  });

  test('settings that were rewritten and rewritten back are what they were', () => {
    fc.assert(
      fc.property(troubled, (password) => {
        const to = { ...OLD, name: 'newtest', user: 'u2', password };
        const source = `<?php\n$databases['default']['default'] = ['database' => 'oldtest', 'username' => 'oldtest', 'password' => 'p@ss/w:rd'];\n// sites/old.test\n$conf['p'] = 'sites/old.test/files';\n`;
        const there = rewrite(source, { connections: [{ from: OLD, to }] });
        const back = rewriteSettings(
          { name: 'settings.php', bytes: there.bytes },
          { connections: [{ from: to, to: OLD }], naming: naming('new.test', 'old.test') },
        );
        assert.deepEqual(back.problems, []);
        assert.equal(Buffer.from(back.bytes).toString(), source);
      }),
    );
  });
});

test('a password never stands in what is told', () => {
  const source = `<?php\n$db_url = 'mysql://oldtest:secret-1@localhost/oldtest';\n$databases['default']['default'] = ['database' => 'oldtest', 'password' => 'secret-1'];`;
  const change = { from: { ...OLD, password: 'secret-1' }, to: { ...NEW, password: 'secret-2' } };
  const good = rewrite(source, { connections: [change] });
  assert.equal(good.places.length, 3);
  assert.doesNotMatch(JSON.stringify([good.places, good.left]), /secret/);
  const bad = rewrite(`${source}\n$databases['default']['default']['password'] = 'secr' . 'et-1';`, {
    connections: [change],
  });
  assert.equal(bad.problems.length, 1);
  assert.doesNotMatch(JSON.stringify(bad.problems), /secr/);
});

test('a file that is made to cost is judged in a time that does not grow with its square', () => {
  const secondsOf = (unit: string, count: number): number => {
    const begun = process.cpuUsage();
    assert.deepEqual(rewrite(`<?php\n$a = '${unit.repeat(count)}';`).problems, []);
    const { user, system } = process.cpuUsage(begun);
    return (user + system) / 1e6;
  };
  // In squares each of these would take minutes.
  for (const unit of ['mysql://a:', 'mysql://a:b@', 'sites/old.test', '//old.test/'])
    assert.ok(secondsOf(unit, Math.floor(200_000 / unit.length)) < 5, unit);
});

describe('secrets', () => {
  const secrets = (old: string): string => `fresh-${old.length}`;
  const outcome = (text: string, name = 'settings.php'): readonly unknown[] => {
    const { bytes, places, freshSecrets, keptSecrets, problems } = rewrite(text, { secrets }, name);
    assert.deepEqual(problems, []);
    return [
      Buffer.from(bytes).toString(),
      places.map(({ what, before, after }) => [what, before, after]),
      freshSecrets,
      keptSecrets,
    ];
  };

  test('of Drupal and WordPress are new where they stand plainly, the same for the same, and shown to nobody', () => {
    const place = ['secret', null, null];
    assert.deepEqual(
      outcome(`<?php\n$settings['hash_salt'] = 'abc'; # abc\n$settings['deployment'] = $settings['hash_salt'];\n`),
      [
        `<?php\n$settings['hash_salt'] = 'fresh-3'; # abc\n$settings['deployment'] = $settings['hash_salt'];\n`,
        [place],
        1,
        [],
      ],
    );
    assert.deepEqual(outcome('<?php\n$drupal_hash_salt = "abcd";'), [
      '<?php\n$drupal_hash_salt = "fresh-4";',
      [place],
      1,
      [],
    ]);
    assert.deepEqual(
      outcome(
        `<?php\ndefine('AUTH_KEY', 'a b');\nconst NONCE_SALT = 'q';\ndefine('OTHER_KEY', 'a b');\n`,
        'wp-config.php',
      ),
      [
        `<?php\ndefine('AUTH_KEY', 'fresh-3');\nconst NONCE_SALT = 'fresh-1';\ndefine('OTHER_KEY', 'a b');\n`,
        [place, place],
        2,
        [],
      ],
    );
  });

  test('that come from elsewhere, or that something else is made of, stay and are named; an empty one is none', () => {
    const stays = (text: string): unknown => {
      const [after, places, ...rest] = outcome(text);
      assert.deepEqual([after, places], [text, []]);
      return rest;
    };
    const salt = "$settings['hash_salt']";
    assert.deepEqual(stays(`<?php ${salt} = file_get_contents('/h/salt.txt');`), [0, [salt]]);
    assert.deepEqual(stays(`<?php ${salt} = 'abc' . 'def';`), [0, [salt]]);
    assert.deepEqual(stays(`<?php ${salt} = 'abc'; $x = 'y' . ${salt};`), [0, [salt]]);
    assert.deepEqual(stays(`<?php $drupal_hash_salt = '';`), [0, []]);
    assert.equal(rewritten(`<?php ${salt} = 'abc';`), `<?php ${salt} = 'abc';`, 'a site that is renamed keeps its own');
  });
});
