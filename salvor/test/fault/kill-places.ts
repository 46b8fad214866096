/**
 * What a host says of its sites outside of their directories: Aegir's contexts, other programs' aliases, clients' links,
 * `sites.php`, virtual hosts; and the page that a web server which believes all this answers with.
 */
import { existsSync, lstatSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { DemoHost } from '../../../demo/host.ts';
import { findFreePort, openWebServer } from '../../../demo/web-server.ts';

/** By path below the home: type, mode, owner and content. */
export type ObservedHome = ReadonlyMap<string, string>;

/** Sites and disks are looked at by themselves, as is what an export writes; archives come with every task; code is much. */
const NOT_A_PLACE =
  /^(?:backups|exported\.tar\.gz|static\/files)$|\/wordpress\/wp-(?:admin|content|includes)$|\/sites\/[a-z]+\.example\.org$|(?:^|\/)\.salvor$/;
/** The log-in has to be the one that the virtual host gives. */
const LOG_IN_OF_SITE = 'drushrc.php';
const PASSWORD = /(?<=db_passwd\b'?\]?\s*(?:=>|=)?\s*['"]?)[^\s'";$\]=>]+/g;

/** All of the account's home but its sites. Names that each clone gets anew, as `beginnings` and a password, stand as one word. */
export function observeHome({ home }: DemoHost, beginnings: readonly string[]): ObservedHome {
  const seen = new Map<string, string>();
  const passwords: string[] = [];
  const wordOf = (password: string): string => {
    const plain = decodeURIComponent(password);
    if (!passwords.includes(plain)) passwords.push(plain);
    return `password ${passwords.indexOf(plain) + 1}`;
  };
  const visit = (name: string): void => {
    const path = join(home, name);
    const stats = lstatSync(path);
    const isDirectory = stats.isDirectory();
    const content = stats.isSymbolicLink() ? readlinkSync(path) : stats.isFile() ? readFileSync(path, 'latin1') : '';
    const plain = content
      .replace(PASSWORD, wordOf)
      .replaceAll(new RegExp(`(?:${beginnings.join('|')})\\w*`, 'g'), 'database');
    const type = isDirectory ? 'directory' : stats.isSymbolicLink() ? 'link' : stats.isFile() ? 'file' : 'other';
    seen.set(name, `${type} ${(stats.mode & 0o7777).toString(8)} ${stats.uid}:${stats.gid} ${plain}`);
    if (!isDirectory) return;
    for (const entry of readdirSync(path).toSorted()) {
      const below = join(name, entry);
      if (!NOT_A_PLACE.test(below)) visit(below);
      else if (existsSync(join(home, below, LOG_IN_OF_SITE))) visit(join(below, LOG_IN_OF_SITE));
    }
  };
  visit('.');
  return seen;
}

export type KillPages = AsyncDisposable & {
  /** Status and body; or why nobody answers. */
  read(uri: string): Promise<string>;
};

/** A real PHP for each of the platforms, with the log-in that the site's virtual host gives. */
export async function openKillPages(host: DemoHost, roots: readonly string[]): Promise<KillPages> {
  await using opened = new AsyncDisposableStack();
  const vhosts = join(host.home, 'config/server_master/nginx/vhost.d');
  const ports = new Map<string, number>();
  for (const root of roots) {
    const port = await findFreePort();
    const router = join(host.directory, 'scripts/router.php');
    opened.use(
      await openWebServer({ port, root, router, vhost: vhosts, mariadbSocket: host.mariadb.socket }, host.account),
    );
    ports.set(root, port);
  }
  const rootOf = (uri: string): string | null => {
    const vhost = join(vhosts, uri);
    if (existsSync(vhost)) return /^\s*root\s+"?([^\s";]+)"?;/m.exec(readFileSync(vhost, 'utf8'))?.[1] ?? null;
    // Sites that hold their log-in themselves have none, and are served by their platform's.
    return roots.find((root) => holdsItsLogIn(join(root, 'sites', uri))) ?? null;
  };
  // A WordPress sends visitors to the address that it was installed at.
  const hostOf = (uri: string, root: string): string => {
    const own = host.sites.find(({ cms, path }) => cms === 'wordpress' && path.startsWith(`${root}/`));
    return own === undefined ? uri : new URL(own.url).host;
  };
  const resources = opened.move();
  return {
    async read(uri) {
      const root = rootOf(uri);
      if (root === null) return 'nobody serves it';
      const port = ports.get(root);
      if (port === undefined) return `its virtual host names ${root}, which is no platform`;
      return await ask(port, hostOf(uri, root));
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

function holdsItsLogIn(path: string): boolean {
  const has = (name: string): boolean => existsSync(join(path, name));
  return has('wp-config.php') || (has('settings.php') && !has(LOG_IN_OF_SITE));
}

async function ask(port: number, uri: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const asked = request({ host: '127.0.0.1', port, path: '/', headers: { host: uri }, timeout: 30_000 }, (answer) => {
    text(answer).then((body) => resolve(`${answer.statusCode} ${body}`), reject);
  });
  asked.on('timeout', () => asked.destroy(new Error(`the page of ${uri} does not answer`)));
  asked.on('error', reject);
  asked.end();
  return await promise;
}
