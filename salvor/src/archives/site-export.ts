/**
 * Backup and Migrate's whole site (`MANIFEST.ini`, `database.sql`, `docroot/…`) as an archive of the site alone: its
 * directory and its dump. Code of the platform in it is never used.
 */
import type { ArchiveEntry } from './open-archive.ts';
import { SalvorError } from '../errors.ts';

const MANIFEST = 'MANIFEST.ini';
const MAX_MANIFEST_BYTES = 1024 * 1024;

/** Throws `archive-unsupported` where the manifest does not come first, or names no directory of a site. */
export async function* sitePartOf(entries: AsyncIterable<ArchiveEntry>, archive: string): AsyncGenerator<ArchiveEntry> {
  let prefix: string | null = null;
  for await (const entry of entries) {
    if (entry.kind === 'member' && entry.member.path === MANIFEST) {
      prefix = siteDirectoryOf(await readText(entry.member.content));
      continue;
    }
    if (entry.kind === 'dump') {
      yield entry;
      continue;
    }
    if (entry.kind !== 'member' || entry.member.path === '') continue;
    if (prefix === null)
      throw new SalvorError('archive-unsupported', {
        archive,
        why: `its ${MANIFEST} is not in front, or names no site`,
      });
    const { path, linkName, type } = entry.member;
    if (path !== prefix && !path.startsWith(`${prefix}/`)) continue;
    const isLinkWithin = type === 'hardlink' && linkName.startsWith(`${prefix}/`);
    const below = path.slice(prefix.length + 1);
    yield {
      ...entry,
      member: { ...entry.member, path: below, linkName: isLinkWithin ? linkName.slice(prefix.length + 1) : linkName },
    };
  }
}

/** `docroot/sites/default`, as `docroot` and `sitedir` of the first site name it. */
function siteDirectoryOf(text: string): string | null {
  const field = (name: string): string | null =>
    new RegExp(`^\\s*${name}\\s*=\\s*"?([^"\\r\\n]*?)"?\\s*$`, 'm').exec(text)?.[1] ?? null;
  const parts = [field('docroot') ?? 'docroot', field('sitedir') ?? ''].flatMap((path) =>
    path.split('/').filter((part) => part !== '' && part !== '.'),
  );
  const isSite = parts.length > 1 && !parts.includes('..');
  // Some versions name the site's directory from the top of the archive.
  const [first, second] = parts;
  return isSite ? (first === second ? parts.slice(1) : parts).join('/') : null;
}

async function readText(content: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const bytes of content) {
    if ((length += bytes.length) > MAX_MANIFEST_BYTES) break;
    pieces.push(Buffer.from(bytes));
  }
  return Buffer.concat(pieces).toString('utf8');
}
