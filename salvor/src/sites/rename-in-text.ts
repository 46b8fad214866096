/**
 * Puts a site's new name and place where the old ones stand in a text of its settings: in paths (`sites/old`, the site's
 * directory, what was moved out of it) and in links (`//old`). What belongs to somebody else is left: the same name below
 * another code base or on another host, and a longer name. Pure; texts have one character per byte.
 */

/** Of a clone, a rename or a migration: what the site was called and where it lay, and what it is going to be. */
export type Naming = {
  readonly uri: { readonly from: string; readonly to: string };
  /** Names that become the new one too, each with its port where it has one: of a site that is called by its path. */
  readonly hosts?: readonly string[];
  /** What it is called below `sites/`, where that is not its name; null where it lies in no such directory. */
  readonly directory?: { readonly from: string; readonly to: string } | null;
  /** The platform's root, absolute and without links. */
  readonly root: { readonly from: string; readonly to: string };
  /** The site's directory, absolute. */
  readonly path: { readonly from: string; readonly to: string };
  /** Absolute paths that change with the site: `static/files/<uri>.files`. */
  readonly moved: readonly { readonly from: string; readonly to: string }[];
  /** Further names of the old site: links to its paths by these are its own too. */
  readonly aliases: readonly string[];
  /** The platform's Aegir context, without `@`, and the root that it names; null where there is none. */
  readonly context: { readonly from: PlatformContext; readonly to: PlatformContext } | null;
};

/** Of a code base of Composer's the root may be the directory around the docroot. */
export type PlatformContext = { readonly name: string; readonly root: string };

/** What may follow a name: not what would make it a longer one (a dot that ends a sentence may). */
const NAME_END = String.raw`(?![A-Za-z0-9_-]|\.[A-Za-z0-9])`;
/** Before a path in a text: back to where the text that it belongs to begins. */
const HEAD_START = /^[\s\S]*[\s"'`<>()[\]{},;=|]/;
/** More than anything has before `sites/`. */
const MAX_HEAD = 4096;

/** The text with the new name; the same where nothing was to do. */
export function renameInText(text: string, naming: Naming): string {
  const { uri, path, moved, aliases, context } = naming;
  const directory = naming.directory === undefined ? uri : naming.directory;
  const below = ({ root }: PlatformContext, name: string): string => `${root}/sites/${name}`;
  const ofContext =
    context === null || directory === null
      ? []
      : [{ from: below(context.from, directory.from), to: below(context.to, directory.to) }];
  const absolute = [path, ...moved, ...ofContext]
    .filter(({ from, to }) => from !== to)
    .toSorted((a, b) => b.from.length - a.from.length);
  const names = oldNamesOf(naming);
  const patterns = absolute.map(({ from }) => String.raw`(?<![A-Za-z0-9_./-])${escapePattern(from)}${NAME_END}`);
  if (directory !== null && directory.from !== directory.to)
    patterns.push(String.raw`(?<![A-Za-z0-9_.-])sites/${escapePattern(directory.from)}${NAME_END}`);
  if (names.length > 0)
    patterns.push(String.raw`(?<![A-Za-z0-9_./-])//(?:${names.map(escapePattern).join('|')})${NAME_END}`);
  if (patterns.length === 0) return text;
  const own = new Set([uri.from, ...names, ...aliases].map((name) => name.toLowerCase()));
  return text.replace(new RegExp(patterns.join('|'), 'g'), (found, ...rest: unknown[]) => {
    const place = absolute.find(({ from }) => from === found);
    if (place !== undefined) return place.to;
    if (found.startsWith('//')) return `//${uri.to}`;
    return isOwnPath(text, rest.at(-2) as number, own) ? `sites/${directory?.to ?? uri.to}` : found;
  });
}

/** Those that become the new one, the longest first: one may be the beginning of another. */
export function oldNamesOf({ uri, hosts = [] }: Pick<Naming, 'uri' | 'hosts'>): readonly string[] {
  const all = [...new Set([uri.from, ...hosts])].filter((name) => name !== uri.to);
  return all.toSorted((a, b) => b.length - a.length);
}

/** Whether `sites/old` at `at` is no path of another code base or host. */
function isOwnPath(text: string, at: number, own: ReadonlySet<string>): boolean {
  const head = text.slice(Math.max(0, at - MAX_HEAD), at).replace(HEAD_START, '');
  const [, host, port] = /^(?:[A-Za-z][A-Za-z0-9+.-]*:)?\/\/(?:[^/@]*@)?([A-Za-z0-9.-]+)(?::(\d+))?/.exec(head) ?? [];
  if (host !== undefined) return isOwnHost(own, host, port);
  // `/sites/old` is a path of the site's pages, or goes on behind a root; other absolute paths are told by `Naming`.
  return head === '/' || !head.startsWith('/');
}

/** Whether a link leads to one of the names, which are in small letters; one for a port alone stands there as `name:80` or, of `sites.php`, `80.name`. */
export function isOwnHost(own: ReadonlySet<string>, host: string, port: string | undefined): boolean {
  const name = host.toLowerCase();
  return own.has(name) || (port !== undefined && (own.has(`${name}:${port}`) || own.has(`${port}.${name}`)));
}

/** The pattern by which a text holds the old name, and no longer one. */
export function nameInText(name: string): RegExp {
  return new RegExp(String.raw`(?<![A-Za-z0-9_-]|[A-Za-z0-9]\.)${escapePattern(name)}${NAME_END}`);
}

export function escapePattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}
