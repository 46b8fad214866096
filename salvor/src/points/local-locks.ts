import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** When each lock of a repository on a disk of this machine was written. */
export function listLocalLocks(repository: string): readonly Date[] {
  const directory = join(repository, 'locks');
  try {
    return readdirSync(directory).flatMap((name) => {
      const stat = statSync(join(directory, name), { throwIfNoEntry: false });
      return stat === undefined ? [] : [stat.mtime];
    });
  } catch {
    // A repository of another tool may not have made the directory yet.
    return [];
  }
}
