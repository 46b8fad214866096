/**
 * What Aegir's `drushrc.php` in an archive says of the site, read as data: where it came from, and which modules it ran
 * with which database updates.
 */
import { evaluatePhp, valueAt } from '../lib/php-evaluate.ts';
import { PhpArray, type PhpValue, toText } from '../lib/php-values.ts';
import { MAX_LISTED_MODULES, type Module } from './archive-manifest.ts';

export type DrushrcFacts = {
  readonly uri: string | null;
  readonly root: string | null;
  readonly sitePath: string | null;
  readonly platform: string | null;
  readonly profile: string | null;
  readonly client: string | null;
  readonly databaseName: string | null;
  /** Of the site's core, as Drupal's own package among the profiles or modules states it. */
  readonly coreVersion: string | null;
  readonly modules: readonly Module[];
};

const SELF = '/drushrc.php';

/** Null where the file says nothing that is understood. */
export function readDrushrcFacts(bytes: Uint8Array): DrushrcFacts | null {
  const result = evaluatePhp(SELF, {
    files: {
      read: (path) => (path === SELF ? { kind: 'read', path, bytes } : { kind: 'missing' }),
      probe: (path) => (path === SELF ? 'file' : 'missing'),
    },
    variables: { options: PhpArray.empty },
  });
  const options = result.variables.get('options');
  if (!result.ok || !(options instanceof PhpArray) || options.entries.size === 0) return null;
  const field = (name: string): string | null => textOf(valueAt(options, name));
  const modules = modulesOf(valueAt(options, 'packages', 'modules'));
  return {
    uri: field('uri'),
    root: field('root'),
    sitePath: field('site_path'),
    platform: field('platform')?.replace(/^@(?:platform_)?/, '') ?? null,
    profile: field('profile'),
    client: field('client_name'),
    databaseName: field('db_name'),
    coreVersion: modules.find(({ name }) => name === 'system')?.version ?? null,
    modules,
  };
}

function modulesOf(list: PhpValue | undefined): Module[] {
  if (!(list instanceof PhpArray)) return [];
  return [...list.entries].slice(0, MAX_LISTED_MODULES).map(([key, item]) => ({
    name: toText(String(key)) ?? '?',
    version: textOf(valueAt(item, 'version')) ?? textOf(valueAt(item, 'info', 'version')),
    schema: numberOf(valueAt(item, 'schema_version')),
    enabled: numberOf(valueAt(item, 'status')) === 1 || valueAt(item, 'status') === true,
  }));
}

function textOf(value: PhpValue | undefined): string | null {
  return typeof value === 'string' && value !== '' ? toText(value) : null;
}

function numberOf(value: PhpValue | undefined): number | null {
  if (typeof value === 'bigint') return Number(value);
  return typeof value === 'string' && /^-?\d{1,9}$/.test(value) ? Number(value) : null;
}
