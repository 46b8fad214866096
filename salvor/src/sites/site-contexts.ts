/** What Aegir's contexts say of the sites of an account: where each is, whether it is switched on, its other names. */
import type { PhpFiles } from '../lib/php-reading.ts';
import { rootOf } from './find-platforms.ts';
import { type AegirContext, contextNamed } from './read-alias.ts';
import { directoryBeneath } from './read-beneath.ts';

export type SiteContext = {
  readonly uri: string;
  /** Its directory's name in `sites/`: Drupal writes the slash of a subdirectory's site as a dot. */
  readonly directory: string;
  /** The platform's root as the context has it. */
  readonly namedRoot: string | null;
  /** The code base there; null where there is none in the account's homes. */
  readonly root: string | null;
  readonly enabled: boolean | null;
  readonly aliases: readonly string[];
  readonly file: string;
};

export function siteContextsOf(
  contexts: readonly AegirContext[],
  homes: readonly string[],
  files: PhpFiles,
): readonly SiteContext[] {
  const roots = new Map<string, string | null>();
  const find = (named: string): string | null => {
    const directory = directoryBeneath(named, homes);
    return 'path' in directory ? (rootOf(directory.path, files)?.root ?? null) : null;
  };
  return contexts
    .filter(({ type }) => type === 'site')
    .map(({ name, file, values, lists }) => {
      const uri = values.get('uri') ?? name;
      const platform = contextNamed(contexts, values.get('platform'));
      const namedRoot = values.get('root') ?? platform?.values.get('root') ?? null;
      if (namedRoot !== null && !roots.has(namedRoot)) roots.set(namedRoot, find(namedRoot));
      const enabled = values.get('site_enabled');
      return {
        uri,
        directory: uri.replaceAll('/', '.'),
        namedRoot,
        root: namedRoot === null ? null : (roots.get(namedRoot) ?? null),
        enabled: enabled === undefined ? null : !['', '0', 'false'].includes(enabled),
        aliases: lists.get('aliases') ?? [],
        file,
      };
    });
}
