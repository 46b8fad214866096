import { constants, openSync } from 'node:fs';
import { openRun } from '../run.ts';

/** Stays until we have opened what it has mounted, and is ended then. */
const HOLD = 'mount -n -t "$1" -o "$2" -- "$3" "$4" && echo mounted && exec sleep infinity';

/**
 * Mounts a file system where only this process reaches it, and opens its top: in a mount namespace that ends at once. The
 * descriptor alone keeps it mounted. So no tenant finds a way in, no path leads elsewhere, and when the descriptor is
 * closed or we are killed the kernel unmounts it.
 *
 * `place` is any directory; nothing is seen there outside. Throws `command-failed`, `command-missing`.
 */
export async function openMounted(
  source: string,
  { type, options, place }: { readonly type: string; readonly options: readonly string[]; readonly place: string },
  signal: AbortSignal,
): Promise<number> {
  // Devices, set-user-id bits and programs of tenants have no business in a copy.
  const all = ['ro', 'nodev', 'nosuid', 'noexec', ...options].join();
  await using holder = openRun('unshare', {
    args: ['--mount', '--propagation', 'private', '--', 'sh', '-c', HOLD, 'sh', type, all, source, place],
    signal,
  });
  for await (const _ of holder.stdout) {
    const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
    return openSync(`/proc/${holder.pid}/root${place}/.`, flags);
  }
  throw new Error(`${source} was mounted, and nothing said so`);
}
