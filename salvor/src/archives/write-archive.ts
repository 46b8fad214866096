/**
 * Writes one archive of a site, which Aegir's own restore takes, and gives it its name only when it was read back.
 *
 *   source → members → packed on all cores → sink (a file without a name) → on the disk → its name
 *                                             └ read back behind it by a thread of its own: unpacked whole, each member
 *                                               and its content compared with what was written
 *
 * Knows nothing of points, tasks and homes: where entries come from (`ArchiveSource`) and where bytes go (`ArchiveSink`)
 * is handed in. Whatever fails on the way leaves nothing: the sink is disposed without a name.
 */
import { createHash } from 'node:crypto';
import type { Problem } from '@salvor/contract';
import { SalvorError } from '../errors.ts';
import { letHeapGrow } from '../lib/let-heap-grow.ts';
import { ArchiveMembers, type MembersProgress, type MembersWanted } from './archive-members.ts';
import { type ArchiveManifest, serialiseJson } from './archive-manifest.ts';
import type { ArchiveSink } from './archive-sink.ts';
import type { ArchiveSource } from './archive-source.ts';
import { compress } from './compress/compress.ts';
import type { WrittenCompression } from './compress/compression.ts';
import { FileSums } from './file-sums.ts';
import { ReadBack } from './read-back.ts';

export type ArchiveWanted = MembersWanted & {
  readonly compression: WrittenCompression;
  /** Of the compression, as its tool counts. */
  readonly level: number;
  /** Tried in this order; see `archiveNames`. */
  readonly names: Iterable<string>;
};

export type ArchiveTools = {
  /** A directory of ours alone. */
  readonly scratch: string;
  readonly signal: AbortSignal;
  /** Threads that pack; all cores where nothing is said. */
  readonly threads?: number;
  readonly onProgress?: (progress: MembersProgress) => void;
};

export type WrittenArchive = {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly manifest: ArchiveManifest;
  readonly problems: readonly Problem[];
};

/** Throws 'archive-differs', 'archive-exists', and what source and sink throw. */
export async function writeArchive(
  source: ArchiveSource,
  wanted: ArchiveWanted,
  sink: ArchiveSink,
  tools: ArchiveTools,
): Promise<WrittenArchive> {
  const { signal, threads } = tools;
  using _ = letHeapGrow();
  await using sums = new FileSums(tools.scratch);
  const members = new ArchiveMembers(source, wanted, sums, tools.onProgress ?? (() => undefined));
  const packed = compress(members.bytes(), {
    compression: wanted.compression,
    level: wanted.level,
    threads,
    signal,
  });
  await using readBack = new ReadBack(wanted.compression);
  let bytes = 0;
  for await (const piece of packed) {
    signal.throwIfAborted();
    await sink.write(piece);
    bytes += piece.length;
    readBack.follow(sink.descriptor);
  }
  await sink.sync();
  const { manifest } = members;
  if (manifest === null) throw new Error('an archive was written without its manifest');
  readBack.follow(sink.descriptor);
  const sha256 = await compare(readBack, bytes, manifest);
  let last = '';
  for (const name of wanted.names) {
    signal.throwIfAborted();
    last = name;
    if (await sink.publish(name)) return { name, bytes, sha256, manifest, problems: members.problems };
  }
  throw new SalvorError('archive-exists', { archive: last });
}

/** What was read against what was written; gives the file's own check sum. */
async function compare(readBack: ReadBack, bytes: number, manifest: ArchiveManifest): Promise<string> {
  const read = await readBack.finish();
  if (read.fault !== null) throw differs(read.fault);
  if (read.manifest !== createHash('sha256').update(serialiseJson(manifest)).digest('hex'))
    throw differs('its manifest is another');
  if (read.members.count !== manifest.members.count || read.members.sha256 !== manifest.members.sha256)
    throw differs('its members are not those that were written');
  if (read.bytes !== bytes) throw differs(`${bytes} bytes were written and ${read.bytes} were read`);
  return read.sha256;
}

function differs(why: string): SalvorError {
  return new SalvorError('archive-differs', { archive: 'The new archive', why });
}
