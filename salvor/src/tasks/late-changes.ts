import type { ViewEntry } from '@salvor/engine';
import { type DatabaseLogin, openConnection } from '../databases/mariadb/connect.ts';
import { checksumTables } from '../databases/mariadb/probe.ts';
import type { TreeEntry } from '../lib/beneath/walk-tree.ts';
import type { OpenPoint } from '../points/open-point.ts';
import { stayingNames } from '../points/left-out.ts';
import { isBeneath } from '../sites/read-beneath.ts';
import type { Site } from '../sites/site.ts';
import type { Move } from './move-site.ts';
import { pairTrees, walkDisk, walkView } from './pair-trees.ts';
import type { PlannedDatabase } from './plan-database.ts';
import type { SwitchTools, TableSwap } from './switch-site.ts';

/**
 * What visitors and editors changed between the safety point and the switch: the old files, where they lie after the
 * switch, beside the safety point. Paths are relative to the site's directory.
 */
export async function findLateFiles(safety: OpenPoint, moves: readonly Move[]): Promise<readonly string[]> {
  const late: string[] = [];
  for (const move of moves) {
    // Nothing was there before.
    if (!('entries' in move) && ('to' in move || move.liveInode === null)) continue;
    const stays = new Set('entries' in move ? stayingNames(move.live) : []);
    const stored = storedPathAt(safety, move.live);
    for await (const { path, left, right } of pairTrees(walkStored(safety, stored), walkDisk(move.staged))) {
      if (stays.has(path.split('/')[0] ?? '') || isSame(left, right?.stat ?? null)) continue;
      late.push([move.path ?? '', path].filter((part) => part !== '').join('/'));
    }
  }
  return late;
}

/** Where a point holds what lay at an absolute path when it was taken; null for what is in none of the site's places. */
export function storedPathAt({ manifest }: OpenPoint, path: string): string | null {
  const via = manifest.moved.find(({ target }) => isBeneath(path, target));
  if (via !== undefined) return via.place + path.slice(via.target.length);
  return isBeneath(path, manifest.site.path) ? `/site${path.slice(manifest.site.path.length)}` : null;
}

/** `DATABASE.TABLE` → checksum. */
export type TableSums = ReadonlyMap<string, string>;

/** Sums of the tables that are about to leave, taken before the safety point: what differs from it later is late. */
export async function sumLiveTables(
  site: Site,
  databases: readonly Pick<PlannedDatabase, 'database' | 'outgoing'>[],
  tools: SumTools,
): Promise<TableSums> {
  const sums = new Map<string, string>();
  for (const { database, outgoing } of databases) {
    const admin = await tools.administratorOf(database.login.address, site.account.home);
    await addSums(sums, admin, database.name, database.name, outgoing, tools.signal);
  }
  return sums;
}

/** Tables of a database that changed, and the swap that has put them aside. */
export type LateTables = { readonly swap: TableSwap; readonly tables: readonly string[] };

/** As a person is told of them: `DATABASE.TABLE`. */
export function nameTables(late: readonly LateTables[]): readonly string[] {
  return late.flatMap(({ swap, tables }) => tables.map((table) => `${swap.plan.live}.${table}`));
}

/** Tables that changed since `before`, found where the switch has put them. */
export async function findLateTables(
  site: Pick<Site, 'account'>,
  before: TableSums,
  swaps: readonly TableSwap[],
  tools: SumTools,
): Promise<readonly LateTables[]> {
  const late: LateTables[] = [];
  for (const swap of swaps) {
    const { server, plan } = swap;
    const after = new Map<string, string>();
    const admin = await tools.administratorOf(server, site.account.home);
    const left = plan.moves.filter(({ leaves }) => leaves).map(({ table }) => table);
    await addSums(after, admin, plan.old, plan.live, left, tools.signal);
    const tables = left.filter((table) => before.get(`${plan.live}.${table}`) !== after.get(`${plan.live}.${table}`));
    if (tables.length > 0) late.push({ swap, tables });
  }
  return late;
}

export type SumTools = Pick<SwitchTools, 'administratorOf'> & { readonly signal?: AbortSignal };

async function addSums(
  sums: Map<string, string>,
  admin: DatabaseLogin,
  database: string,
  shownAs: string,
  tables: readonly string[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const queue = [...tables];
  const sum = async (): Promise<void> => {
    await using connection = await openConnection(admin, { signal });
    for (let table = queue.shift(); table !== undefined; table = queue.shift())
      for (const { checksum } of await checksumTables(connection, database, [table]))
        sums.set(`${shownAs}.${table}`, checksum ?? 'unknown');
  };
  // Both have ended when the first failure is thrown.
  const ended = await Promise.allSettled(Array.from({ length: Math.min(SESSIONS, queue.length) }, sum));
  for (const one of ended) if (one.status === 'rejected') throw one.reason;
}

/** The server reads all rows of a table in one thread. */
const SESSIONS = 2;

async function* walkStored(safety: OpenPoint, path: string | null): ReturnType<typeof walkView> {
  if (path === null) return;
  try {
    yield* walkView(safety.view, path);
  } catch (error) {
    // Made after the safety point: all of it is late.
    if (!(error instanceof Error && 'code' in error && error.code === 'path-unknown')) throw error;
  }
}

/** The times of directories change with every file in them and are no change of their own. */
function isSame(stored: ViewEntry | null, now: TreeEntry['stat'] | null): boolean {
  if (stored === null || now === null) return false;
  const isSameOwner = BigInt(stored.uid) === now.uid && BigInt(stored.gid) === now.gid;
  const isSameMode = (Number(now.mode) & 0o7777) === stored.mode;
  if (!isSameOwner || !isSameMode) return false;
  if (stored.type === 'dir') return now.isDirectory();
  if (stored.type === 'symlink') return now.isSymbolicLink();
  if (stored.type !== 'file') return !now.isFile() && !now.isDirectory();
  return now.isFile() && BigInt(stored.size) === now.size && stored.mtimeNs === now.mtimeNs;
}
