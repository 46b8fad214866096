import { basename, dirname, resolve } from 'node:path';
import type { ArchiveSink } from '../archives/archive-sink.ts';
import { openDirectorySink } from '../archives/directory-sink.ts';
import { HomeSink } from '../archives/home-sink.ts';
import { nameUnfinished } from '../archives/unfinished.ts';
import { type WrittenArchive, writeArchive } from '../archives/write-archive.ts';
import { openHelper } from '../lib/account-helper/open-helper.ts';
import { showSafePath } from '../lib/beneath/safe-path.ts';
import type { OpenPoint } from '../points/open-point.ts';
import { readPointModules } from '../points/read-point-modules.ts';
import { sourceOfPoint } from '../points/point-source.ts';
import type { Policy } from '../policies/settings.ts';
import type { Site } from '../sites/site.ts';
import { wantedOf } from './archive-point.ts';
import { usersOfAccount } from './known-owners.ts';
import { compressionByName } from './plan-export.ts';
import { type TargetPlace, locateTarget } from './target-place.ts';
import type { TaskRun } from './task-run.ts';

export type ExportTools = {
  readonly policy: Pick<Policy, 'archiveLevel' | 'archivePasswords'>;
  /** The site as the point's own settings name it: its passwords are hidden too. */
  readonly stored: Site | null;
};

/**
 * Writes a point as one archive into a file that was not there, packed as its name says. In what is the account's it is
 * the account's user that writes. Throws `archive-exists`, `target-unsafe`, and what writing throws; then nothing is left.
 */
export async function exportPoint(
  site: Site,
  point: OpenPoint,
  output: string,
  tools: ExportTools,
  run: TaskRun,
): Promise<WrittenArchive & { readonly path: string }> {
  const path = resolve(output);
  run.say(`point ${point.manifest.point} of ${point.manifest.time} into ${path}`);
  const written = await run.step('export', () =>
    run.audit('write-archive', path, async () => {
      const place = locateTarget(dirname(path), usersOfAccount(site.account));
      // Known before there is one: what a crash leaves is found there.
      run.record({ unfinished: unfinishedIn(place) });
      return await write(
        site,
        point,
        { place, name: basename(path), compression: compressionByName(path) },
        tools,
        run,
      );
    }),
  );
  run.note(...written.problems);
  run.say(`${path} was written and read back: ${written.bytes} bytes`);
  return { ...written, path };
}

type Output = {
  readonly place: TargetPlace;
  readonly name: string;
  readonly compression: ReturnType<typeof compressionByName>;
};

async function write(
  site: Site,
  point: OpenPoint,
  { place, name, compression }: Output,
  { policy, stored }: ExportTools,
  run: TaskRun,
): Promise<WrittenArchive> {
  const wanted = {
    ...wantedOf(site, point, policy.archivePasswords === 'left-out' ? 'left-out' : 'replaced', stored),
    modules: await readPointModules(point),
    compression,
    level: policy.archiveLevel,
    names: [name],
  };
  const bytesTotal = bytesOf(point);
  const into = (sink: ArchiveSink): Promise<WrittenArchive> =>
    writeArchive(sourceOfPoint(point), wanted, sink, {
      scratch: run.scratch,
      signal: run.signal,
      onProgress: ({ files, bytes }) =>
        run.progress({ files, bytes, filesTotal: point.manifest.files?.count ?? null, bytesTotal }),
    });
  const unfinished = nameUnfinished(run.id);
  if (place.by === 'us') {
    await using sink = await openDirectorySink({ directory: place.directory, unfinished, mode: 0o600 });
    return await into(sink);
  }
  const { user, root, path: directory } = place;
  await using helper = await openHelper(user, root, { signal: run.signal });
  await using sink = new HomeSink({ helper, user, root, directory, unfinished, mode: 0o600, time: run.clock() });
  return await into(sink);
}

function unfinishedIn(place: TargetPlace): { readonly root: string; readonly directory: string | null } {
  if (place.by === 'us') return { root: place.directory, directory: null };
  return { root: place.root, directory: place.path === null ? null : showSafePath(place.path) };
}

/** What is packed, but for what the archive says of itself. */
function bytesOf({ manifest }: OpenPoint): number {
  const dumps = manifest.databases.flatMap(({ files }) => files.map(({ bytes }) => bytes));
  return dumps.reduce((sum, bytes) => sum + bytes, manifest.files?.bytes ?? 0);
}
