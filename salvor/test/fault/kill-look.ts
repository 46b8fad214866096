/** A site as it is seen from outside, whatever it is called and wherever it lies: what is compared after each hit. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import type { DemoHost } from '../../../demo/host.ts';
import {
  type ObservedDatabase,
  type ObservedFile,
  type ObservedTree,
  differences,
  observeDatabase,
  observeTree,
} from '../../../demo/observe-site.ts';
import { databasesOf } from './kill-further.ts';
import { type KillPages, type ObservedHome, observeHome } from './kill-places.ts';
import { type ObservedRights, observeRights } from './kill-rights.ts';
import { NEW_DATABASES, NEW_URI, isMade, type Shape, TIMED_BY_TASK } from './kill-shapes.ts';
import { movedFilesOf } from './kill-sites.ts';

export type Seen = {
  readonly files: ObservedTree;
  readonly database: ObservedDatabase;
  /** What others are told of it. */
  readonly home: ObservedHome;
  /** In its databases and of its users. */
  readonly rights: ObservedRights;
  /** By URI. */
  readonly pages: ReadonlyMap<string, string>;
};

/** A switch gives a PHP file whose content it changes a time of its own, and a directory of chosen paths the system does. */
const PHP_FILE = /\.(?:php|inc|module|install|theme|profile|engine)$/;
/** Of a place that is one file, as Aegir's context of a site is: written anew where a site is switched off and on. */
const OF_FILE_PLACE = /\/\.$/;
/** What a new database has in front of what it holds: a site that gets another one has both for a while. */
const OF_NEW = 'new ';

type Looked = Pick<Shape, 'source' | 'target' | 'places' | 'database' | 'masked'>;

export async function lookAtSite(host: DemoHost, served: KillPages, looked: Looked): Promise<Seen> {
  const { source, target: site, database: second } = looked;
  const database = new Map<string, string>();
  for (const name of databasesOf(site))
    for (const [key, value] of await observeDatabase(host.mariadb, name))
      database.set(name === site.database ? key : `${name} ${key}`, value);
  const made = second === undefined ? new Map<string, string>() : await lookAtNew(host, looked);
  for (const [key, value] of made) database.set(`${OF_NEW}${key}`, value);
  const pages = new Map<string, string>();
  for (const uri of new Set([source.uri, site.uri, NEW_URI])) pages.set(uri, await served.read(uri));
  // An undone clone's user stays for as long as its database: which these are, the journals say.
  const isNew = (name: string, user: string): boolean => made.size > 0 && (isMade(name) || isMade(user));
  const rights = await observeRights(host, (name, user) => databasesOf(site).includes(name) || isNew(name, user));
  return {
    files: lookAtFiles(host, looked),
    database,
    home: observeHome(host, NEW_DATABASES),
    rights: withoutNames(rights),
    pages,
  };
}

function lookAtFiles(host: DemoHost, { target: site, places }: Looked): ObservedTree {
  const trees = (places ?? [site.path]).map(
    (path) => [path, existsSync(path) ? observeTree(path) : new Map<string, ObservedFile>()] as const,
  );
  const files: ObservedTree =
    places === undefined
      ? (trees[0]?.[1] ?? new Map())
      : new Map(trees.flatMap(([path, tree]) => [...tree].map(([name, file]) => [`${path}/${name}`, file] as const)));
  const moved = movedFilesOf(host);
  const isScattered = files.get('files')?.type === 'link';
  const outside = isScattered ? [...observeTree(moved)].map(([name, file]) => [`${moved}/${name}`, file] as const) : [];
  return new Map([...[...files].filter(([name]) => !name.startsWith('private/.salvor')), ...outside]);
}

/**
 * The database that a task makes, whatever number its name has; nothing where none has a table. Of a masked table: how many rows
 * it has, and how many of the origin's values.
 */
async function lookAtNew(
  { mariadb }: DemoHost,
  { database: beginning, masked, source }: Looked,
): Promise<ObservedDatabase> {
  const names = await mariadb.query(
    `SELECT DISTINCT TABLE_SCHEMA FROM information_schema.TABLES WHERE TABLE_SCHEMA LIKE '${beginning}%'`,
  );
  const [name, ...others] = linesOf(names);
  assert.deepEqual(others, [], 'more than one new database has tables');
  if (name === undefined) return new Map();
  const seen = new Map(await observeDatabase(mariadb, name));
  const sum = `checksum ${name}.${masked}`;
  if (masked !== undefined && seen.has(sum)) {
    const counts = ['name', 'mail', 'pass'].map(
      (column) =>
        `(SELECT COUNT(*) FROM ${name}.${masked} c JOIN ${source.database}.${masked} o ON c.${column} = o.${column} AND o.${column} <> '')`,
    );
    seen.set(sum, await mariadb.query(`SELECT COUNT(*), ${counts.join(', ')} FROM ${name}.${masked}`));
  }
  return new Map([...seen].map(([key, value]) => [key.replaceAll(name, 'clone'), value.replaceAll(name, 'clone')]));
}

/** How many rows a masked table of the new database has, and how many of the origin's names, addresses and passwords. */
export function maskedOf({ database }: Seen, table: string): string {
  return database.get(`${OF_NEW}checksum clone.${table}`) ?? '';
}

/** One line for each; none where both are the same site. */
export function differencesOf(before: Seen, now: Seen): readonly string[] {
  const isRefreshed = (name: string, was: ObservedFile, is: ObservedFile): boolean =>
    (PHP_FILE.test(name.replace(OF_FILE_PLACE, '')) || TIMED_BY_TASK.has(name)) &&
    // A new log-in has a password of its own in it each time; what else it says is compared with the home.
    (was.content === is.content || basename(name) === 'drushrc.php') &&
    was.mode === is.mode &&
    was.owner === is.owner &&
    was.type === is.type;
  return [
    ...differences(before.files, now.files, isRefreshed),
    ...differences(before.database, now.database),
    ...differences(before.home, now.home),
    ...differences(before.rights, now.rights),
    ...differences(before.pages, now.pages).map((line) => `page of ${line}`),
  ];
}

/** A clone's password is another each time, and given at another time. */
const PASSWORD_OF_USER = /"authentication_string":"[^"]*"|"password_last_changed":\d+/g;

function withoutNames(rights: ObservedRights): ObservedRights {
  const plain = (text: string): string =>
    text.replaceAll(new RegExp(`(?:${NEW_DATABASES.join('|')})\\w*`, 'g'), 'clone').replaceAll(PASSWORD_OF_USER, '');
  return new Map([...rights].map(([name, may]) => [plain(name), plain(may)]));
}

/** As the server's client prints them. */
export function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '');
}
