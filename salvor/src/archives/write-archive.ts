/**
 * Writes one archive of a site, which Aegir's own restore takes, and gives it its name only when it was read back.
 *
 *   source → members → packed on all cores → sink (a file without a name) → on the disk
 *   → read back: unpacked whole, each member and its content compared with what was written → its name
 *
 * Knows nothing of points, tasks and homes: where entries come from (`ArchiveSource`) and where bytes go (`ArchiveSink`)
 * is handed in. Whatever fails on the way leaves nothing: the sink is disposed without a name.
 */
import { createHash } from 'node:crypto';
import type { Problem } from '@salvor/contract';
import { SalvorError } from '../errors.ts';
import { ArchiveMembers, type MembersProgress, type MembersWanted } from './archive-members.ts';
import { type ArchiveManifest, MANIFEST_NAME, serialiseJson } from './archive-manifest.ts';
import type { ArchiveSink } from './archive-sink.ts';
import type { ArchiveSource } from './archive-source.ts';
import { compress } from './compress/compress.ts';
import type { WrittenCompression } from './compress/compression.ts';
import { decompress } from './compress/decompress.ts';
import { FileSums } from './file-sums.ts';
import { UNLIMITED } from './limits.ts';
import { MemberSum } from './member-sum.ts';
import { nameFault } from './name-fault.ts';
import { readTar } from './tar/read-tar.ts';

export type ArchiveWanted = MembersWanted & {
  readonly compression: WrittenCompression;
  /** Of the compression; null for its ordinary one. */
  readonly level?: number | null;
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
  await using sums = new FileSums(tools.scratch);
  const members = new ArchiveMembers(source, wanted, sums, tools.onProgress ?? (() => undefined));
  const packed = compress(members.bytes(), {
    compression: wanted.compression,
    level: wanted.level ?? null,
    threads,
    signal,
  });
  let bytes = 0;
  for await (const piece of packed) {
    signal.throwIfAborted();
    await sink.write(piece);
    bytes += piece.length;
  }
  await sink.sync();
  const { manifest } = members;
  if (manifest === null) throw new Error('an archive was written without its manifest');
  const sha256 = await readBack(sink, wanted.compression, bytes, manifest, signal);
  let last = '';
  for (const name of wanted.names) {
    signal.throwIfAborted();
    last = name;
    if (await sink.publish(name)) return { name, bytes, sha256, manifest, problems: members.problems };
  }
  throw new SalvorError('archive-exists', { archive: last });
}

/** Reads the file as a restore does; gives its own check sum. */
async function readBack(
  sink: Pick<ArchiveSink, 'read'>,
  compression: WrittenCompression,
  bytes: number,
  manifest: ArchiveManifest,
  signal: AbortSignal,
): Promise<string> {
  const file = createHash('sha256');
  let read = 0;
  const counted = async function* (): AsyncGenerator<Uint8Array> {
    for await (const piece of sink.read()) {
      file.update(piece);
      read += piece.length;
      yield piece;
    }
  };
  const sum = new MemberSum();
  let isManifestRead = false;
  try {
    for await (const member of readTar(decompress(counted(), compression, UNLIMITED, signal), UNLIMITED)) {
      const hash = createHash('sha256');
      for await (const piece of member.content) hash.update(piece);
      const content = hash.digest('hex');
      if (isManifestRead) throw differs('something follows its manifest');
      if (member.name === `./${MANIFEST_NAME}`) {
        isManifestRead = content === createHash('sha256').update(serialiseJson(manifest)).digest('hex');
      } else sum.add(member, member.type === 'file' ? content : null);
    }
  } catch (error) {
    const named = nameFault(error, 'The new archive');
    throw named === error ? error : differs(error instanceof Error ? error.message : '', error);
  }
  if (!isManifestRead) throw differs('its manifest is another');
  if (sum.count !== manifest.members.count || sum.digest() !== manifest.members.sha256)
    throw differs('its members are not those that were written');
  if (read !== bytes) throw differs(`${bytes} bytes were written and ${read} were read`);
  return file.digest('hex');
}

function differs(why: string, cause?: unknown): SalvorError {
  return new SalvorError('archive-differs', { archive: 'The new archive', why }, { cause });
}
