/**
 * Where a point holds the directories that a site has outside of its own: `/moved/<link>`, every byte of the link outside
 * `A-Za-z0-9_.-` as `%XX`, and `~2`, `~3` … behind it where two have the same link. The link itself is in `/site`.
 */
import type { Manifest, ManifestMoved } from './manifest.ts';

/** What the file systems of all take as a name, with room for what is put behind it. */
const MAX_NAME_BYTES = 200;

export function namePlaces<M extends Pick<ManifestMoved, 'link'>>(
  moved: readonly M[],
): readonly (M & { readonly place: string })[] {
  const taken = new Map<string, number>();
  return moved.map((one) => {
    const name = escapePlaceName(one.link);
    const count = (taken.get(name) ?? 0) + 1;
    taken.set(name, count);
    return { ...one, place: `/moved/${name}${count === 1 ? '' : `~${count}`}` };
  });
}

/**
 * Where the point holds what the site sees at `path`, relative to its directory. Of a link that leads out of it this is
 * where it leads; the link itself lies at `/site/<path>`.
 */
export function storedPathOf(manifest: Pick<Manifest, 'moved'>, path: string): string {
  const via = findMoved(manifest.moved, path);
  if (via !== null) return via.place + path.slice(via.link.length);
  return path === '' ? '/site' : `/site/${path}`;
}

/** The moved-out directory that `path` is or lies in: the innermost. */
export function findMoved<M extends { readonly link: string; readonly linked: boolean }>(
  moved: readonly M[],
  path: string,
): M | null {
  const found = moved.filter(({ link, linked }) => linked && (path === link || path.startsWith(`${link}/`)));
  return found.toSorted((one, other) => other.link.length - one.link.length)[0] ?? null;
}

/** The path that the site sees of a path in the point; null for what is none of its files. */
export function sitePathOf(manifest: Pick<Manifest, 'moved'>, stored: string): string | null {
  if (stored === '/site') return '';
  if (stored.startsWith('/site/')) return stored.slice('/site/'.length);
  const via = manifest.moved.find(({ place }) => stored === place || stored.startsWith(`${place}/`));
  return via === undefined ? null : via.link + stored.slice(via.place.length);
}

/** Letters, digits and `_.-` as they are, each other byte as `%XX`; at most 200 bytes. */
export function escapePlaceName(link: string): string {
  let name = '';
  for (const byte of Buffer.from(link)) {
    const character = String.fromCharCode(byte);
    const next = /[A-Za-z0-9_.-]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    if (name.length + next.length > MAX_NAME_BYTES) break;
    name += next;
  }
  return name;
}
