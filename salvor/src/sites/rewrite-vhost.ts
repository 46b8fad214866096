/**
 * The virtual host of a site as that of the same site under another name, at another place or with another log-in:
 * words are replaced, and everything else stays as it is to the byte. Pure on texts of one character per byte.
 */
import { type VhostBlock, type VhostDirective, type VhostText, type VhostWord, isHostName } from './vhost-syntax.ts';
import { parseVhostText, quoteVhostWord, whyNotQuoted } from './vhost-syntax.ts';

export type VhostChanges = {
  readonly uri: { readonly from: string; readonly to: string };
  /** The document root. */
  readonly root: { readonly from: string; readonly to: string };
  /** All names that the site answers to from now on; others in the file are somebody else's, and go. */
  readonly names: readonly string[];
  /** Values of what scripts are handed, of those that the file has. */
  readonly environment: ReadonlyMap<string, string>;
  /** The original goes on: there can be one default server only. */
  readonly isCopy: boolean;
};

export type RewrittenVhost = {
  readonly text: string;
  /** How many words were replaced or taken out. */
  readonly places: number;
  /** Lines that go on naming the old site: certificates, logs and the like, which a person has to look at. */
  readonly mentions: readonly { readonly line: number; readonly text: string }[];
  /** Why the text can't be used; null where it can. */
  readonly refused: string | null;
};

type Edit = { readonly start: number; readonly end: number; readonly text: string };

export function rewriteVhost(text: string, changes: VhostChanges): RewrittenVhost {
  const parsed = parseVhostText(text);
  if (parsed.blocks.length === 0) return refuse(text, 'there is no virtual host in it');
  for (const value of [changes.root.to, ...changes.environment.values()]) {
    const why = whyNotQuoted(parsed.kind, value);
    if (why !== null) return refuse(text, `a value for it ${why}`);
  }
  const edits: Edit[] = [];
  const gone = new Set<number>();
  for (const [index, block] of parsed.blocks.entries()) {
    const own = parsed.directives.filter((directive) => directive.block === index);
    const named = own.flatMap((directive) => namesOf(parsed, directive));
    const kept = named.map((word) => mapName(word.value, changes)).filter((name) => changes.names.includes(name));
    // It was of names only that the site has not any more.
    if (named.length > 0 && kept.length === 0) {
      gone.add(index);
      edits.push(cutOut(text, block));
    } else edits.push(...editsOf(parsed, own, changes));
  }
  if (gone.size === parsed.blocks.length) return refuse(text, 'none of its virtual hosts has a name of the site');
  const written = apply(text, edits);
  return {
    text: written,
    places: edits.length,
    mentions: changes.uri.from === changes.uri.to ? [] : findMentions(written, changes.uri.from),
    refused: checkRewritten(written, changes),
  };
}

function refuse(text: string, refused: string): RewrittenVhost {
  return { text, places: 0, mentions: [], refused };
}

function namesOf({ kind }: VhostText, { name, words, isOfBlock }: VhostDirective): readonly VhostWord[] {
  const isNames =
    kind === 'nginx' ? name === 'server_name' && isOfBlock : name === 'servername' || name === 'serveralias';
  return isNames ? words.filter(({ value }) => isHostName(value)) : [];
}

/** With `www.` before it as without. */
function mapName(name: string, { uri }: VhostChanges): string {
  const lower = name.toLowerCase();
  if (lower === uri.from) return uri.to;
  return lower === `www.${uri.from}` ? `www.${uri.to}` : lower;
}

function editsOf(parsed: VhostText, directives: readonly VhostDirective[], changes: VhostChanges): readonly Edit[] {
  return directives.flatMap((directive) => {
    const names = namesOf(parsed, directive);
    if (names.length > 0) return editNames(parsed, directive, names, changes);
    const isParameter = directive.name === 'fastcgi_param' || directive.name === 'setenv';
    const value = isParameter ? changes.environment.get(directive.words[0]?.value ?? '') : undefined;
    const [, word] = directive.words;
    if (value !== undefined && word !== undefined) return replace(parsed, word, value);
    return directive.words.flatMap((one) => editWord(parsed, directive, one, changes));
  });
}

function editNames(
  { kind }: VhostText,
  { name, start, end, words }: VhostDirective,
  names: readonly VhostWord[],
  changes: VhostChanges,
): readonly Edit[] {
  const edits = names.flatMap((word): Edit[] => {
    const mapped = mapName(word.value, changes);
    if (!changes.names.includes(mapped)) return [{ start: word.start - 1, end: word.end, text: '' }];
    return mapped === word.value.toLowerCase() ? [] : [{ start: word.start, end: word.end, text: mapped }];
  });
  const isEmpty = words.every((word) => edits.some((edit) => edit.text === '' && edit.end === word.end));
  if (!isEmpty) return edits;
  // Without a name Apache takes the line for a mistake; the name of the site itself is always there.
  return [{ start, end, text: kind === 'apache' && name === 'servername' ? `ServerName ${changes.uri.to}` : '' }];
}

function editWord(
  parsed: VhostText,
  { name }: VhostDirective,
  word: VhostWord,
  { uri, root, isCopy }: VhostChanges,
): readonly Edit[] {
  const { value } = word;
  if (isCopy && name === 'listen' && value === 'default_server')
    return [{ start: word.start - 1, end: word.end, text: '' }];
  if (value === uri.from) return replace(parsed, word, uri.to);
  if (/^(?:root|documentroot|<directory)$/.test(name)) {
    const isTag = value.endsWith('>');
    const path = isTag ? value.slice(0, -1) : value;
    const below = path === root.from ? '' : path.startsWith(`${root.from}/`) ? path.slice(root.from.length) : null;
    if (below === null || root.from === root.to) return [];
    return replace(parsed, word, `${root.to}${below}`, isTag ? '>' : '');
  }
  // Where a visitor is sent to, whatever follows: a path, a port, a variable.
  const address = new RegExp(`(://(?:www\\.)?)${escapePattern(uri.from)}(?=$|[/:$?])`, 'i');
  return uri.from !== uri.to && address.test(value)
    ? [
        {
          start: word.start,
          end: word.end,
          text: `"${value.replace(address, (_, before: string) => before + uri.to).replaceAll(/["\\]/g, '\\$&')}"`,
        },
      ]
    : [];
}

function replace({ kind }: VhostText, { value, start, end }: VhostWord, text: string, after = ''): readonly Edit[] {
  return value === text ? [] : [{ start, end, text: quoteVhostWord(kind, text) + after }];
}

/** With the rest of its line, where nothing else stands there. */
function cutOut(text: string, { start, end }: VhostBlock): Edit {
  return { start, end: text[end] === '\n' ? end + 1 : end, text: '' };
}

function apply(text: string, edits: readonly Edit[]): string {
  return edits
    .toSorted((one, other) => other.start - one.start)
    .reduce((changed, edit) => changed.slice(0, edit.start) + edit.text + changed.slice(edit.end), text);
}

/** Read again: it must say what was wanted and name nobody else. */
function checkRewritten(text: string, changes: VhostChanges): string | null {
  const { kind, blocks, directives } = parseVhostText(text);
  if (blocks.length === 0) return 'it can’t be read any more when it is rewritten';
  const named = directives.flatMap((one) => namesOf({ kind, blocks, directives }, one).map(({ value }) => value));
  const foreign = named.find((name) => !changes.names.includes(name.toLowerCase()));
  if (foreign !== undefined) return `it goes on answering to ${foreign}`;
  if (!named.some((name) => name.toLowerCase() === changes.uri.to)) return `it does not answer to ${changes.uri.to}`;
  for (const { name, words } of directives) {
    const wanted = changes.environment.get(words[0]?.value ?? '');
    if (name !== 'fastcgi_param' && name !== 'setenv') continue;
    if (wanted !== undefined && words[1]?.value !== wanted) return `it does not hand on ${words[0]?.value ?? ''}`;
  }
  return null;
}

function findMentions(text: string, uri: string): readonly { readonly line: number; readonly text: string }[] {
  const mention = new RegExp(`(?<![A-Za-z0-9.-])${escapePattern(uri)}(?![A-Za-z0-9-]|\\.[A-Za-z0-9])`, 'i');
  return text
    .split('\n')
    .map((line, index) => ({ line: index + 1, text: line.trim() }))
    .filter((one) => !one.text.startsWith('#') && mention.test(one.text) && !/db_passwd/.test(one.text));
}

function escapePattern(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
