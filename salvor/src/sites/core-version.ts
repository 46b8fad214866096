/**
 * Which system a code base carries and of which version, as the core's own files say it. Core files are large and say it
 * in one line of a fixed form, so that line is looked for and the file is not parsed.
 */
import type { PhpFiles } from '../lib/php-reading.ts';
import type { Cms } from './site.ts';

export type Core = { readonly cms: Cms; readonly version: string | null };

type Mark = { readonly cms: Cms; readonly file: string; readonly version: RegExp };

/** The first whose file is there decides: Drupal 8 and later has Backdrop's file too. */
const MARKS: readonly Mark[] = [
  { cms: 'drupal', file: 'core/lib/Drupal.php', version: /^\s*const\s+VERSION\s*=\s*['"]([\w.+-]{1,40})['"]/m },
  {
    cms: 'backdrop',
    file: 'core/includes/bootstrap.inc',
    version: /^\s*define\(\s*['"]BACKDROP_VERSION['"]\s*,\s*['"]([\w.+-]{1,40})['"]/m,
  },
  {
    cms: 'drupal',
    file: 'includes/bootstrap.inc',
    version: /^\s*define\(\s*['"]VERSION['"]\s*,\s*['"]([\w.+-]{1,40})['"]/m,
  },
  { cms: 'wordpress', file: 'wp-includes/version.php', version: /^\s*\$wp_version\s*=\s*['"]([\w.+-]{1,40})['"]/m },
];

/** Up to Drupal 6 the version stands with the system module. */
const OLD_DRUPAL: Mark = {
  cms: 'drupal',
  file: 'modules/system/system.module',
  version: /^\s*define\(\s*['"]VERSION['"]\s*,\s*['"]([\w.+-]{1,40})['"]/m,
};

/** Null for a directory that is no code base of a system that is known here. */
export function readCore(root: string, files: PhpFiles): Core | null {
  const mark = MARKS.find(({ file }) => files.probe(`${root}/${file}`) === 'file');
  if (mark === undefined) return null;
  const version = readVersion(root, mark, files);
  const isOld = version === null && mark.file === 'includes/bootstrap.inc';
  return { cms: mark.cms, version: isOld ? readVersion(root, OLD_DRUPAL, files) : version };
}

function readVersion(root: string, { file, version }: Mark, files: PhpFiles): string | null {
  const read = files.read(`${root}/${file}`);
  return read.kind === 'read' ? (version.exec(Buffer.from(read.bytes).toString('latin1'))?.[1] ?? null) : null;
}
