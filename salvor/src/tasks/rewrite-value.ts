/**
 * Puts a site's new name where its old one stands in a stored value: in paths (`sites/old/files`) and in links
 * (`//old/…`), in plain text, JSON, and values that PHP serialised, in whatever way the slashes are written. What
 * belongs to somebody else is left: another host's `sites/old`, another site's directory, a mail address, a longer name.
 * Pure, and on bytes: a value's character set does not matter, as names of sites are ASCII.
 */
import { looksSerialised, rewriteSerialised } from '../lib/php-serialised.ts';

export type Renaming = {
  readonly oldUri: string;
  readonly newUri: string;
  /** Further names of the old site: links to its paths by these are its own too. */
  readonly aliases: readonly string[];
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
  if (!value.includes(renaming.oldUri)) return { value, ...counts };
  const rewritten = rewriteAny(value, compile(renaming), counts, 0);
  return { value: counts.replaced === 0 ? value : rewritten, ...counts };
}

type Counts = { replaced: number; foreign: number; isDamaged: boolean };
type Patterns = { readonly place: RegExp; readonly renaming: Renaming; readonly own: ReadonlySet<string> };

/** Serialised values in texts of serialised values: Drupal and WordPress nest a few deep. */
const MAX_NESTING = 8;

function compile(renaming: Renaming): Patterns {
  const old = escapePattern(renaming.oldUri);
  const path = String.raw`(?<path>(?<![A-Za-z0-9_.-])sites${SLASH})${old}${NAME_END}`;
  const link = String.raw`(?<link>${SLASH}${SLASH})${old}${NAME_END}`;
  const own = new Set([renaming.oldUri, ...renaming.aliases].map((name) => name.toLowerCase()));
  return { place: new RegExp(`${path}|${link}`, 'g'), renaming, own };
}

function rewriteAny(value: Buffer, patterns: Patterns, counts: Counts, nesting: number): Buffer {
  if (!value.includes(patterns.renaming.oldUri)) return value;
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
    const groups = found.at(-1) as { readonly path?: string; readonly link?: string };
    const at = found.at(-3) as number;
    if (groups.path !== undefined && isForeign(text, at, own)) {
      counts.foreign += 1;
      return found[0] as string;
    }
    counts.replaced += 1;
    return `${groups.path ?? groups.link ?? ''}${renaming.newUri}`;
  });
  return Buffer.from(rewritten, 'latin1');
}

/** Whether the path at `at` is one of a link to a host that is not the site. */
function isForeign(text: string, at: number, own: ReadonlySet<string>): boolean {
  const head = text.slice(Math.max(0, at - MAX_LINK_HEAD), at).replace(LINK_START, '');
  const host = new RegExp(`^(?:[A-Za-z][A-Za-z0-9+.-]*:)?${SLASH}${SLASH}(?:[^/@\\\\]*@)?([A-Za-z0-9.-]+)`).exec(
    head,
  )?.[1];
  return host !== undefined && !own.has(host.toLowerCase());
}

function escapePattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}
