/**
 * Aegir's `sites/<uri>/drushrc.php`: the site's context with its database log-in. Aegir url-decodes
 * what it reads there before it writes settings or connects, and so does this.
 */
import { evaluatePhp, valueAt } from '../lib/php-evaluate.ts';
import { percentDecode } from '../lib/php-functions.ts';
import type { PhpFiles } from '../lib/php-reading.ts';
import { PhpArray, toText, Unresolved } from '../lib/php-values.ts';
import type { PhpKey, PhpValue } from '../lib/php-values.ts';
import type { SiteProblem } from './site.ts';
import { problemsOf } from './settings-problems.ts';

export const CREDENTIAL_KEYS = ['db_type', 'db_name', 'db_user', 'db_passwd', 'db_host', 'db_port'] as const;

export type Drushrc = {
  /** The log-in as the web server hands it to cloaked settings; empty where there is no drushrc.php. */
  readonly credentials: ReadonlyMap<string, PhpValue>;
  /** The site that the file was written for; null where it does not say. */
  readonly uri: string | null;
  readonly problems: readonly SiteProblem[];
};

export function readDrushrc(sitePath: string, files: PhpFiles): Drushrc {
  const path = `${sitePath}/drushrc.php`;
  if (files.probe(path) === 'missing') return { credentials: new Map(), uri: null, problems: [] };
  const result = evaluatePhp(path, { files, variables: { options: PhpArray.empty } });
  const credentials = new Map<string, PhpValue>();
  for (const key of CREDENTIAL_KEYS) {
    const value = valueAt(result.variables.get('options'), key);
    if (value !== undefined && value !== null)
      credentials.set(key, typeof value === 'string' ? urlDecode(value) : value);
  }
  const uri = valueAt(result.variables.get('options'), 'uri');
  return { credentials, uri: typeof uri === 'string' ? toText(uri) : null, problems: problemsOf(result.notes, files) };
}

/** `$_SERVER` of a request to the site, as far as it is known: `drushrc.php` says it before the virtual host does. */
export function serverOf(drushrc: Drushrc, environment: ReadonlyMap<string, string> = new Map()): PhpArray {
  const rest = new Unresolved('comes from the request or the web server’s configuration', '', 0);
  return new PhpArray(new Map<PhpKey, PhpValue>([...environment, ...drushrc.credentials]), rest);
}

function urlDecode(value: string): string {
  return percentDecode(value.replaceAll('+', ' '));
}
