/**
 * Debian's real WordPress as a platform that serves one site from `sites/<uri>/`, installed by its own installer.
 *
 * The code is a copy of /usr/share/wordpress; what is the site's own (settings, theme, plugins, uploads) lies in its
 * directory, as it does on a host that serves many sites from one code base.
 */
import { execFile } from 'node:child_process';
import { chmod, chown, copyFile, cp, mkdir, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { makeDirectory, writeOwned, type AegirSite, type DemoAccount } from './aegir-account.ts';
import { toPhp } from './php-value.ts';
import { drawPng } from './png.ts';
import type { Random } from './random.ts';
import { asAccount, runToEnd } from './run-as.ts';

const run = promisify(execFile);

const DEBIAN_WORDPRESS = '/usr/share/wordpress';

export type SiteDatabaseAccess = {
  readonly socket: string;
  readonly database: string;
  readonly user: string;
  readonly password: string;
};

/** Copies the code, with links followed: Debian keeps some of it elsewhere. `scripts` holds the demo's PHP files. */
export async function buildWordPressPlatform(root: string, account: DemoAccount, scripts: string): Promise<void> {
  await run('cp', ['-rL', '--preserve=timestamps', DEBIAN_WORDPRESS, root]);
  await writeOwned(join(root, 'wp-config.php'), await readFile(join(scripts, 'wp-config-root.php')), 0o644, account);
  await mkdir(join(root, 'sites'));
  await run('chown', ['-R', `${account.uid}:${account.gid}`, root]);
}

/**
 * Installs the site. `host` is the name and port that it is served at: WordPress keeps it in its database.
 * Wants the demo's PHP files in `scripts`, readable by the account, the site's database to be there and empty, and `sites/sites.php` to name the site.
 */
export async function buildWordPressSite(
  site: AegirSite,
  account: DemoAccount,
  access: SiteDatabaseAccess,
  size: { readonly posts: number; readonly host: string; readonly title: string },
  scripts: string,
  random: Random,
): Promise<void> {
  const content = join(site.path, 'wp-content');
  await makeDirectory(site.path, 0o755, account);
  await writeOwned(join(site.path, 'wp-config.php'), wpConfig(site, access, size.host, random), 0o440, {
    uid: account.uid,
    gid: account.webGid,
  });
  const theme = await copyTheme(content);
  const plugin = join(content, 'plugins/harbour-notes');
  await mkdir(join(plugin, 'includes'), { recursive: true });
  await copyFile(join(scripts, 'harbour-notes.php'), join(plugin, 'harbour-notes.php'));
  await copyFile(join(scripts, 'tide-table.php'), join(plugin, 'includes/tide-table.php'));
  await mkdir(join(content, 'uploads'), { recursive: true });
  await run('chown', ['-R', `${account.uid}:${account.gid}`, content]);
  for (const path of ['', 'themes', 'plugins', 'uploads']) {
    await chown(join(content, path), account.uid, account.webGid);
    await chmod(join(content, path), 0o2775);
  }

  const wanted = {
    root: site.platform.root,
    host: size.host,
    title: size.title,
    tagline: 'Notes from the quay',
    password: random.password(16),
    theme,
    picture: {
      name: 'harbour-at-dawn.png',
      title: 'Harbour at dawn',
      month: '2024/05',
      content: drawPng(960, 540, 41).toString('base64'),
    },
    posts: Array.from({ length: size.posts }, (_, index) => writePost(index, random)),
  };
  await runToEnd(
    asAccount(account, ['php', '-d', 'memory_limit=512M', join(scripts, 'install-wordpress.php')]),
    JSON.stringify(wanted),
    { cwd: site.platform.root },
  );
}

/** The first of the themes that Debian has packages of. */
async function copyTheme(content: string): Promise<string> {
  const installed = (await readdir(join(DEBIAN_WORDPRESS, 'wp-content/themes'))).filter((name) =>
    name.startsWith('twenty'),
  );
  const theme = installed.toSorted()[0];
  if (theme === undefined) {
    throw new Error(`there is no theme in ${DEBIAN_WORDPRESS}: install wordpress-theme-twentytwentythree`);
  }
  await cp(join(DEBIAN_WORDPRESS, 'wp-content/themes', theme), join(content, 'themes', theme), {
    recursive: true,
    dereference: true,
    preserveTimestamps: true,
  });
  return theme;
}

function writePost(index: number, random: Random): object {
  const day = new Date(Date.UTC(2024, 4, 20) - index * 37 * 3600 * 1000);
  return {
    title: index === 0 ? 'Smörgås & 🐟 on the quay — “opening day”' : random.title(),
    content: Array.from(
      { length: random.between(2, 5) },
      () => `<!-- wp:paragraph --><p>${random.paragraph()}</p><!-- /wp:paragraph -->`,
    ).join('\n\n'),
    date: day.toISOString().slice(0, 19).replace('T', ' '),
    tags: [random.pick(['harbour', 'market', 'weather', 'boats']), random.pick(['old', 'new'])],
    comments: Array.from({ length: random.between(0, 3) }, () => ({
      author: random.pick(['Åsa', 'Björn', '李雷', 'Zoë 🚢', "O'Neill"]),
      text: random.paragraph(),
    })),
  };
}

function wpConfig(site: AegirSite, access: SiteDatabaseAccess, host: string, random: Random): string {
  const keys = ['AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE'].flatMap((name) => [`${name}_KEY`, `${name}_SALT`]);
  const url = `http://${host}`;
  const settings = {
    DB_NAME: access.database,
    DB_USER: access.user,
    DB_PASSWORD: access.password,
    DB_HOST: `localhost:${access.socket}`,
    DB_CHARSET: 'utf8mb4',
    DB_COLLATE: '',
    ...Object.fromEntries(keys.map((key) => [key, random.password(64)])),
    WP_HOME: url,
    WP_SITEURL: url,
    WP_CONTENT_URL: `${url}/sites/${site.uri}/wp-content`,
    WP_DEBUG: false,
    // A visit changes nothing by itself, so that two looks at the site can be compared.
    DISABLE_WP_CRON: true,
    WP_HTTP_BLOCK_EXTERNAL: true,
    AUTOMATIC_UPDATER_DISABLED: true,
  };
  return `<?php
// Settings of ${site.uri}.
${Object.entries(settings)
  .map(([name, value]) => `define(${toPhp(name)}, ${toPhp(value)});\n`)
  .join('')}define('WP_CONTENT_DIR', __DIR__ . '/wp-content');

$table_prefix = 'wp_';

if (!defined('ABSPATH')) {
  define('ABSPATH', dirname(__DIR__, 2) . '/');
}
require_once ABSPATH . 'wp-settings.php';
`;
}
