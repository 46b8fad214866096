/**
 * What virtual hosts say of sites: the names that a docroot is served by, and the log-in that cloaked settings are handed
 * (`fastcgi_param` of nginx, `SetEnv` of Apache). Aegir writes one file per site into the account's home; a host of plain
 * sites keeps its own in /etc. Includes are not followed and conditions not weighed: this is evidence, and what it says
 * of a site is taken for no other docroot than the one that the file names.
 */
import type { PhpFiles } from '../lib/php-reading.ts';
import { fromText } from '../lib/php-values.ts';
import { listDirectory } from './list-directory.ts';
import { isBlockOff } from './switch-off-vhost.ts';
import { type VhostDirective, isHostName, parseVhostText } from './vhost-syntax.ts';

export type VirtualHost = {
  readonly file: string;
  /** Lower case, without patterns. */
  readonly names: readonly string[];
  /** As the file has it; null where it names none. */
  readonly root: string | null;
  /** What scripts are handed, with one character per byte as PHP has it. */
  readonly environment: ReadonlyMap<string, string>;
  /** By `salvor disable`. */
  readonly isSwitchedOff: boolean;
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
  const { kind, blocks, directives } = parseVhostText(text);
  return blocks.map((block, index) => {
    const draft: Draft = { names: [], root: null, environment: new Map() };
    for (const directive of directives)
      if (directive.block === index) (kind === 'nginx' ? takeNginx : takeApache)(directive, draft);
    return { file, ...draft, isSwitchedOff: isBlockOff(text, kind, block) };
  });
}

type Draft = { names: string[]; root: string | null; environment: Map<string, string> };

function takeNginx({ name, words, isOfBlock }: VhostDirective, server: Draft): void {
  const [first, second] = words.map(({ value }) => value);
  if (name === 'server_name' && isOfBlock)
    server.names.push(...words.filter(({ value }) => isHostName(value)).map(({ value }) => value.toLowerCase()));
  else if (name === 'root' && isOfBlock) server.root = first ?? null;
  // In a location it is what the scripts of the whole host get, in every set-up seen.
  else if (name === 'fastcgi_param' && first !== undefined && second !== undefined && !second.includes('$'))
    server.environment.set(first, second);
}

function takeApache({ name, words }: VhostDirective, host: Draft): void {
  const values = words.map(({ value }) => value);
  switch (name) {
    case 'servername':
    case 'serveralias':
      host.names.push(
        ...values
          .map((said) =>
            said
              .toLowerCase()
              .replace(/^\w+:\/\//, '')
              .replace(/:\d+$/, ''),
          )
          .filter(isHostName),
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
