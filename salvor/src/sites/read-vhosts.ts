/**
 * What virtual hosts say of sites: the names that a docroot is served by, and the log-in that cloaked settings are handed
 * (`fastcgi_param` of nginx, `SetEnv` of Apache). Aegir writes one file per site into the account's home; a host of plain
 * sites keeps its own in /etc. Includes are not followed and conditions not weighed: this is evidence, and what it says
 * of a site is taken for no other docroot than the one that the file names.
 */
import type { PhpFiles } from '../lib/php-reading.ts';
import { fromText } from '../lib/php-values.ts';
import { listDirectory } from './list-directory.ts';

export type VirtualHost = {
  readonly file: string;
  /** Lower case, without patterns. */
  readonly names: readonly string[];
  /** As the file has it; null where it names none. */
  readonly root: string | null;
  /** What scripts are handed, with one character per byte as PHP has it. */
  readonly environment: ReadonlyMap<string, string>;
};

/** Hosts have some hundreds; a tenant's home may have any number. */
const MAX_FILES = 10_000;

/** The virtual hosts in all files of some directories (absolute, without links). Links to files are followed as `files` allows. */
export function readVhosts(directories: readonly string[], files: PhpFiles): VirtualHost[] {
  return directories.flatMap((directory) => {
    const listed = listDirectory(directory);
    if ('refused' in listed) return [];
    const names = [...listed.names].filter((name) => !name.startsWith('.') && !listed.directories.includes(name));
    return names
      .sort()
      .slice(0, MAX_FILES)
      .flatMap((name) => {
        const read = files.read(`${directory}/${name}`);
        return read.kind === 'read' ? parseVhosts(Buffer.from(read.bytes).toString('utf8'), read.path) : [];
      });
  });
}

/** Virtual hosts in the text of one file, of nginx or Apache. */
export function parseVhosts(text: string, file: string): VirtualHost[] {
  return /<VirtualHost\b/i.test(text) ? parseApache(text, file) : parseNginx(text, file);
}

type Draft = { names: string[]; root: string | null; environment: Map<string, string> };

function parseNginx(text: string, file: string): VirtualHost[] {
  const found: VirtualHost[] = [];
  let server: Draft | null = null;
  let depth = 0;
  let depthOfServer = 0;
  let words: string[] = [];
  for (const token of tokensOfNginx(text)) {
    if (token === '{') {
      depth++;
      if (words[0] === 'server' && words.length === 1 && server === null) {
        server = { names: [], root: null, environment: new Map() };
        depthOfServer = depth;
      }
      words = [];
    } else if (token === '}') {
      if (server !== null && depth === depthOfServer) {
        found.push({ file, ...server });
        server = null;
      }
      depth--;
      words = [];
    } else if (token === ';') {
      if (server !== null) takeNginx(words, depth === depthOfServer, server);
      words = [];
    } else words.push(token.replace(/^(["'])([^]*)\1$/, '$2'));
  }
  return found;
}

function takeNginx([directive, ...words]: readonly string[], isOfServer: boolean, server: Draft): void {
  if (directive === 'server_name' && isOfServer)
    server.names.push(...words.filter(isPlainName).map((name) => name.toLowerCase()));
  else if (directive === 'root' && isOfServer) server.root = words[0] ?? null;
  // In a location it is what the scripts of the whole host get, in every set-up seen.
  else if (directive === 'fastcgi_param' && words[0] !== undefined && words[1] !== undefined && !words[1].includes('$'))
    server.environment.set(words[0], words[1]);
}

/** Words, `{`, `}` and `;` of an nginx configuration, without comments. Quoted words keep their quotes. */
function tokensOfNginx(text: string): string[] {
  return [...text.matchAll(/#[^\n]*|"(?:[^"\\]|\\[^])*"|'(?:[^'\\]|\\[^])*'|[{};]|[^\s{};"'#][^\s{};]*/g)]
    .map(([token]) => token)
    .filter((token) => !token.startsWith('#'));
}

function parseApache(text: string, file: string): VirtualHost[] {
  const found: VirtualHost[] = [];
  let host: Draft | null = null;
  for (const raw of text.replace(/\\\r?\n/g, ' ').split('\n')) {
    const line = raw.trim();
    if (/^<VirtualHost\b/i.test(line)) host = { names: [], root: null, environment: new Map() };
    else if (/^<\/VirtualHost\s*>/i.test(line)) {
      if (host !== null) found.push({ file, ...host });
      host = null;
    } else if (host !== null && !line.startsWith('#')) takeApache(line, host);
  }
  return found;
}

function takeApache(line: string, host: Draft): void {
  const words = [...line.matchAll(/"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|(\S+)/g)].map(
    ([, double, single, bare]) => double?.replace(/\\(["\\])/g, '$1') ?? single ?? bare ?? '',
  );
  const [directive = '', ...values] = words;
  switch (directive.toLowerCase()) {
    case 'servername':
    case 'serveralias':
      host.names.push(
        ...values
          .map((name) =>
            name
              .toLowerCase()
              .replace(/^\w+:\/\//, '')
              .replace(/:\d+$/, ''),
          )
          .filter(isPlainName),
      );
      return;
    case 'documentroot':
      host.root = values[0] ?? null;
      return;
    case 'setenv':
      if (values[0] !== undefined) host.environment.set(values[0], values[1] ?? '');
      return;
    default:
  }
}

/** `_`, patterns and regular expressions name no host. */
function isPlainName(name: string): boolean {
  return /^[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*$/.test(name) && name !== 'localhost';
}

const CREDENTIAL_KEYS = ['db_type', 'db_name', 'db_user', 'db_passwd', 'db_host', 'db_port'] as const;

/**
 * The log-in that a virtual host hands to cloaked settings, as PHP gets it: Aegir url-encodes it, and settings that expect
 * that decode it themselves. Null where there is none, or only the placeholders that Aegir writes for a site without one.
 */
export function credentialsOf(host: VirtualHost): ReadonlyMap<string, string> | null {
  const found = new Map<string, string>();
  for (const key of CREDENTIAL_KEYS) {
    const value = host.environment.get(key);
    if (value !== undefined) found.set(key, fromText(value));
  }
  const name = found.get('db_name');
  return name === undefined || (name === 'none' && found.get('db_user') === 'none') ? null : found;
}
