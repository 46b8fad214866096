import { type Repository, type Snapshot, type Storage, openView } from '@salvor/engine';

/** What a disk gives out at once. */
const BLOCK_BYTES = 4096;

/** What a directory of a night takes on a disk, without those that are left out (absolute paths); a file with several links once. */
export async function measureTree(
  repository: Repository,
  snapshot: Snapshot,
  path: string,
  without: ReadonlySet<string>,
): Promise<{ readonly files: number; readonly bytes: number }> {
  const view = await openView(repository, snapshot);
  const linked = new Set<string>();
  let files = 0;
  let bytes = 0;
  let left = '';
  for await (const { path: at, entry } of view.walk(path)) {
    if (left !== '' && at.startsWith(left)) continue;
    if (without.has(at)) {
      left = `${at}/`;
      continue;
    }
    if (entry.links > 1n && entry.type === 'file') {
      const name = `${entry.device}:${entry.inode}`;
      if (linked.has(name)) continue;
      linked.add(name);
    }
    files += 1;
    bytes += entry.type === 'file' ? Math.ceil(entry.size / BLOCK_BYTES) * BLOCK_BYTES : BLOCK_BYTES;
  }
  return { files, bytes };
}

/** Bytes of what a repository holds. */
export async function measureStored(storage: Storage, signal: AbortSignal): Promise<number> {
  const packs = await storage.list('data', { signal });
  return packs.reduce((sum, { bytes }) => sum + bytes, 0);
}
