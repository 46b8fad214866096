/**
 * What a site is, exactly: every file with its hash, owner, mode and time, every table with its checksum and definition,
 * every program in the database, and the page. Two observations that are equal are the same site to whoever looks.
 */
import { createHash } from 'node:crypto';
import { lstatSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import type { DemoHost, DemoSite } from './host.ts';
import type { MariaDbServer } from './mariadb-server.ts';
import { quoteName } from './sql.ts';

export type ObservedFile = {
  readonly type: 'file' | 'directory' | 'link' | 'other';
  /** Permission bits, octal. */
  readonly mode: string;
  readonly owner: string;
  readonly mtimeNs: bigint;
  /** SHA-256 of a file, target of a link, empty for a directory. */
  readonly content: string;
};

/** By path relative to the directory; bytes that are not UTF-8 stand as `\xNN`. The directory itself is `.`. */
export type ObservedTree = ReadonlyMap<string, ObservedFile>;

/** By kind and name: `table node`, `view recent_content` … */
export type ObservedDatabase = ReadonlyMap<string, string>;

export type ObservedPage = { readonly status: number; readonly statusText: string; readonly body: string };

export type ObservedSite = { readonly files: ObservedTree; readonly database: ObservedDatabase };

export async function observeSite(host: DemoHost, site: DemoSite): Promise<ObservedSite> {
  return { files: observeTree(site.path), database: await observeDatabase(host.mariadb, site.database) };
}

export function observeTree(path: string): ObservedTree {
  const tree = new Map<string, ObservedFile>();
  const visit = (at: Buffer, name: string): void => {
    const stats = lstatSync(at, { bigint: true });
    const type = stats.isFile()
      ? 'file'
      : stats.isDirectory()
        ? 'directory'
        : stats.isSymbolicLink()
          ? 'link'
          : 'other';
    tree.set(name, {
      type,
      mode: (Number(stats.mode) & 0o7777).toString(8).padStart(4, '0'),
      owner: `${stats.uid}:${stats.gid}`,
      mtimeNs: stats.mtimeNs,
      content: contentOf(at, type),
    });
    if (type !== 'directory') return;
    for (const entry of readdirSync(at, { encoding: 'buffer' })) {
      const below = Buffer.concat([at, Buffer.from('/'), entry]);
      visit(below, name === '.' ? readable(entry) : `${name}/${readable(entry)}`);
    }
  };
  visit(Buffer.from(path), '.');
  return tree;
}

export async function observeDatabase(mariadb: MariaDbServer, database: string): Promise<ObservedDatabase> {
  const inSchema = (column: string): string => `${column} = '${database}'`;
  const seen = new Map<string, string>();
  const add = async (kind: string, sql: string): Promise<void> => {
    for (const line of (await mariadb.query(sql)).split('\n')) {
      if (line === '') continue;
      const [name, ...rest] = line.split('\t');
      seen.set(`${kind} ${name}`, rest.join('\t'));
    }
  };
  const tables = await mariadb.query(
    `SELECT TABLE_NAME FROM information_schema.TABLES WHERE ${inSchema('TABLE_SCHEMA')} AND TABLE_TYPE = 'BASE TABLE'`,
  );
  const names = tables
    .split('\n')
    .filter((name) => name !== '')
    .map((name) => `${quoteName(database)}.${quoteName(name)}`);
  if (names.length > 0) {
    await add('checksum', `CHECKSUM TABLE ${names.join(', ')} EXTENDED`);
    await add('table', names.map((name) => `SHOW CREATE TABLE ${name};\n`).join(''));
  }
  await add(
    'view',
    `SELECT TABLE_NAME, VIEW_DEFINITION, DEFINER, SECURITY_TYPE FROM information_schema.VIEWS
      WHERE ${inSchema('TABLE_SCHEMA')}`,
  );
  await add(
    'trigger',
    `SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION, ACTION_STATEMENT, SQL_MODE, DEFINER
      FROM information_schema.TRIGGERS WHERE ${inSchema('TRIGGER_SCHEMA')}`,
  );
  await add(
    'routine',
    `SELECT ROUTINE_NAME, ROUTINE_TYPE, DTD_IDENTIFIER, ROUTINE_DEFINITION, SQL_MODE, DEFINER, SECURITY_TYPE
      FROM information_schema.ROUTINES WHERE ${inSchema('ROUTINE_SCHEMA')}`,
  );
  await add(
    'event',
    `SELECT EVENT_NAME, EVENT_DEFINITION, INTERVAL_VALUE, INTERVAL_FIELD, STARTS, STATUS, SQL_MODE, DEFINER
      FROM information_schema.EVENTS WHERE ${inSchema('EVENT_SCHEMA')}`,
  );
  return seen;
}

export async function observePage(url: string): Promise<ObservedPage> {
  const answer = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(30_000) });
  return { status: answer.status, statusText: answer.statusText, body: await answer.text() };
}

/** One line for each entry that is not the same, or is on one side only. `allow` says which differences are meant. */
export function differences<T>(
  before: ReadonlyMap<string, T>,
  after: ReadonlyMap<string, T>,
  allow: (name: string, before: T, after: T) => boolean = () => false,
): string[] {
  const found: string[] = [];
  for (const [name, was] of before) {
    const is = after.get(name);
    if (is === undefined) found.push(`missing: ${name}`);
    else if (show(was) !== show(is) && !allow(name, was, is)) found.push(`${name}: was ${show(was)}, is ${show(is)}`);
  }
  for (const name of after.keys()) if (!before.has(name)) found.push(`new: ${name}`);
  return found;
}

function show(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) => (typeof item === 'bigint' ? String(item) : item));
}

function contentOf(path: Buffer, type: ObservedFile['type']): string {
  if (type === 'link') return readable(readlinkSync(path, { encoding: 'buffer' }));
  if (type !== 'file') return '';
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

/** Names that are not UTF-8 must not meet in one key. */
function readable(name: Buffer): string {
  const text = name.toString('utf8');
  if (Buffer.from(text).equals(name)) return text;
  return name.toString('latin1').replaceAll(/[^ -~]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16)}`);
}
