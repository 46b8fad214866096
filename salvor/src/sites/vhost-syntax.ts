/**
 * Configuration files of nginx and Apache as words with their places: read by `read-vhosts.ts`, and changed by
 * `rewrite-vhost.ts` so that what is not meant stays as it is to the byte. Includes are not followed, conditions not
 * weighed. Every position is one of the text that was given; whoever writes it back gives one character per byte.
 */

/** The web servers whose virtual hosts are read and written. */
export type VhostKind = 'nginx' | 'apache';

export type VhostWord = {
  /** Without quotes and escapes. */
  readonly value: string;
  readonly start: number;
  readonly end: number;
};

export type VhostDirective = {
  /** Of Apache in lower case. */
  readonly name: string;
  readonly words: readonly VhostWord[];
  readonly start: number;
  readonly end: number;
  /** Which block it stands in, by its place in `blocks`; null for none. */
  readonly block: number | null;
  /** In that block itself, and not in a section of it. */
  readonly isOfBlock: boolean;
};

/** `server { … }` or `<VirtualHost …> … </VirtualHost>`: whole, and what is in it. */
export type VhostBlock = {
  readonly start: number;
  readonly bodyStart: number;
  readonly bodyEnd: number;
  readonly end: number;
};

export type VhostText = {
  readonly kind: VhostKind;
  readonly blocks: readonly VhostBlock[];
  readonly directives: readonly VhostDirective[];
};

export function parseVhostText(text: string): VhostText {
  return /<VirtualHost\b/i.test(text) ? parseApache(text) : parseNginx(text);
}

function parseNginx(text: string): VhostText {
  const blocks: VhostBlock[] = [];
  const directives: VhostDirective[] = [];
  let open: { readonly start: number; readonly bodyStart: number; readonly depth: number } | null = null;
  let depth = 0;
  let words: VhostWord[] = [];
  const end = (at: number): void => {
    const [name, ...rest] = words;
    if (name !== undefined)
      directives.push({
        name: name.value,
        words: rest,
        start: name.start,
        end: at,
        block: open === null ? null : blocks.length,
        isOfBlock: open !== null && depth === open.depth,
      });
    words = [];
  };
  for (const token of tokensOfNginx(text)) {
    const { raw, start } = token;
    if (raw === '{') {
      depth++;
      if (open === null && words.length === 1 && words[0]?.value === 'server')
        open = { start: words[0].start, bodyStart: start + 1, depth };
      words = [];
    } else if (raw === '}') {
      if (open !== null && depth === open.depth) {
        blocks.push({ start: open.start, bodyStart: open.bodyStart, bodyEnd: start, end: start + 1 });
        open = null;
      }
      depth--;
      words = [];
    } else if (raw === ';') end(start + 1);
    else words.push({ value: unquoteNginx(raw), start, end: start + raw.length });
  }
  // What stands in a block that never ends is in none.
  const isClosed = ({ block }: VhostDirective): boolean => block === null || block < blocks.length;
  return { kind: 'nginx', blocks, directives: directives.filter(isClosed) };
}

/** Words, `{`, `}` and `;`, without comments. */
function tokensOfNginx(text: string): { readonly raw: string; readonly start: number }[] {
  const pattern = /#[^\n]*|"(?:[^"\\]|\\[^])*"|'(?:[^'\\]|\\[^])*'|[{};]|(?:[^\s{};"'#\\]|\\[^])(?:[^\s{};\\]|\\[^])*/g;
  return [...text.matchAll(pattern)]
    .map((match) => ({ raw: match[0], start: match.index }))
    .filter(({ raw }) => !raw.startsWith('#'));
}

function unquoteNginx(raw: string): string {
  const bare = /^(["'])([^]*)\1$/.exec(raw)?.[2] ?? raw;
  return bare.replaceAll(/\\(["'\\trn])/g, (_, letter: string) => NGINX_ESCAPES[letter] ?? letter);
}

const NGINX_ESCAPES: Readonly<Record<string, string>> = { t: '\t', r: '\r', n: '\n' };

function parseApache(text: string): VhostText {
  const blocks: VhostBlock[] = [];
  const directives: VhostDirective[] = [];
  let open: { readonly start: number; readonly bodyStart: number } | null = null;
  let sections = 0;
  let ofBlock: VhostDirective[] = [];
  for (const { line, start } of linesOfApache(text)) {
    const blank = /^\s*/.exec(line)?.[0].length ?? 0;
    const said = line.trimEnd().slice(blank);
    const at = start + blank;
    const end = at + said.length;
    if (/^<VirtualHost\b/i.test(said)) {
      open = { start: at, bodyStart: end };
      sections = 0;
      ofBlock = [];
    } else if (/^<\/VirtualHost\s*>/i.test(said)) {
      if (open !== null) {
        directives.push(...ofBlock.map((one) => ({ ...one, block: blocks.length })));
        blocks.push({ ...open, bodyEnd: at, end });
      }
      open = null;
    } else if (open !== null && said !== '' && !said.startsWith('#')) {
      if (said.startsWith('</')) sections--;
      const words = wordsOfApache(said, at);
      const [name, ...rest] = words;
      if (name !== undefined)
        ofBlock.push({
          name: name.value.toLowerCase(),
          words: rest,
          start: at,
          end,
          block: null,
          isOfBlock: sections === 0,
        });
      if (/^<[^/]/.test(said)) sections++;
    }
  }
  return { kind: 'apache', blocks, directives };
}

/** A line that ends with a backslash goes on in the next one, which is read as a blank there. */
function linesOfApache(text: string): { readonly line: string; readonly start: number }[] {
  const joined = text.replaceAll(/\\\r?\n/g, (end) => ' '.repeat(end.length));
  return [...joined.matchAll(/[^\n]+/g)].map((match) => ({ line: match[0], start: match.index }));
}

function wordsOfApache(said: string, at: number): VhostWord[] {
  return [...said.matchAll(/"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|(\S+)/g)].map((match) => {
    const [raw, double, single, bare = ''] = match;
    const value = double?.replaceAll(/\\(["\\])/g, '$1') ?? single?.replaceAll(/\\(['\\])/g, '$1') ?? bare;
    const start = at + match.index;
    return { value, start, end: start + raw.length };
  });
}

/** A value as a word of such a file. Throws where none can hold it: ask `whyNotQuoted` before. */
export function quoteVhostWord(kind: VhostKind, value: string): string {
  const why = whyNotQuoted(kind, value);
  if (why !== null) throw new Error(`a word of ${kind} that ${why}`);
  return `"${value.replaceAll(/["\\]/g, '\\$&')}"`;
}

/** Why no word can hold a value just as it is; null where one can. nginx has no way to write a dollar sign that stands for itself. */
export function whyNotQuoted(kind: VhostKind, value: string): string | null {
  if (/[\u0000-\u001f\u007f]/.test(value)) return 'has a control character in it';
  if (kind === 'nginx' && value.includes('$')) return 'has a dollar sign in it, which nginx takes for a variable';
  if (kind === 'apache' && value.includes('${')) return 'has ${ in it, which Apache takes for a variable';
  return null;
}

/** Whether it names a host as it is: `_`, patterns and regular expressions name none. */
export function isHostName(name: string): boolean {
  return /^[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*$/.test(name) && name !== 'localhost';
}
