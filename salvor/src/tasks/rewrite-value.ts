/**
 * Puts a site's new name where its old one stands in a stored value: in paths (`sites/old/files`) and in links
 * (`//old/…`), in plain text, JSON, and values that PHP serialised, in whatever way the slashes are written. What
 * belongs to somebody else is left: another host's `sites/old`, another site's directory, a mail address, a longer name.
 * Pure, and on bytes: a value's character set does not matter, as names of sites are ASCII.
 */
import { looksSerialised, rewriteSerialised } from '../lib/php-serialised.ts';
import { escapePattern, isOwnHost } from '../sites/rename-in-text.ts';

export type Renaming = {
  readonly oldUri: string;
  readonly newUri: string;
  /** Further names of the old site: links to its paths by these are its own too. */
  readonly aliases: readonly string[];
  /** Names that become the new one too, each with its port where it has one: of a site that is called by its path. */
  readonly hosts?: readonly string[];
  /** What it is called below `sites/`, where that is not its name; null where it lies in no such directory. */
  readonly directory?: { readonly from: string; readonly to: string } | null;
  /** Its directory, absolute, where paths of that are told apart from those of other code. */
  readonly place?: { readonly from: string; readonly to: string };
};

export type RewrittenValue = {
  readonly value: Buffer;
  /** How often something was replaced. */
  readonly replaced: number;
  /** How often `sites/old` was left because it is a path of another host. */
  readonly foreign: number;
  /** It looks like a serialised value and is none: it was left as it is, although it holds the name. */
  readonly isDamaged: boolean;
};

/** `/` as texts, JSON, JSON in JSON and URLs write it. */
const SLASH = String.raw`(?:/|\\{1,3}/|%2[Ff]|\\u002[Ff])`;
/** What may follow a name: not a letter, digit, dot or dash that would make it a longer one (a dot that ends a sentence may). */
const NAME_END = String.raw`(?![A-Za-z0-9_-]|\.[A-Za-z0-9])`;
/** Before a path that stands alone or in a link: back to where the text that it belongs to begins. */
const LINK_START = /^[\s\S]*[\s"'`<>()[\]{},;=|]/;
/** More than a link has before its path. */
const MAX_LINK_HEAD = 400;

/** The value with the new name; the same buffer where nothing was to do. */
export function rewriteValue(value: Buffer, renaming: Renaming): RewrittenValue {
  const counts = { replaced: 0, foreign: 0, isDamaged: false };
  const patterns = compile(renaming);
  if (!mayHold(value, patterns)) return { value, ...counts };
  const rewritten = rewriteAny(value, patterns, counts, 0);
  return { value: counts.replaced === 0 ? value : rewritten, ...counts };
}

type Counts = { replaced: number; foreign: number; isDamaged: boolean };
type Patterns = {
  readonly place: RegExp;
  readonly needles: readonly (readonly string[])[];
  readonly renaming: Renaming;
  readonly own: ReadonlySet<string>;
};

/** What a value must hold to be looked at: all pieces of one of these, in order. None where nothing changes. */
export function needlesOf(renaming: Renaming): readonly (readonly string[])[] {
  const { directory, place } = renaming;
  return [
    ...hostsOf(renaming).map((host) => [host]),
    ...(directory === undefined || directory === null || directory.from === directory.to
      ? []
      : [['sites', directory.from]]),
    ...(place === undefined || place.from === place.to ? [] : [place.from.split('/').filter((part) => part !== '')]),
  ];
}

/** The longest first: one may be the beginning of another. */
function hostsOf({ oldUri, newUri, hosts = [] }: Renaming): readonly string[] {
  const all = [...new Set([oldUri, ...hosts])].filter((host) => host !== newUri);
  return all.toSorted((a, b) => b.length - a.length);
}

function mayHold(value: Buffer, { needles }: Pick<Patterns, 'needles'>): boolean {
  return needles.some((pieces) => pieces.every((piece) => value.includes(piece)));
}

/** Serialised values in texts of serialised values: Drupal and WordPress nest a few deep. */
const MAX_NESTING = 8;

function compile(renaming: Renaming): Patterns {
  const { oldUri, newUri, hosts = [], aliases, place } = renaming;
  const directory = renaming.directory === undefined ? { from: oldUri, to: newUri } : renaming.directory;
  const names = hostsOf(renaming).map(escapePattern);
  const patterns: string[] = [];
  if (place !== undefined && place.from !== place.to) {
    const parts = place.from.split('/').slice(1).map(escapePattern);
    patterns.push(String.raw`(?<![A-Za-z0-9_.\/-]|%2[Ff])(?<slash>${SLASH})${parts.join(SLASH)}${NAME_END}`);
  }
  if (directory !== null && directory.from !== directory.to)
    patterns.push(String.raw`(?<path>(?<![A-Za-z0-9_.-])sites${SLASH})${escapePattern(directory.from)}${NAME_END}`);
  if (names.length > 0) patterns.push(String.raw`(?<link>${SLASH}${SLASH})(?:${names.join('|')})${NAME_END}`);
  const own = new Set([oldUri, ...hosts, ...aliases].map((name) => name.toLowerCase()));
  return { place: new RegExp(patterns.join('|') || '(?!)', 'g'), needles: needlesOf(renaming), renaming, own };
}

function rewriteAny(value: Buffer, patterns: Patterns, counts: Counts, nesting: number): Buffer {
  if (!mayHold(value, patterns)) return value;
  if (nesting < MAX_NESTING && looksSerialised(value)) {
    const inner = rewriteSerialised(value, (text) => rewriteAny(text, patterns, counts, nesting + 1));
    if (inner !== null) return inner;
    counts.isDamaged = true;
    return value;
  }
  return rewriteText(value, patterns, counts);
}

function rewriteText(value: Buffer, { place, renaming, own }: Patterns, counts: Counts): Buffer {
  // One letter is one byte in latin1, whatever the bytes mean.
  const text = value.toString('latin1');
  const rewritten = text.replace(place, (...found: unknown[]) => {
    const groups = found.at(-1) as { readonly path?: string; readonly link?: string; readonly slash?: string };
    const at = found.at(-3) as number;
    if (groups.path !== undefined && isForeign(text, at, renaming, own)) {
      counts.foreign += 1;
      return found[0] as string;
    }
    counts.replaced += 1;
    if (groups.slash !== undefined) return (renaming.place?.to ?? '').replaceAll('/', () => groups.slash ?? '/');
    if (groups.path !== undefined) return groups.path + (renaming.directory?.to ?? renaming.newUri);
    return `${groups.link ?? ''}${renaming.newUri}`;
  });
  return Buffer.from(rewritten, 'latin1');
}

/** Whether the path at `at` is one of a link to a host that is not the site, or of a name that every code base has. */
function isForeign(text: string, at: number, { directory }: Renaming, own: ReadonlySet<string>): boolean {
  const head = text.slice(Math.max(0, at - MAX_LINK_HEAD), at).replace(LINK_START, '');
  const link = new RegExp(`^(?:[A-Za-z][A-Za-z0-9+.-]*:)?${SLASH}${SLASH}(?:[^/@\\\\]*@)?([A-Za-z0-9.-]+)(?::(\\d+))?`);
  const [, host, port] = link.exec(head) ?? [];
  if (host !== undefined) return !isOwnHost(own, host, port);
  // Its own place was taken before: what is left is below another root.
  return directory !== undefined && new RegExp(`^${SLASH}.`).test(head) && !new RegExp(`^${SLASH}$`).test(head);
}
