import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import type { ArchiveSink } from '../archives/archive-sink.ts';
import type { WrittenCompression } from '../archives/compress/compression.ts';
import { openDirectorySink } from '../archives/directory-sink.ts';
import { HomeSink } from '../archives/home-sink.ts';
import { nameUnfinished } from '../archives/unfinished.ts';
import { type WrittenArchive, writeArchive } from '../archives/write-archive.ts';
import { openHelper } from '../lib/account-helper/open-helper.ts';
import type { OpenPoint } from '../points/open-point.ts';
import { sourceOfPoint } from '../points/point-source.ts';
import type { Policy } from '../policies/settings.ts';
import type { Site } from '../sites/site.ts';
import { wantedOf } from './archive-point.ts';
import { usersOfAccount } from './known-owners.ts';
import { locateTarget } from './target-place.ts';
import type { TaskProgress } from './task-run.ts';

export type ExportTools = {
  readonly policy: Pick<Policy, 'archiveLevel' | 'archivePasswords'>;
  /** The site as the point's own settings name it: its passwords are hidden too. */
  readonly stored: Site | null;
  readonly clock: () => Date;
  readonly randomBytes: (count: number) => Uint8Array;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: TaskProgress) => void;
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
): Promise<WrittenArchive & { readonly path: string }> {
  const path = resolve(output);
  const { account } = site;
  const place = locateTarget(dirname(path), usersOfAccount(account));
  const scratch = mkdtempSync(join(tmpdir(), 'salvor-export-'));
  const wanted = {
    ...wantedOf(site, point, tools.policy.archivePasswords === 'left-out' ? 'left-out' : 'replaced', tools.stored),
    compression: compressionByName(path),
    level: tools.policy.archiveLevel,
    names: [basename(path)],
  };
  const into = async (sink: ArchiveSink): Promise<WrittenArchive & { readonly path: string }> => {
    const written = await writeArchive(sourceOfPoint(point), wanted, sink, {
      scratch,
      signal: tools.signal,
      onProgress: ({ files, bytes }) =>
        tools.onProgress({ step: 'export', files, bytes, filesTotal: null, bytesTotal: null, current: '' }),
    });
    return { ...written, path };
  };
  const unfinished = nameUnfinished(Buffer.from(tools.randomBytes(16)).toString('hex'));
  try {
    if (place.by === 'us') {
      await using sink = await openDirectorySink({ directory: place.directory, unfinished, mode: 0o600 });
      return await into(sink);
    }
    const { user, root, path: directory } = place;
    await using helper = await openHelper(user, root, { signal: tools.signal });
    await using sink = new HomeSink({ helper, user, root, directory, unfinished, mode: 0o600, time: tools.clock() });
    return await into(sink);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** As Aegir tells it by the ending; one that says nothing is a plain tar. */
export function compressionByName(path: string): WrittenCompression {
  if (/\.t?gz$/.test(path)) return 'gzip';
  if (/\.t?bz2$/.test(path)) return 'bzip2';
  return /\.t?zst$/.test(path) ? 'zstd' : 'none';
}
