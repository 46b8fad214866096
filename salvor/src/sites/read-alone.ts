/** What one settings file says by itself at the site's new place, worked out as PHP would. */
import { type PhpResult, evaluatePhp, valueAt } from '../lib/php-evaluate.ts';
import { fromText, PhpArray, Unresolved } from '../lib/php-values.ts';
import type { PhpKey, PhpValue } from '../lib/php-values.ts';
import { serverParts } from './cloaked-login.ts';
import { type SettingsChanges, isDrushrc } from './settings-changes.ts';

/** Files that it includes are read by themselves; here they are missing. */
export function readAlone(path: string, bytes: Uint8Array, { naming, connections }: SettingsChanges): PhpResult {
  const root = fromText(naming.root.to);
  const sitePath = naming.path.to.startsWith(`${naming.root.to}/`)
    ? naming.path.to.slice(naming.root.to.length + 1)
    : naming.path.to;
  return evaluatePhp(path, {
    files: {
      read: (wanted) => (wanted === path ? { kind: 'read', path, bytes } : { kind: 'missing' }),
      probe: (wanted) => (wanted === path ? 'file' : 'missing'),
    },
    workingDirectory: naming.root.to,
    // What the web server's environment would give to cloaked settings.
    server: isDrushrc(path) ? PhpArray.empty : serverParts(connections),
    variables: {
      ...Object.fromEntries(
        ['databases', 'settings', 'conf', 'config', 'options', 'aliases', 'sites'].map((name) => [
          name,
          PhpArray.empty,
        ]),
      ),
      app_root: root,
      site_path: fromText(sitePath),
    },
    constants: { DRUPAL_ROOT: root, BACKDROP_ROOT: root, ABSPATH: `${root}/` },
  });
}

/** The database that `$databases[key][target]` names, one character per byte; null where it names none. */
export function namesConnection({ variables }: PhpResult, keys: readonly (string | null)[]): string | null {
  if (keys.includes(null)) return null;
  let at: PhpValue | undefined = variables.get('databases');
  for (const key of keys) at = at instanceof PhpArray ? (at.get(keyOf(key ?? '')) ?? undefined) : undefined;
  const name = valueAt(at instanceof Unresolved ? undefined : at, 'database');
  return typeof name === 'string' ? name : null;
}

function keyOf(text: string): PhpKey {
  return /^(?:0|[1-9]\d{0,8})$/.test(text) ? BigInt(text) : text;
}
