/** The client's section of an option file of MariaDB or MySQL. */

const NAMES = [
  'user',
  'password',
  'host',
  'socket',
  'port',
  'ssl',
  'ssl-ca',
  'ssl-capath',
  'ssl-cert',
  'ssl-key',
  'ssl-verify-server-cert',
] as const;

/** What is said without a value is empty. */
export type ClientOptions = { readonly [name in (typeof NAMES)[number]]?: string };

const SECTIONS = new Set(['client', 'client-server', 'client-mariadb', 'mysql']);
const KNOWN: ReadonlySet<string> = new Set(NAMES);
const ESCAPES: Readonly<Record<string, string>> = { b: '\b', t: '\t', n: '\n', r: '\r', s: ' ', '\\': '\\' };

/** Later lines win, as in the client. Includes and other sections are passed over. */
export function parseMyCnf(text: string): ClientOptions {
  const options: Record<string, string> = {};
  let section = '';
  for (const line of text.split(/\r?\n/)) {
    const trimmed = line.trim();
    if (trimmed === '' || '#;!'.includes(trimmed.charAt(0))) continue;
    if (trimmed.startsWith('[')) {
      section = trimmed.slice(1, trimmed.indexOf(']')).trim().toLowerCase();
      continue;
    }
    const equals = trimmed.indexOf('=');
    const name = (equals === -1 ? trimmed : trimmed.slice(0, equals)).trim().toLowerCase().replaceAll('_', '-');
    if (SECTIONS.has(section) && KNOWN.has(name))
      options[name] = equals === -1 ? '' : readValue(trimmed.slice(equals + 1).trim());
  }
  return options;
}

function readValue(value: string): string {
  const quote = value.charAt(0);
  const end = quote === '"' || quote === "'" ? value.indexOf(quote, 1) : -1;
  // Outside of quotes a # after a blank begins a comment.
  const bare = end === -1 ? value.replace(/\s+#.*$/, '') : value.slice(1, end);
  return bare.replace(/\\(.)/g, (whole, letter: string) => ESCAPES[letter] ?? whole);
}
