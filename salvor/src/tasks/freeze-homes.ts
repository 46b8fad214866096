/**
 * Where file system or volume manager can, a night reads the homes as they were in one instant: from read-only snapshots,
 * which are removed when it has read them, after a crash too. Paths stay those of the homes.
 *
 *   journal names the snapshots, and the staging places of those that lie in one (1) → they are made (2) → … read …
 *   → closed and removed → journal forgets them
 *
 * A crash behind (1) or (2) is undone by `recover-task.ts`, which removes what the journal names.
 */
import { closeSync, constants, mkdirSync, openSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { Problem } from '@salvor/contract';
import { makeSubvolumeSnapshot } from '../lib/file-snapshots/btrfs.ts';
import {
  type SnapshotSource,
  type VolumeSnapshot,
  findSource,
  isSnapshotWhole,
  makeSnapshot,
  nameSnapshot,
  removeSnapshot,
} from '../lib/file-snapshots/file-snapshot.ts';
import { openOwnDirectory } from '../lib/beneath/own-directory.ts';
import type { FrozenFiles } from '../points/capture-account.ts';
import type { Account } from '../sites/account.ts';
import { isBeneath } from '../sites/read-beneath.ts';
import { codeOf } from '../lib/errno.ts';
import { locateStaging, makeStaging, removeStaging } from './staging.ts';
import type { TaskRun } from './task-run.ts';

/** What is to be frozen as one: the homes on it, and where its snapshot will be. */
type Wanted = {
  readonly source: SnapshotSource;
  readonly homes: readonly string[];
  readonly to: { readonly place: string } | { readonly snapshot: VolumeSnapshot };
};

type Frozen = {
  readonly wanted: Wanted;
  readonly fd: number;
  readonly time: Date;
  isSpoilt: boolean;
};

const NAME = 'files';

/** What can't be frozen is read as it changes. A snapshot that fails is a problem of the night, and no more. */
export async function freezeHomes(
  account: Account,
  homes: readonly string[],
  run: TaskRun,
): Promise<FrozenFiles & AsyncDisposable> {
  const wanted = await findWanted(account, homes, run);
  const stagings = wanted.flatMap(({ to }) => ('place' in to ? [dirname(to.place)] : []));
  const snapshots = wanted.flatMap(({ to }) => ('snapshot' in to ? [to.snapshot] : []));
  if (wanted.length > 0) run.record({ stagings, snapshots }); // (1)
  const frozen: Frozen[] = [];
  await using undo = new AsyncDisposableStack();
  undo.defer(async () => {
    for (const staging of stagings) await removeStaging(staging);
    for (const snapshot of snapshots) await removeOrName(snapshot, run);
    if (wanted.length > 0) run.record({ stagings: [], snapshots: [] });
  });
  for (const each of wanted) {
    const { source } = each;
    try {
      const fd = 'place' in each.to ? await freezeInto(each.to.place, source, run) : await freeze(each.to, source, run); // (2)
      undo.defer(() => closeSync(fd));
      run.say(`reads ${each.homes.join(', ')} from a snapshot of ${source.name}`);
      frozen.push({ wanted: each, fd, time: run.clock(), isSpoilt: false });
    } catch (error) {
      if (run.signal.aborted) throw error;
      const message = `${source.name} is read as it changes: ${error instanceof Error ? error.message : String(error)}`;
      run.note({ code: codeOf(error) ?? 'snapshot-failed', path: source.top, message });
    }
  }
  const held = undo.move();
  const of = (path: string): Frozen | null =>
    frozen.find(
      ({ wanted: { homes: inside }, isSpoilt }) => !isSpoilt && inside.some((home) => isBeneath(path, home)),
    ) ?? null;
  return {
    readFrom: (path) => {
      const found = of(path);
      if (found === null) return null;
      return `/proc/self/fd/${found.fd}/./${relative(found.wanted.source.top, path) || '.'}`;
    },
    timeOf: (path) => of(path)?.time ?? null,
    findSpoilt: () => findSpoilt(frozen),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

async function findWanted(account: Account, homes: readonly string[], run: TaskRun): Promise<readonly Wanted[]> {
  const found = new Map<string, { readonly source: SnapshotSource; readonly homes: string[] }>();
  for (const home of homes) {
    // No program, no rights, a file system that is being unmounted: whatever it is, the home is read as it is.
    const source = await findSource(home, run.signal).catch(() => null);
    if (source === null) continue;
    // One volume may be mounted at two places.
    const key = `${source.kind} ${source.name} ${source.top}`;
    const before = found.get(key);
    if (before !== undefined) before.homes.push(home);
    else if (source.lacks === null) found.set(key, { source, homes: [home] });
    else run.say(`${home} is read as it changes: ${source.lacks}`);
  }
  return [...found.values()].map(({ source, homes: inside }, at) => {
    const place = join(locateStaging(inside[0] ?? source.top, account.name, run.id, null), `${NAME}-${at}`);
    const { kind } = source;
    const to = kind === 'btrfs' ? { place } : { snapshot: nameSnapshot({ ...source, kind }, `salvor-${run.id}-${at}`) };
    return { source, homes: inside, to };
  });
}

async function freezeInto(place: string, { name: subvolume }: SnapshotSource, run: TaskRun): Promise<number> {
  await makeStaging(dirname(place));
  using parent = openOwnDirectory(dirname(place));
  const name = relative(dirname(place), place);
  await makeSubvolumeSnapshot(subvolume, parent, name, run.signal);
  // Held from here on: whoever may rename what lies above it leads nobody elsewhere.
  const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
  return openSync(`/proc/self/fd/${parent.fd}/${name}`, flags);
}

async function freeze(
  { snapshot }: { readonly snapshot: VolumeSnapshot },
  source: SnapshotSource,
  run: TaskRun,
): Promise<number> {
  const place = join(run.scratch, NAME);
  mkdirSync(place, { recursive: true, mode: 0o700 });
  return await makeSnapshot(source, snapshot, place, run.signal);
}

/** The night is none the worse: what is left of it is named, and can be removed by hand. */
async function removeOrName(snapshot: VolumeSnapshot, run: TaskRun): Promise<void> {
  try {
    await removeSnapshot(snapshot);
  } catch (error) {
    const message = `the snapshot ${snapshot.name} is left: ${error instanceof Error ? error.message : String(error)}`;
    run.note({ code: 'snapshot-left', path: snapshot.name, message });
  }
}

async function findSpoilt(frozen: readonly Frozen[]): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  for (const each of frozen) {
    const { source, to } = each.wanted;
    if (each.isSpoilt || !('snapshot' in to)) continue;
    // What can not be asked for is not trusted.
    if (await isSnapshotWhole(to.snapshot).catch(() => false)) continue;
    each.isSpoilt = true;
    const message = `the snapshot of ${source.name} did not hold to the end (it ran full, or can’t be looked at): its files are read again, as they change`;
    problems.push({ code: 'snapshot-full', path: source.top, message });
  }
  return problems;
}
