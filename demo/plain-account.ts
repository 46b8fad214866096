/**
 * A home without Aegir, made of two of a demo host's sites: a Drupal in `sites/default` of its own code base, and a
 * WordPress that lies with its code in one directory. Each is served at its own address, as on a host of one's own.
 */
import { execFile } from 'node:child_process';
import { chown, cp, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { makeDirectory, writeOwned } from './aegir-account.ts';
import type { DemoHost, DemoSite } from './host.ts';
import { quoteName } from './sql.ts';
import { type WebServer, findFreePort, openWebServer } from './web-server.ts';

const run = promisify(execFile);

export type PlainAccount = {
  readonly home: string;
  readonly drupal: DemoSite;
  /** Null where the host has none. */
  readonly wordpress: DemoSite | null;
  /** Serves a document root of the home; gives the port. */
  serve(root: string, port?: number): Promise<number>;
};

/** Of a host that serves nothing yet: the sites leave it. */
export async function layOutPlain(host: DemoHost, servers: AsyncDisposableStack): Promise<PlainAccount> {
  const home = join(dirname(host.home), 'plain');
  await makeDirectory(home, 0o755, host.account);
  const serve = async (root: string, port?: number): Promise<number> => {
    const at = port ?? (await findFreePort());
    const plan = {
      port: at,
      root,
      router: join(host.directory, 'scripts/router.php'),
      vhost: '/nowhere',
      mariadbSocket: host.mariadb.socket,
    };
    const server: WebServer = await openWebServer(plan, host.account);
    servers.use(server);
    return at;
  };
  const drupal = await moveDrupal(host, home);
  const wordpress = host.sites.some(({ cms }) => cms === 'wordpress') ? await moveWordPress(host, home) : null;
  return { home, drupal, wordpress, serve };
}

async function moveDrupal(host: DemoHost, home: string): Promise<DemoSite> {
  const site = host.site('market.example.org');
  const root = join(home, 'shop.example.org/web');
  const old = dirname(dirname(site.path));
  await makeDirectory(dirname(root), 0o755, host.account);
  await cp(old, root, {
    recursive: true,
    preserveTimestamps: true,
    filter: (path) => !path.startsWith(`${old}/sites/`) || path.startsWith(`${old}/sites/all`),
  });
  const path = join(root, 'sites/default');
  await run('chown', ['-R', `${host.account.uid}:${host.account.gid}`, root]);
  await rename(site.path, path);
  await writeOwned(join(path, 'default.settings.php'), '<?php\n\n$databases = [];\n', 0o644, host.account);
  return { ...site, uri: 'shop.example.org', path };
}

async function moveWordPress(host: DemoHost, home: string): Promise<DemoSite> {
  const site = host.site('journal.example.org');
  const root = join(home, 'journal.example.org/htdocs');
  const old = dirname(dirname(site.path));
  await makeDirectory(dirname(root), 0o755, host.account);
  await rename(old, root);
  const inside = join(root, 'sites', site.uri);
  for (const name of ['themes', 'plugins', 'uploads']) {
    await rm(join(root, 'wp-content', name), { recursive: true, force: true });
    await rename(join(inside, 'wp-content', name), join(root, 'wp-content', name));
  }
  const settings = await readFile(join(inside, 'wp-config.php'), 'utf8');
  const kept = settings
    .split('\n')
    .filter((line) => !/WP_HOME|WP_SITEURL|WP_CONTENT_|dirname\(__DIR__, 2\)/.test(line))
    .map((line) => (line === "if (!defined('ABSPATH')) {" ? `${line}\n  define('ABSPATH', __DIR__ . '/');` : line))
    .join('\n');
  // What only browsers ask for: half of all bytes.
  for (const name of ['tinymce', 'dist/development', 'mediaelement', 'codemirror', 'plupload'])
    await rm(join(root, 'wp-includes/js', name), { recursive: true, force: true });
  await run('find', [join(root, 'wp-includes/js/dist'), '-name', '*.js', '-delete']);
  await rm(join(root, 'wp-config.php'));
  await writeFile(join(root, 'wp-config.php'), kept, { mode: 0o440 });
  if (process.getuid?.() === 0) await chown(join(root, 'wp-config.php'), host.account.uid, host.account.webGid);
  await rm(join(root, 'sites'), { recursive: true });
  await mkdir(join(root, 'wp-content/uploads'), { recursive: true });
  const posts = `${quoteName(site.database)}.wp_posts`;
  await host.mariadb.query(
    `UPDATE ${posts} SET post_content = REPLACE(post_content, '/sites/${site.uri}/wp-content/', '/wp-content/'),
       guid = REPLACE(guid, '/sites/${site.uri}/wp-content/', '/wp-content/')`,
  );
  return { ...site, path: root };
}
