/**
 * Gives what was built of a site the name that it will have: values of its tables, links in its directory, addresses that
 * WordPress keeps. Works on what nobody uses yet; the same way looks only, for the plan.
 */
import { fstatSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import type { Problem, RewrittenValues } from '@salvor/contract';
import { setTimesOfHeld } from '@salvor/engine/libc';
import { type DatabaseConnection, quoteName, quoteText } from '../databases/mariadb/connect.ts';
import { type RewriteResult, rewriteValues } from '../databases/mariadb/rewrite-values.ts';
import { hold, setOwner, setTimes } from '../lib/beneath/held.ts';
import { type Spot, makeLinkAt, readLinkAt, unlinkAt } from '../lib/beneath/spot.ts';
import { walkTree } from '../lib/beneath/walk-tree.ts';
import { isBeneath } from '../sites/read-beneath.ts';
import type { Site } from '../sites/site.ts';
import { type Renaming, needlesOf, rewriteValue } from './rewrite-value.ts';

export type BuiltTables = {
  /** Where the tables lie. */
  readonly database: string;
  /** What the plan calls that database. */
  readonly shown: string;
  readonly tables: readonly string[];
  readonly prefix: string;
};

/** Values with the old name, changed or, without `apply`, only counted. Throws as the server does. */
export async function renameValues(
  connection: DatabaseConnection,
  { database, shown, tables }: BuiltTables,
  renaming: Renaming,
  { apply, signal }: { readonly apply: boolean; readonly signal: AbortSignal },
): Promise<{ readonly values: readonly RewrittenValues[]; readonly problems: readonly Problem[] }> {
  const needles = needlesOf(renaming);
  if (needles.length === 0) return { values: [], problems: [] };
  const rewrite = (value: Buffer): ReturnType<typeof rewriteValue> => rewriteValue(value, renaming);
  // Both ends of a key hold the same text, and get the same one.
  if (apply) await connection.execute('SET SESSION foreign_key_checks = 0');
  let result: RewriteResult;
  try {
    result = await rewriteValues(connection, database, { needles, tables, apply, rewrite, signal });
  } finally {
    if (apply) await connection.execute('SET SESSION foreign_key_checks = 1').catch(() => undefined);
  }
  return {
    values: result.columns.map((column) => ({ ...column, database: shown, samples: [...column.samples] })),
    problems: result.problems.map(({ code, message, name }) => ({ code, message, path: `${shown}.${name}` })),
  };
}

/** Options of WordPress in which its own address stands. */
const OWN_OPTIONS = ['siteurl', 'home'];

/**
 * The addresses that a WordPress sends everybody to, also where they were those of another name: a copy that sends its
 * visitors to its origin is none. Gives what changed.
 */
export async function renameAddresses(
  connection: DatabaseConnection,
  { cms }: Pick<Site, 'cms'>,
  { database, prefix }: BuiltTables,
  newUri: string,
): Promise<readonly { readonly option: string; readonly before: string; readonly after: string }[]> {
  if (cms !== 'wordpress') return [];
  const table = quoteName(database, `${prefix}options`);
  const names = OWN_OPTIONS.map((option) => quoteText(option)).join(', ');
  const rows = await connection.query<{ option: string; value: string }>(
    `SELECT option_name AS option, option_value AS value FROM ${table} WHERE option_name IN (${names})`,
  );
  const changes = rows.flatMap(({ option, value }) => {
    const after = value.replace(/^(\w+:\/\/)(?:[^/@]*@)?[^/]+/, (_all, scheme: string) => scheme + newUri);
    return after === value ? [] : [{ option, before: value, after }];
  });
  for (const { option, after } of changes)
    await connection.execute(
      `UPDATE ${table} SET option_value = ${quoteText(after)} WHERE option_name = ${quoteText(option)}`,
    );
  return changes;
}

/** Where a site was, and where it will be; and the directories that it had elsewhere, by where they are in the new one. */
export type LinkChange = {
  readonly oldPath: string;
  readonly newPath: string;
  readonly moved: readonly { readonly target: string; readonly link: string }[];
};

/**
 * Where a link of the site leads when the site has its new place, so that it leads to its own and not to the old one's;
 * null where it stays as it is. `path` is the link's, relative to the directory, `text` what it says.
 */
export function renameLink(path: string, text: string, { oldPath, newPath, moved }: LinkChange): string | null {
  const at = dirname(join(newPath, path));
  const isAbsolute = text.startsWith('/');
  const leadsTo = isAbsolute ? resolve(text) : resolve(dirname(join(oldPath, path)), text);
  const elsewhere = moved.find(({ target }) => isBeneath(leadsTo, target));
  const wanted =
    elsewhere !== undefined
      ? join(newPath, elsewhere.link) + leadsTo.slice(elsewhere.target.length)
      : isBeneath(leadsTo, oldPath)
        ? newPath + leadsTo.slice(oldPath.length)
        : null;
  if (wanted === null || (!isAbsolute && resolve(at, text) === wanted)) return null;
  return isAbsolute ? wanted : relative(at, wanted);
}

/** Turns all links in a directory of ours that would lead to the old site. Gives their paths. */
export async function renameLinks(directory: string | Spot, change: LinkChange): Promise<readonly string[]> {
  const changed: string[] = [];
  // A character for each byte: names and targets need not be text.
  const bytes = (text: string): string => Buffer.from(text).toString('latin1');
  const places: LinkChange = {
    oldPath: bytes(change.oldPath),
    newPath: bytes(change.newPath),
    moved: change.moved.map(({ target, link }) => ({ target: bytes(target), link: bytes(link) })),
  };
  for await (const { path, key, stat, spot } of walkTree(directory)) {
    if (!stat.isSymbolicLink()) continue;
    const wanted = renameLink(key, readLinkAt(spot).toString('latin1'), places);
    if (wanted === null) continue;
    const above = fstatSync(spot.fd, { bigint: true });
    unlinkAt(spot);
    makeLinkAt(spot, Buffer.from(wanted, 'latin1'));
    using made = hold(spot, null);
    if (made === null) throw new Error(`${path} was not made again`);
    if (process.getuid?.() === 0) setOwner(made, { uid: Number(stat.uid), gid: Number(stat.gid) });
    setTimes(made, { accessNs: stat.atimeNs, modifiedNs: stat.mtimeNs });
    setTimesOfHeld(spot.fd, above.atimeNs, above.mtimeNs);
    changed.push(path);
  }
  return changed;
}
