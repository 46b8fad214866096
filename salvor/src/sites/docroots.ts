/** Where a Composer project keeps its code base. */
export const DOCROOTS: readonly string[] = ['docroot', 'html', 'web'];

/** Directories that hosts make for the web server: they say nothing of whose site it is. */
export const DOCROOT_NAMES: ReadonlySet<string> = new Set([
  ...DOCROOTS,
  'htdocs',
  'httpdocs',
  'public',
  'public_html',
  'www',
]);
