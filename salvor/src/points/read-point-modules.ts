/**
 * Which modules or plugins a site ran when a point was taken, and which database update each had last: out of the point's
 * own tables, as data. What Aegir's `drushrc.php` lists is of the last time that it verified the site, and other hosts have none.
 */
import { MAX_LISTED_MODULES, type Module } from '../archives/archive-manifest.ts';
import { type DumpedRow, readDumpedRows } from '../databases/mariadb/dumped-rows.ts';
import { type SerialisedMap, type SerialisedValue, unserialisePhp } from '../lib/php-unserialise.ts';
import type { Manifest } from './manifest.ts';
import { dumpPathOf } from './manifest.ts';
import type { OpenPoint } from './open-point.ts';

/** A table's dump by its name without the prefix; null where there is no such table. */
export type OpenTable = (name: string) => AsyncIterable<Uint8Array> | null;

/** Drupal up to 7, and Backdrop, count from -1: never installed. */
const NOT_INSTALLED = -1;
/** What is looked for stands among the first rows; of a table of caches under that name no more is read. */
const MAX_TABLE_BYTES = 256 * 1024 * 1024;

/** Null where no table says it. Throws the engine's codes for damage. */
export async function readPointModules({
  manifest,
  view,
}: {
  readonly manifest: OpenPoint['manifest'];
  readonly view: Pick<OpenPoint['view'], 'read'>;
}): Promise<readonly Module[] | null> {
  for (const database of manifest.databases) {
    const modules = await readDumpedModules(manifest.site.cms, (name) => {
      const file = database.files.find(({ kind, table }) => kind === 'table' && table === `${database.prefix}${name}`);
      return file === undefined ? null : view.read(`${dumpPathOf(database)}/${file.name}`);
    });
    if (modules !== null) return modules;
  }
  return null;
}

export async function readDumpedModules(
  cms: Manifest['site']['cms'],
  open: OpenTable,
): Promise<readonly Module[] | null> {
  try {
    if (cms === 'wordpress') return await readPlugins(open);
    return (await readExtensions(open)) ?? (await readSystem(open));
  } catch (error) {
    // A dump of somebody else's tool, or a table of that name which is something else.
    if (error instanceof UnknownForm) return null;
    throw error;
  }
}

class UnknownForm extends Error {}

/** From Drupal 8 on: the configuration names them, and a table of keys the updates. */
async function readExtensions(open: OpenTable): Promise<readonly Module[] | null> {
  const isExtension = (row: DumpedRow): boolean =>
    textOf(row, 'collection') === '' && textOf(row, 'name') === 'core.extension';
  let enabled: SerialisedMap | null = null;
  for await (const row of rowsOf(open('config'), 'core.extension')) {
    if (!isExtension(row)) continue;
    enabled = mapOf(mapOf(valueOf(row, 'data'))?.get('module'));
    break;
  }
  if (enabled === null) return null;
  const schemas = new Map<string, number | null>();
  for await (const row of rowsOf(open('key_value'), 'system.schema')) {
    if (textOf(row, 'collection') !== 'system.schema') continue;
    schemas.set(textOf(row, 'name'), numberOf(valueOf(row, 'value')));
    if (schemas.size >= MAX_LISTED_MODULES) break;
  }
  return [...enabled.keys()]
    .slice(0, MAX_LISTED_MODULES)
    .map((name) => ({ name, version: null, schema: schemas.get(name) ?? null, enabled: true }));
}

/** Up to Drupal 7, and Backdrop: one table; what was switched off and not uninstalled has its tables still. */
async function readSystem(open: OpenTable): Promise<readonly Module[] | null> {
  const modules: Module[] = [];
  for await (const row of rowsOf(open('system'), 'module')) {
    if (textOf(row, 'type') !== 'module') continue;
    const enabled = textOf(row, 'status') === '1';
    const number = Number.parseInt(textOf(row, 'schema_version'), 10);
    const schema = Number.isInteger(number) && number > NOT_INSTALLED ? number : null;
    if (!enabled && schema === null) continue;
    const version = mapOf(valueOf(row, 'info'))?.get('version');
    modules.push({ name: textOf(row, 'name'), version: typeof version === 'string' ? version : null, schema, enabled });
    if (modules.length >= MAX_LISTED_MODULES) break;
  }
  return modules.length === 0 ? null : modules;
}

/** `akismet/akismet.php`, `hello.php`: a plugin is called by its directory or its file. It keeps numbers of updates as it likes. */
async function readPlugins(open: OpenTable): Promise<readonly Module[] | null> {
  for await (const row of rowsOf(open('options'), 'active_plugins')) {
    if (textOf(row, 'option_name') !== 'active_plugins') continue;
    const active = mapOf(valueOf(row, 'option_value'));
    const files = [...(active?.values() ?? [])].filter((file) => typeof file === 'string');
    return files.slice(0, MAX_LISTED_MODULES).map((file) => {
      const name = file.split('/')[0]?.replace(/\.php$/, '') ?? file;
      return { name, version: null, schema: null, enabled: true };
    });
  }
  return null;
}

async function* rowsOf(pieces: AsyncIterable<Uint8Array> | null, marker: string): AsyncGenerator<DumpedRow> {
  if (pieces === null) return;
  const wanted = Buffer.from(marker);
  yield* readDumpedRows(
    bounded(pieces),
    (raw) => raw.includes(wanted),
    () => new UnknownForm(),
  );
}

async function* bounded(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const piece of pieces) {
    bytes += piece.length;
    if (bytes > MAX_TABLE_BYTES) return;
    yield piece;
  }
}

function textOf(row: DumpedRow, column: string): string {
  return row.get(column)?.toString() ?? '';
}

function valueOf(row: DumpedRow, column: string): SerialisedValue | undefined {
  const bytes = row.get(column);
  return bytes === null || bytes === undefined ? undefined : unserialisePhp(bytes);
}

function mapOf(value: SerialisedValue | undefined): SerialisedMap | null {
  return value instanceof Map ? value : null;
}

/** `i:9401;`, `s:4:"8001";` */
function numberOf(value: SerialisedValue | undefined): number | null {
  const number = typeof value === 'string' || typeof value === 'number' ? Number(value) : Number.NaN;
  return Number.isInteger(number) ? number : null;
}
