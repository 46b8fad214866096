import { isAlias, isMap, isScalar, parseDocument } from 'yaml';
import type { PhpFiles } from '../lib/php-reading.ts';
import type { AegirContext } from './read-alias.ts';

/** Drush's own are a few lines long. */
const MAX_YAML_BYTES = 64 * 1024;

/**
 * The sites in one of Drush's YAML alias files: maps with a `root` and a `uri`, one per environment. A file that is none,
 * or that is not of this machine (`host`), names no site: Drush's aliases are evidence, and nothing is lost without them.
 */
export function readYamlAlias(file: string, files: PhpFiles): AegirContext[] {
  const read = files.read(file);
  if (read.kind !== 'read' || read.bytes.length > MAX_YAML_BYTES) return [];
  // Anchors are not followed: a few lines of them make a document of gigabytes.
  const document = parseDocument(Buffer.from(read.bytes).toString('utf8'), { prettyErrors: false });
  if (document.errors.length > 0 || !isMap(document.contents)) return [];
  return document.contents.items.flatMap(({ value }): AegirContext[] => {
    if (!isMap(value) || isAlias(value)) return [];
    const values = new Map<string, string>();
    for (const { key, value: field } of value.items)
      if (isScalar(key) && typeof key.value === 'string' && isScalar(field) && typeof field.value === 'string')
        values.set(key.value, field.value);
    const uri = (values.get('uri') ?? '').replace(/^https?:\/\//, '').replace(/\/+$/, '');
    if (!values.get('root')?.startsWith('/') || uri === '' || values.has('host')) return [];
    return [{ name: uri, type: 'site', file, values: values.set('uri', uri), lists: new Map() }];
  });
}
