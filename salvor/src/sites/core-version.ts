/** Which system a code base carries and of which version, as the core's own files say it. */
import { evaluatePhp } from '../lib/php-evaluate.ts';
import type { PhpFiles } from '../lib/php-reading.ts';
import { toText } from '../lib/php-values.ts';
import type { Cms } from './site.ts';

export type Core = { readonly cms: Cms; readonly version: string | null };

/** Null for a directory that is no code base of a system that is known here. */
export function readCore(root: string, files: PhpFiles): Core | null {
  for (const { cms, file, value } of CORES) {
    const path = `${root}/${file}`;
    if (files.probe(path) !== 'file') continue;
    // Core files are large and mostly functions, which are skipped; a file that is damaged says no version.
    const result = evaluatePhp(path, {
      files: { ...files, read: (wanted) => (wanted === path ? files.read(path) : { kind: 'missing' }) },
    });
    const read = value(result);
    return { cms, version: typeof read === 'string' ? toText(read) : null };
  }
  return null;
}

type Read = Pick<ReturnType<typeof evaluatePhp>, 'variables' | 'constants'>;

const CORES: readonly { readonly cms: Cms; readonly file: string; readonly value: (read: Read) => unknown }[] = [
  { cms: 'drupal', file: 'core/lib/Drupal.php', value: ({ constants }) => constants.get('drupal::VERSION') },
  { cms: 'drupal', file: 'includes/bootstrap.inc', value: ({ constants }) => constants.get('VERSION') },
  { cms: 'wordpress', file: 'wp-includes/version.php', value: ({ variables }) => variables.get('wp_version') },
];
