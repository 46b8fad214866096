/**
 * The number that a system gives the shape of its tables: the last update that was run, of the database; the last one
 * that it knows, of the code. A database that is newer than the code under it breaks a site in ways that nobody sees at once.
 */
import type { Problem } from '@salvor/contract';
import { openConnection, quoteName, serverErrorNumber } from '../databases/mariadb/connect.ts';
import type { CaptureDatabase } from '../points/dump-entries.ts';
import type { Manifest } from '../points/manifest.ts';
import { filesBeneath } from '../sites/read-beneath.ts';
import type { Site, SiteDatabase } from '../sites/site.ts';

/** Of the first of a site's databases that has one, where its tables are read; null where none has. */
export async function readSiteSchema(
  { cms }: Pick<Site, 'cms'>,
  databases: readonly CaptureDatabase[],
): Promise<number | null> {
  for (const { database, readFrom } of databases) {
    const schema = await readDatabaseSchema(cms, { ...readFrom, prefix: database.prefix });
    if (schema !== null) return schema;
  }
  return null;
}

/** Of the database; null where it has none. */
export async function readDatabaseSchema(
  cms: Site['cms'],
  { login, name, prefix }: Pick<SiteDatabase, 'login' | 'name' | 'prefix'>,
): Promise<number | null> {
  await using connection = await openConnection(login, { database: name });
  for (const { table, select, where } of QUERIES[cms] ?? []) {
    try {
      const [row] = await connection.query<{ value: Buffer | string | number | null }>(
        `SELECT ${select} AS value FROM ${quoteName(name, prefix + table)} WHERE ${where}`,
      );
      // Drupal 8 and later keep it as PHP serialises it: `i:10201;`.
      const digits = /\d+/.exec(Buffer.isBuffer(row?.value) ? row.value.toString('latin1') : String(row?.value ?? ''));
      if (digits !== null) return Number(digits[0]);
    } catch (error) {
      if (serverErrorNumber(error) === null) throw error;
    }
  }
  return null;
}

const QUERIES: Readonly<Record<string, readonly { table: string; select: string; where: string }[]>> = {
  drupal: [
    { table: 'key_value', select: 'value', where: "collection = 'system.schema' AND name = 'system'" },
    { table: 'system', select: 'schema_version', where: "name = 'system' AND type = 'module'" },
  ],
  wordpress: [{ table: 'options', select: 'option_value', where: "option_name = 'db_version'" }],
};

/** Of the platform's code as it is now; null where it does not say. */
export function readCodeSchema(site: Site): number | null {
  const files = filesBeneath([site.account.home, site.platform.root]);
  for (const { file, pattern } of SOURCES[site.cms] ?? []) {
    const found = files.read(`${site.platform.root}/${file}`);
    if (found.kind !== 'read') continue;
    const numbers = [...Buffer.from(found.bytes).toString('latin1').matchAll(pattern)].map((match) => Number(match[1]));
    if (numbers.length > 0) return Math.max(...numbers);
  }
  return null;
}

/** Updates of Drupal are functions with the number in their name; old ones leave with a major version, which says up to where. */
const UPDATES = /function\s+system_update_(?:last_removed\s*\([^)]*\)[^{]*\{\s*return\s+)?(\d+)/g;
const SOURCES: Readonly<Record<string, readonly { file: string; pattern: RegExp }[]>> = {
  drupal: [
    { file: 'core/modules/system/system.install', pattern: UPDATES },
    { file: 'modules/system/system.install', pattern: UPDATES },
  ],
  wordpress: [{ file: 'wp-includes/version.php', pattern: /\$wp_db_version\s*=\s*(\d+)\s*;/g }],
};

/** By the numbers where both are known, else by the version of the core. Older than the code is a fact: updates will be due. */
export function findSchemaProblems(
  site: Site,
  then: Manifest['site'],
): { readonly obstacles: readonly Problem[]; readonly notes: readonly Problem[] } {
  const schema = { point: then.schema, code: readCodeSchema(site) };
  const versions = { point: then.version, code: site.version };
  const order =
    schema.point !== null && schema.code !== null
      ? schema.point - schema.code
      : compareVersions(versions.point, versions.code);
  if (order === 0) return { obstacles: [], notes: [] };
  const show = (side: 'point' | 'code'): string =>
    [versions[side], schema[side] === null ? null : `schema ${schema[side]}`]
      .filter((part) => part !== null)
      .join(', ');
  const path = site.path;
  if (order > 0) {
    const message = `the point's database is of ${show('point')}, newer than the platform ${site.platform.root} with ${show('code')}: put the newer code there first, or restore the files only`;
    return { obstacles: [{ code: 'schema-newer', message, path }], notes: [] };
  }
  const message = `the point's database is of ${show('point')}, older than the platform with ${show('code')}: run the updates of the site afterwards`;
  return { obstacles: [], notes: [{ code: 'schema-older', message, path }] };
}

/** By major and minor: what differs further behind changes no tables. Zero where one is not known. */
function compareVersions(one: string | null, other: string | null): number {
  const [left, right] = [one, other].map((version) => /^(\d+)(?:\.(\d+))?/.exec(version ?? ''));
  if (left === null || left === undefined || right === null || right === undefined) return 0;
  return Number(left[1]) - Number(right[1]) || Number(left[2] ?? 0) - Number(right[2] ?? 0);
}
