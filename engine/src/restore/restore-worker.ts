/** One worker thread of a restore or a check: opens blobs, writes files, reads them back. */
import { hash } from 'node:crypto';
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { EngineError, reasonOf, systemCode } from '../errors.ts';
import type { Problem } from '../errors.ts';
import { HEADER_LENGTH_BYTES, decodePackHeader } from '../format/pack-header.ts';
import type { PackEntry } from '../format/pack-header.ts';
import { MAX_CHUNK_BYTES, MAX_PACK_HEADER_BYTES } from '../limits.ts';
import { lookIntoBlob } from '../pack/open-blob.ts';
import { MasterKey } from '../seal/master-key.ts';
import type { MasterKeyParts } from '../seal/master-key.ts';
import { displayPath, systemPath } from '../tree/byte-path.ts';
import { describeFailure } from '../work/pool.ts';
import type { WorkerJob } from '../work/pool.ts';
import type { FileToWrite, RestoreAnswer, RestoreJob, WantedBlob } from './restore-jobs.ts';
import { reuseFile } from './reuse-file.ts';
import { setMetadata } from './set-metadata.ts';

/** `existing`: a directory to take files from, as a path that this process opens; null for none. */
export type RestoreWorkerData = { readonly key: MasterKeyParts; readonly existing?: string | null };

if (parentPort === null) throw new Error('restore-worker.ts runs as a worker thread only');
const port = parentPort;
const { key: keyParts, existing = null } = workerData as RestoreWorkerData;
const key = new MasterKey(keyParts);
const existingFd = existing === null ? null : openSync(existing, constants.O_RDONLY | constants.O_DIRECTORY);

/** Never through a link; readable by nobody else until its owner and mode are set. */
const WRITE_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW;
const PRIVATE = 0o600;
const FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT']);

function run(job: RestoreJob): RestoreAnswer {
  switch (job.kind) {
    case 'write':
      return writeBlobs(job.pack, job.range, job.blobs, job.files);
    case 'reuse':
      return reuseFiles(job.files);
    case 'finish':
      return { kind: 'finish', problems: job.files.flatMap(({ path, metadata }) => setMetadata(path, metadata)) };
    case 'verify':
      for (const { path, content } of job.files) verifyFile(path, content);
      return { kind: 'verify' };
    case 'check-pack':
      return checkPack(job.pack, job.bytes, job.entries);
    default:
      return job satisfies never;
  }
}

function reuseFiles(files: Extract<RestoreJob, { kind: 'reuse' }>['files']): RestoreAnswer {
  const problems: Problem[] = [];
  const reused = files.map((file) => {
    try {
      const found = reuseFile(existingFd ?? -1, file, readBack);
      if (found.missing.length === 0) problems.push(...setMetadata(file.path, file.metadata));
      return found;
    } catch (error) {
      throw targetError(file.path, error);
    }
  });
  return { kind: 'reuse', files: reused, problems };
}

function writeBlobs(
  pack: string,
  range: Uint8Array,
  blobs: readonly WantedBlob[],
  files: readonly FileToWrite[],
): RestoreAnswer {
  using open = new OpenFiles();
  const begun = new Set<number>();
  const problems: Problem[] = [];
  let bytes = 0;
  for (const blob of blobs) {
    const plain = openWanted(pack, blob, range);
    for (const { file, offset } of blob.targets) {
      const { path, metadata } = files[file] ?? { path: '', metadata: null };
      open.writeAt(path, plain, offset);
      bytes += plain.length;
      // A file of one blob is done now, and need not be opened a second time.
      if (metadata !== null && isOnlyBlob(file, blobs)) finish(path, metadata);
      else begun.add(file);
    }
  }
  for (const file of begun) {
    const { path, metadata } = files[file] ?? { path: '', metadata: null };
    if (metadata !== null) finish(path, metadata);
  }
  return { kind: 'write', bytes, problems, memory: range.buffer as ArrayBuffer };

  function finish(path: string, metadata: NonNullable<FileToWrite['metadata']>): void {
    open.close(path);
    problems.push(...setMetadata(path, metadata));
  }
}

/** Of one range: a process may open no more than some thousand files, and so many can want one blob. */
const MAX_OPEN_FILES = 256;

/** Files that are written to, by their paths. */
class OpenFiles implements Disposable {
  readonly #open = new Map<string, number>();

  writeAt(path: string, bytes: Buffer, offset: number): void {
    try {
      const fd = this.#open.get(path) ?? this.#openFile(path);
      for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at, bytes.length - at, offset + at);
    } catch (error) {
      throw targetError(path, error);
    }
  }

  /** Also one that is not open. */
  close(path: string): void {
    const fd = this.#open.get(path);
    if (fd === undefined) return;
    this.#open.delete(path);
    closeSync(fd);
  }

  [Symbol.dispose](): void {
    for (const fd of this.#open.values()) closeSync(fd);
    this.#open.clear();
  }

  #openFile(path: string): number {
    const [longestOpen] = this.#open.keys();
    if (longestOpen !== undefined && this.#open.size >= MAX_OPEN_FILES) this.close(longestOpen);
    const fd = openSync(systemPath(path), WRITE_FLAGS, PRIVATE);
    this.#open.set(path, fd);
    return fd;
  }
}

let countedFor: readonly WantedBlob[] | undefined;
let counts = new Map<number, number>();

/** Whether the job has one blob only for this file. */
function isOnlyBlob(file: number, blobs: readonly WantedBlob[]): boolean {
  if (countedFor !== blobs) {
    countedFor = blobs;
    counts = new Map();
    for (const blob of blobs)
      for (const target of blob.targets) counts.set(target.file, (counts.get(target.file) ?? 0) + 1);
  }
  return counts.get(file) === 1;
}

function openWanted(pack: string, blob: WantedBlob, range: Uint8Array): Buffer {
  try {
    return lookIntoBlob(key, blob.id, range.subarray(blob.at, blob.at + blob.length), blob.plainBytes);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new EngineError('pack-damaged', { file: pack, reason: reasonOf(error) }, { cause: error });
  }
}

function targetError(path: string, error: unknown): EngineError {
  if (FULL.has(systemCode(error))) return new EngineError('target-full', { path: displayPath(path) }, { cause: error });
  return new EngineError('target-failed', { path: displayPath(path), reason: reasonOf(error) }, { cause: error });
}

const readBack = Buffer.allocUnsafeSlow(MAX_CHUNK_BYTES);

/** Reads a file from the disk again and compares each piece. */
function verifyFile(path: string, content: readonly { readonly id: string; readonly bytes: number }[]): void {
  const differs = (): EngineError =>
    new EngineError('target-failed', { path: displayPath(path), reason: 'what was read back is not what was written' });
  const fd = openSync(systemPath(path), constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    for (const { id, bytes } of content) {
      const buffer = bytes <= readBack.length ? readBack : Buffer.allocUnsafe(bytes);
      for (let at = 0; at < bytes;) {
        const count = readSync(fd, buffer, at, bytes - at, null);
        if (count === 0) throw differs();
        at += count;
      }
      if (hash('sha256', buffer.subarray(0, bytes), 'hex') !== id) throw differs();
    }
    if (readSync(fd, readBack, 0, 1, null) !== 0) throw differs();
  } finally {
    closeSync(fd);
  }
}

/** All that is wrong with a pack, given whole; `listed` is what the index says of it. */
function checkPack(pack: string, bytes: Uint8Array, listed: readonly PackEntry[] | null): RestoreAnswer {
  const errors: string[] = [];
  const damagedBlobs: string[] = [];
  if (hash('sha256', bytes, 'hex') !== pack) errors.push('its bytes do not have the hash that names it');
  const header = onlyDamage(() => decodeHeader(bytes), errors) ?? [];
  const entries = listed ?? header;
  const inHeader = new Map(header.map((entry) => [`${entry.type} ${entry.id} ${entry.offset}`, entry.length]));
  for (const entry of entries) {
    const { type, id, offset, length, plainBytes } = entry;
    if (header.length > 0 && inHeader.get(`${type} ${id} ${offset}`) !== length) {
      errors.push(`its header does not list the blob ${id} as the index does`);
    }
    const found: string[] = [];
    onlyDamage(() => lookIntoBlob(key, id, bytes.subarray(offset, offset + length), plainBytes), found);
    if (found.length > 0) damagedBlobs.push(`${type} ${id}`);
    errors.push(...found.map((reason) => `${type} blob ${id}: ${reason}`));
  }
  return { kind: 'check-pack', errors, entries, damagedBlobs };
}

/** What `read` gives, or null with a word about the damage. */
function onlyDamage<T>(read: () => T, errors: string[]): T | null {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    errors.push(reasonOf(error));
    return null;
  }
}

function decodeHeader(bytes: Uint8Array): PackEntry[] {
  if (bytes.length < HEADER_LENGTH_BYTES) throw new RangeError('it is cut off');
  const end = bytes.length - HEADER_LENGTH_BYTES;
  const length = Buffer.from(bytes.buffer, bytes.byteOffset + end, HEADER_LENGTH_BYTES).readUInt32LE();
  if (length > end) throw new RangeError('its header is cut off');
  if (length > MAX_PACK_HEADER_BYTES) throw new RangeError(`its header claims ${length} bytes`);
  const header = key.open(bytes.subarray(end - length, end));
  if (header === null) throw new RangeError('the seal of its header is broken');
  return decodePackHeader(header);
}

port.on('message', ({ job, work }: WorkerJob<RestoreJob>) => {
  try {
    const answer = run(work);
    port.postMessage({ kind: 'answer', job, answer }, answer.kind === 'write' ? [answer.memory] : []);
  } catch (error) {
    port.postMessage({ kind: 'failure', job, failure: describeFailure(error) });
  }
});
port.postMessage({ kind: 'ready' });
