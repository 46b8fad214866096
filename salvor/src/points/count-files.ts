import { walkTree } from '../lib/beneath/walk-tree.ts';
import { leftOutWithin } from './left-out.ts';
import type { Manifest } from './manifest.ts';
import { nameGroup, nameUser } from './owner-names.ts';

/** How much lies in directories and whose it is, as a manifest says it: a second look at what the engine reads. */
export async function countFiles(
  roots: readonly string[],
  exclude: readonly string[] = [],
): Promise<{ readonly count: number; readonly bytes: number; readonly owners: Manifest['owners'] }> {
  const users = new Set<number>();
  const groups = new Set<number>();
  let count = 0;
  let bytes = 0;
  for (const root of roots) {
    for await (const { stat } of walkTree(root, { leftOut: [...leftOutWithin(root), ...exclude] })) {
      users.add(Number(stat.uid));
      groups.add(Number(stat.gid));
      if (!stat.isFile()) continue;
      count += 1;
      bytes += Number(stat.size);
    }
  }
  const sorted = (ids: ReadonlySet<number>): number[] => [...ids].toSorted((a, b) => a - b);
  const owners = {
    users: sorted(users).map((id) => ({ id, name: nameUser(id) })),
    groups: sorted(groups).map((id) => ({ id, name: nameGroup(id) })),
  };
  return { count, bytes, owners };
}
