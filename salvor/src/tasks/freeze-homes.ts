/**
 * Where the file system can, a night reads the homes as they were in one instant: from a read-only snapshot in the task's
 * staging place, which is removed with that, after a crash too. Paths stay those of the homes.
 *
 *   journal names the staging places (1) → they are made → snapshots (2) → … read … → removed → journal forgets them
 *
 * A crash behind (1) or (2) is undone by `recover-task.ts`, which removes what lies in the places that the journal names.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { findSubvolume, makeSnapshot } from '../lib/file-snapshot.ts';
import { openOwnDirectory } from '../lib/beneath/own-directory.ts';
import type { FrozenFiles } from '../points/capture-account.ts';
import type { Account } from '../sites/account.ts';
import { isBeneath } from '../sites/read-beneath.ts';
import { codeOf } from '../lib/errno.ts';
import { locateStaging, makeStaging, removeStaging } from './staging.ts';
import type { TaskRun } from './task-run.ts';

/** One subvolume, and the place of its snapshot. */
type Wanted = { readonly subvolume: string; readonly homes: readonly string[]; readonly place: string };

const NAME = 'files';

/** What can't be frozen is read as it changes. A snapshot that fails is a problem of the night, and no more. */
export async function freezeHomes(
  account: Account,
  homes: readonly string[],
  run: TaskRun,
): Promise<FrozenFiles & AsyncDisposable> {
  const wanted = await findWanted(account, homes, run);
  if (wanted.length > 0) run.record({ stagings: wanted.map(({ place }) => dirname(place)) }); // (1)
  const frozen: { readonly home: string; readonly top: string; readonly fd: number; readonly time: Date }[] = [];
  await using undo = new AsyncDisposableStack();
  undo.defer(async () => {
    for (const { place } of wanted) await removeStaging(dirname(place));
    if (wanted.length > 0) run.record({ stagings: [] });
  });
  for (const { subvolume, homes: inside, place } of wanted) {
    try {
      await makeStaging(dirname(place));
      using parent = openOwnDirectory(dirname(place));
      const name = relative(dirname(place), place);
      await makeSnapshot(subvolume, parent, name, run.signal); // (2)
      const time = run.clock();
      // Held from here on: whoever may rename what lies above it leads nobody elsewhere.
      const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
      const fd = openSync(`/proc/self/fd/${parent.fd}/${name}`, flags);
      undo.defer(() => closeSync(fd));
      run.say(`reads ${inside.join(', ')} from a snapshot of ${subvolume}`);
      for (const home of inside) frozen.push({ home, top: subvolume, fd, time });
    } catch (error) {
      if (run.signal.aborted) throw error;
      const message = `${subvolume} is read as it changes: ${error instanceof Error ? error.message : String(error)}`;
      run.note({ code: codeOf(error) ?? 'snapshot-failed', path: subvolume, message });
    }
  }
  const held = undo.move();
  const of = (path: string): (typeof frozen)[number] | null => frozen.find(({ home }) => isBeneath(path, home)) ?? null;
  return {
    readFrom: (path) => {
      const found = of(path);
      return found === null ? null : `/proc/self/fd/${found.fd}/./${relative(found.top, path) || '.'}`;
    },
    timeOf: (path) => of(path)?.time ?? null,
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

async function findWanted(account: Account, homes: readonly string[], run: TaskRun): Promise<readonly Wanted[]> {
  const bySubvolume = new Map<string, string[]>();
  for (const home of homes) {
    // No program, no rights, a file system that is being unmounted: whatever it is, the home is read as it is.
    const subvolume = await findSubvolume(home, run.signal).catch(() => null);
    if (subvolume !== null) bySubvolume.set(subvolume, [...(bySubvolume.get(subvolume) ?? []), home]);
  }
  return [...bySubvolume].map(([subvolume, inside], at) => ({
    subvolume,
    homes: inside,
    place: join(locateStaging(inside[0] ?? subvolume, account.name, run.id, null), `${NAME}-${at}`),
  }));
}
