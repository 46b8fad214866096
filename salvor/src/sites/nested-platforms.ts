import type { PhpFiles } from '../lib/php-reading.ts';
import { readCore } from './core-version.ts';
import { isThere } from './is-there.ts';
import { listDirectory } from './list-directory.ts';
import type { NotSite } from './not-site.ts';
import type { Site } from './site.ts';

/** Uploads may be many; a code base that somebody unpacked lies at the top of them. */
const MAX_DIRECTORIES = 500;

/** Code bases at the top of a site's uploads: content, whatever they hold, and a danger where they are served. */
export function findNested(sites: readonly Site[], files: PhpFiles): NotSite[] {
  return sites.flatMap((site) => {
    const places = ['files', 'private', 'private/files', 'wp-content/uploads'].map((name) => `${site.path}/${name}`);
    const moved = site.movedOut.flatMap(({ target, type, reason }) =>
      type === 'directory' && reason === null ? [target ?? ''] : [],
    );
    return [...places, ...moved].flatMap((place) => {
      const listed = listDirectory(place, 10 * MAX_DIRECTORIES);
      if ('refused' in listed) return [];
      const nested = listed.directories.slice(0, MAX_DIRECTORIES).filter((name) => isCore(`${place}/${name}`, files));
      return nested.map((name): NotSite => ({
        code: 'nested-platform',
        path: `${place}/${name}`,
        reason: `a code base among the files of ${site.uri}`,
      }));
    });
  });
}

/** The quick look first: nearly all are directories of uploads. */
function isCore(path: string, files: PhpFiles): boolean {
  const mayBe = ['core', 'includes', 'wp-includes'].some((name) => isThere(`${path}/${name}`));
  return mayBe && readCore(path, files) !== null;
}
