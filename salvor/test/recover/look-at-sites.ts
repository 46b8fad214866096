/** Sites as a visitor and as an auditor see them: the page over HTTP, files with owners and times, tables. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import {
  type ObservedDatabase,
  type ObservedTree,
  observeDatabase,
  observePage,
  observeTree,
} from '../../../demo/observe-site.ts';
import type { MariaDbServer } from '../../../demo/mariadb-server.ts';
import { openWebServer } from '../../../demo/web-server.ts';

/** Enough to serve a site again on a machine that knows nothing of it. */
export type ServedSite = {
  readonly account: string;
  readonly uri: string;
  readonly path: string;
  readonly url: string;
  readonly database: string;
  readonly user: string;
  readonly home: string;
  readonly owner: { readonly uid: number; readonly gid: number; readonly webGid: number };
};

export type SiteLook = {
  readonly uri: string;
  readonly status: number;
  readonly body: string;
  readonly files: readonly string[];
  readonly tables: readonly string[];
};

/** Serves each site, looks, and stops. What a site makes again by itself is not looked at. */
export async function lookAtSites(
  sites: readonly ServedSite[],
  { mariadb, scripts }: { readonly mariadb: Pick<MariaDbServer, 'socket' | 'query'>; readonly scripts: string },
): Promise<readonly SiteLook[]> {
  const looks: SiteLook[] = [];
  for (const site of sites) {
    const account = { name: site.account, home: site.home, ...site.owner };
    await using server = await openWebServer(
      {
        port: Number(new URL(site.url).port),
        root: join(site.path, '../..'),
        router: join(scripts, 'router.php'),
        vhost: join(site.home, 'config/server_master/nginx/vhost.d', site.uri),
        mariadbSocket: mariadb.socket,
      },
      account,
    );
    assert.ok(server.pid > 0);
    // The first visit may fill a cache.
    await observePage(site.url);
    const page = await observePage(site.url);
    looks.push({
      uri: site.uri,
      status: page.status,
      // The page counts the rows of all tables, caches too.
      body: page.body.replace(/\d+ rows/, ''),
      files: linesOfTree(observeTree(site.path)),
      tables: linesOfTables(await observeDatabase(mariadb as MariaDbServer, site.database)),
    });
  }
  return looks;
}

function linesOfTree(tree: ObservedTree): readonly string[] {
  const isKept = (name: string): boolean =>
    !/^files\/(css|js|styles|php)(\/|$)/.test(name) && !/^files$|^\.$/.test(name);
  return [...tree]
    .filter(([name]) => isKept(name))
    .map(([name, { type, mode, owner, mtimeNs, content }]) => `${name} ${type} ${mode} ${owner} ${mtimeNs} ${content}`)
    .toSorted();
}

function linesOfTables(database: ObservedDatabase): readonly string[] {
  return [...database]
    .filter(([name]) => !/\bcache/.test(name))
    .map(([name, what]) => `${name} ${what}`)
    .toSorted();
}
