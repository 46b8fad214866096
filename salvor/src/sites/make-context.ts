/**
 * Aegir's context of a site that Aegir has not made: what its own verify of the site needs, in the form that Aegir writes.
 * What only Aegir's panel knows, as the client and the profile, is left to it.
 */
import { encodeLiteral } from '../lib/php-literals.ts';
import { fromText } from '../lib/php-values.ts';
import { type AegirContext, contextNamed } from './read-alias.ts';
import type { PlatformContext } from './rename-in-text.ts';

/** `contexts`: all of the home. `directory`: what the site is called below `sites/`. */
export function makeContext(
  uri: string,
  directory: string,
  { name: platform, root }: PlatformContext,
  contexts: readonly AegirContext[],
): Buffer {
  const web = contextNamed(contexts, `@${platform}`)?.values.get('web_server') ?? '@server_master';
  const near = contexts.find(({ type, values }) => type === 'site' && values.has('db_server'))?.values.get('db_server');
  const server = contexts.find(({ type, values }) => type === 'server' && (values.get('db_service_type') ?? '') !== '');
  const database = near ?? (server === undefined ? null : `@${server.name}`);
  const fields: readonly (readonly [string, string])[] = [
    ['context_type', quote('site')],
    ['platform', quote(`@${platform}`)],
    ['server', quote(web)],
    ...(database === null ? [] : [['db_server', quote(database)] as const]),
    ['uri', quote(uri)],
    ['root', quote(root)],
    ['site_path', quote(`${root}/sites/${directory}`)],
    ['site_enabled', 'true'],
    ['language', quote('en')],
    ['aliases', 'array ()'],
    ['redirection', 'false'],
    ['cron_key', quote('')],
    ['drush_aliases', 'array ()'],
  ];
  const lines = fields.map(([key, value]) => `  ${quote(key)} => ${value},\n`);
  return Buffer.from(`<?php\n$aliases[${quote(uri)}] = array (\n${lines.join('')});\n`, 'latin1');
}

function quote(text: string): string {
  return encodeLiteral(fromText(text));
}
