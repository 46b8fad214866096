/**
 * Drupal-shaped platforms and sites: the files by which a Drupal is recognised, settings as Aegir writes them or as
 * Drupal's own installer does, generated content, and a front controller of our own that really needs all of it.
 */
import { execFile } from 'node:child_process';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { makeDirectory, siteContext, writeOwned, type AegirSite, type DemoAccount } from './aegir-account.ts';
import { ageTree, writeDrupalFiles } from './drupal-files.ts';
import { drupalPrograms, drupalTables } from './drupal-tables.ts';
import type { MariaDbServer } from './mariadb-server.ts';
import { toPhp } from './php-value.ts';
import type { Random } from './random.ts';
import { quoteName, tableStatements } from './sql.ts';
import type { SiteDatabaseAccess } from './wordpress-site.ts';

const run = promisify(execFile);

/** Text that is sent to the server in one go. */
const MAX_BATCH_CHARS = 16 * 1024 * 1024;

export type DrupalSiteSize = { readonly title: string; readonly nodes: number; readonly files: number };

/** `scripts` holds the demo's PHP files. */
export async function buildDrupalPlatform(
  shape: 7 | 10,
  root: string,
  account: DemoAccount,
  scripts: string,
): Promise<void> {
  const files = shape === 10 ? platformFiles10() : platformFiles7();
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), content);
  }
  await mkdir(join(root, 'sites'), { recursive: true });
  await copyFile(join(scripts, 'drupal-index.php'), join(root, 'index.php'));
  await run('chown', ['-R', `${account.uid}:${account.gid}`, root]);
}

/**
 * Fills the site's directory and its database, which is there and empty. `cloaked` settings take the log-in from the
 * web server's variables, as Aegir writes them; else it stands in `settings.php` as Drupal's installer writes it.
 */
export async function buildDrupalSite(
  site: AegirSite,
  settings: { readonly shape: 7 | 10; readonly cloaked: boolean },
  account: DemoAccount,
  access: SiteDatabaseAccess,
  size: DrupalSiteSize,
  mariadb: MariaDbServer,
  random: Random,
): Promise<void> {
  await makeDirectory(site.path, 0o755, account);
  const owner = { uid: account.uid, gid: account.webGid };
  const php = settings.cloaked ? cloakedSettings(site, account) : literalSettings(site, access, random);
  await writeOwned(join(site.path, 'settings.php'), php, 0o440, owner);
  if (settings.cloaked) {
    await writeOwned(join(site.path, 'drushrc.php'), drushrc(site, access), 0o440, owner);
    const vhost = join(account.home, 'config/server_master/nginx/vhost.d', site.uri);
    await writeOwned(vhost, vhostFile(site, access), 0o600, account);
  }
  await writeOwned(join(site.path, 'local.settings.php'), "<?php\n\n$conf['harbour_colour'] = 'navy';\n", 0o440, owner);
  await writeOwnModules(site.path, account);
  const managed = writeDrupalFiles(site.path, account, size.files, random.fork('files'));
  ageTree(site.path, random.fork('times'));

  const content = { name: size.title, nodes: size.nodes, files: managed };
  await fillDatabase(mariadb, access, settings.shape, content, random.fork('rows'));
}

async function fillDatabase(
  mariadb: MariaDbServer,
  access: SiteDatabaseAccess,
  shape: 7 | 10,
  content: Parameters<typeof drupalTables>[1],
  random: Random,
): Promise<void> {
  const head = `USE ${quoteName(access.database)}; SET NAMES utf8mb4; SET autocommit = 0; SET time_zone = '+00:00';
SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO';\n`;
  let batch = head;
  for (const table of drupalTables(shape, content, random)) {
    for (const statement of tableStatements(table)) {
      batch += statement;
      if (batch.length < MAX_BATCH_CHARS) continue;
      await mariadb.query(`${batch}COMMIT;`);
      batch = head;
    }
  }
  const programs = drupalPrograms(shape).replaceAll('%s', `${quoteName(access.user)}@localhost`);
  await mariadb.query(`${batch}COMMIT;\n${programs}`);
}

async function writeOwnModules(path: string, account: DemoAccount): Promise<void> {
  for (const name of ['modules', 'modules/custom', 'modules/custom/harbour', 'themes', 'themes/quay', 'libraries']) {
    await makeDirectory(join(path, name), 0o2775, account);
  }
  const files = {
    'modules/custom/harbour/harbour.info.yml': 'name: Harbour\ntype: module\ncore_version_requirement: ^10\n',
    'modules/custom/harbour/harbour.module': `<?php

/** What the page is made of: the site's name and the tables that must answer. */
function harbour_state($database) {
  $row = $database->query("SELECT value FROM harbour_state WHERE name = 'state'")->fetch_row();
  return json_decode($row[0], TRUE);
}
`,
    'themes/quay/quay.info.yml': 'name: Quay\ntype: theme\nbase theme: false\n',
    'themes/quay/page.tpl.php': `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title><?php print htmlspecialchars($page['name']); ?></title>
<style>
body { font: 17px/1.6 Georgia, serif; color: #12263f; background: #f4f1ea; margin: 0 auto; max-width: 42rem; padding: 3rem 1.5rem; }
h1 { font-weight: normal; letter-spacing: -.02em; border-bottom: 3px double #12263f; padding-bottom: .4rem; }
li { margin: .3rem 0; } small { color: #5b6f86; } img { max-width: 100%; border-radius: 4px; }
</style>
</head>
<body>
<h1><?php print htmlspecialchars($page['name']); ?></h1>
<img src="/<?php print $path; ?>/files/pictures/6.png" alt="A harbour at dusk" width="320" height="180">
<ul>
<?php foreach ($page['nodes'] as $node): ?>
<li><?php print htmlspecialchars($node['title']); ?> <small>by <?php print htmlspecialchars($node['author']); ?></small></li>
<?php endforeach; ?>
</ul>
<p><?php foreach ($page['berths'] as $berth) { print htmlspecialchars($berth['label']) . ' · '; } ?></p>
<p><small><?php print "{$page['tables']} tables, {$page['rows']} rows, {$page['bytes']} bytes of files"; ?></small></p>
</body>
</html>
`,
  };
  for (const [name, content] of Object.entries(files)) await writeOwned(join(path, name), content, 0o664, account);
}

function cloakedSettings(site: AegirSite, account: DemoAccount): string {
  return `<?php

// Written by the hosting system at each verify: changes belong into local.settings.php.
if (isset($_SERVER['db_name'])) {
  // The log-in is given by the web server, so that it can't be read from this file.
  $databases['default']['default'] = array(
    'driver' => $_SERVER['db_type'],
    'database' => $_SERVER['db_name'],
    'username' => $_SERVER['db_user'],
    'password' => $_SERVER['db_passwd'],
    'host' => $_SERVER['db_host'],
    'port' => (string) $_SERVER['db_port'],
    'prefix' => '',
    'collation' => 'utf8mb4_general_ci',
  );
  unset($_SERVER['db_type'], $_SERVER['db_name'], $_SERVER['db_user'], $_SERVER['db_passwd']);
  unset($_SERVER['db_host'], $_SERVER['db_port']);
}

$conf['install_profile'] = ${toPhp(site.profile)};
$conf['file_public_path'] = ${toPhp(`sites/${site.uri}/files`)};
$conf['file_private_path'] = ${toPhp(`sites/${site.uri}/private/files`)};
$conf['file_temporary_path'] = ${toPhp(`sites/${site.uri}/private/temp`)};

if (is_readable(${toPhp(join(account.home, 'config/includes/global.inc'))})) {
  include_once(${toPhp(join(account.home, 'config/includes/global.inc'))});
}
if (is_readable(dirname(__FILE__) . '/local.settings.php')) {
  include_once(dirname(__FILE__) . '/local.settings.php');
}
`;
}

function literalSettings(site: AegirSite, access: SiteDatabaseAccess, random: Random): string {
  return `<?php

// Settings of ${site.uri}.
$databases['default']['default'] = [
  'database' => ${toPhp(access.database)},
  'username' => ${toPhp(access.user)},
  'password' => ${toPhp(access.password)},
  'prefix' => '',
  'host' => 'localhost',
  'port' => '3306',
  'unix_socket' => ${toPhp(access.socket)},
  'namespace' => 'Drupal\\\\mysql\\\\Driver\\\\Database\\\\mysql',
  'driver' => 'mysql',
  'autoload' => 'core/modules/mysql/src/Driver/Database/mysql/',
];
$settings['hash_salt'] = ${toPhp(random.password(74))};
$settings['update_free_access'] = FALSE;
$settings['file_public_path'] = $site_path . '/files';
$settings['file_private_path'] = $site_path . '/private/files';
$settings['config_sync_directory'] = $site_path . '/private/config/sync';
$settings['trusted_host_patterns'] = ['^harbour\\\\.example\\\\.org$', '^127\\\\.0\\\\.0\\\\.1$'];
if (file_exists($app_root . '/' . $site_path . '/local.settings.php')) {
  include $app_root . '/' . $site_path . '/local.settings.php';
}
`;
}

function drushrc(site: AegirSite, access: SiteDatabaseAccess): string {
  const options = {
    ...siteContext(site),
    db_type: 'mysql',
    db_port: '3306',
    db_host: 'localhost',
    db_user: access.user,
    // Aegir reads both through urldecode().
    db_passwd: encodeURIComponent(access.password),
    db_name: access.database,
  };
  const lines = Object.entries(options).map(([name, value]) => `$options[${toPhp(name)}] = ${toPhp(value)};\n`);
  const mirrors = ['db_type', 'db_port', 'db_host', 'db_user', 'db_passwd', 'db_name'].map(
    (name) => `$_SERVER['${name}'] = $options['${name}'];\n`,
  );
  return `<?php\n\n${lines.join('')}\n# What the web server gives to a request.\n${mirrors.join('')}`;
}

function vhostFile(site: AegirSite, access: SiteDatabaseAccess): string {
  const params = {
    db_type: 'mysql',
    db_name: access.database,
    db_user: access.user,
    db_passwd: access.password,
    db_host: 'localhost',
    db_port: '3306',
  };
  return `server {
  listen       *:80;
  server_name  ${site.uri};
  root         ${site.platform.root};
${Object.entries(params)
  .map(([name, value]) => `  fastcgi_param ${name} ${value};\n`)
  .join('')}}
`;
}

function platformFiles10(): Record<string, string> {
  return {
    'core/lib/Drupal.php': `<?php

/**
 * Static service container wrapper.
 */
class Drupal {

  /**
   * The current system version.
   */
  const VERSION = '10.3.6';

  /**
   * Core API compatibility.
   */
  const CORE_COMPATIBILITY = '8.x';

}
`,
    'core/core.services.yml': 'services: {}\n',
    'core/modules/node/node.info.yml': "name: Node\ntype: module\nversion: '10.3.6'\n",
    'core/modules/mysql/mysql.info.yml': "name: MySQL\ntype: module\nversion: '10.3.6'\n",
    'autoload.php': "<?php\n\nreturn require __DIR__ . '/vendor/autoload.php';\n",
    'vendor/autoload.php': '<?php\n',
    'composer.json': '{"name": "harbour/site", "type": "project", "require": {"drupal/core-recommended": "^10.3"}}\n',
    'profiles/harbour/harbour.info.yml': 'name: Harbour\ntype: profile\n',
    'sites/default/default.settings.php': '<?php\n\n$databases = [];\n',
    'sites/all/README.txt': 'Modules and themes of every site of this platform.\n',
  };
}

function platformFiles7(): Record<string, string> {
  return {
    'includes/bootstrap.inc': `<?php

/**
 * The current system version.
 */
define('VERSION', '7.101');

/**
 * Core API compatibility.
 */
define('DRUPAL_CORE_COMPATIBILITY', '7.x');
`,
    'modules/system/system.info': 'name = System\ncore = 7.x\nversion = "7.101"\n',
    'modules/node/node.info': 'name = Node\ncore = 7.x\nversion = "7.101"\n',
    'misc/drupal.js': '// \n',
    'profiles/standard/standard.info': 'name = Standard\ncore = 7.x\nversion = "7.101"\n',
    'sites/default/default.settings.php': '<?php\n\n$databases = array();\n',
    'sites/all/modules/README.txt': 'Modules of every site of this platform.\n',
  };
}
