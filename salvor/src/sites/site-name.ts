/** Which names can be a site's URI, and what a site is called whose directory carries none. */
import { DOCROOT_NAMES } from './docroots.ts';

/** It becomes a directory's name, a tag of restic's, a lock's name and a word on the command line. */
export function isUri(name: string): boolean {
  return /^[^\s/\\,\p{Cc}\p{Cf}\ufffd]{1,253}$/u.test(name) && !/^[-.]/.test(name);
}

/**
 * The name of a site that lies in no `sites/<uri>/`. It is made of the path alone: points go by it, and a virtual host or a
 * setting that changes must not make another site of it. What those call it are its aliases.
 *
 *   HOME/example.com/htdocs → example.com   HOME/example.com/web/blog → example.com.blog   HOME/shop/public → shop
 */
export function nameByPath(path: string, home: string): string {
  const parts = path === home ? [] : path.slice(home.length + 1).split('/');
  const named = parts.filter((part) => !DOCROOT_NAMES.has(part) && part !== 'current');
  const host = named.findIndex((part) => isHost(part));
  const telling = host === -1 ? named : named.slice(host);
  return asUri(telling.join('.') || path.slice(path.lastIndexOf('/') + 1));
}

/** With every part of the path below the home, for those that the short one does not tell apart. */
export function nameByFullPath(path: string, home: string): string {
  return asUri(path.slice(home.length + 1).replaceAll('/', '.'));
}

function asUri(name: string): string {
  return (
    name
      .replace(/[\s\\,\p{Cc}\p{Cf}\ufffd]/gu, '_')
      .replace(/^[-.]+/, '')
      .slice(0, 253) || 'site'
  );
}

function isHost(part: string): boolean {
  return /^[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z][a-z0-9-]+$/i.test(part);
}
