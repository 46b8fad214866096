/**
 * Writes the content of some thousand files: needs by pack, each range of a pack loaded once, opened and written by a
 * worker. A file whose blobs come in one range is finished there; others when the last of their ranges is done.
 */
import type { Problem } from '../errors.ts';
import { inParallel } from '../lib/in-parallel.ts';
import type { BlobReader } from '../pack/blob-reader.ts';
import { SEAL_OVERHEAD_BYTES } from '../seal/master-key.ts';
import { RANGE_BYTES } from '../limits.ts';
import { planRanges } from './pack-ranges.ts';
import type { Need, PackRange } from './pack-ranges.ts';
import type { FileToWrite, Metadata, RestoreAnswer, RestoreJob, WantedBlob } from './restore-jobs.ts';

export type FileToRestore = {
  readonly path: string;
  /** Below the target. */
  readonly relative: string;
  readonly metadata: Metadata;
  readonly content: readonly string[];
};

export type WindowPool = {
  readonly size: number;
  run(worker: number, job: RestoreJob, transfer?: readonly ArrayBuffer[]): Promise<RestoreAnswer>;
};

export type WindowOptions = {
  readonly pool: WindowPool;
  readonly reader: BlobReader;
  readonly load: (pack: string, offset: number, length: number, into: ArrayBuffer | undefined) => Promise<Buffer>;
  readonly verify: boolean;
  /** Whether the workers have a directory to take files from. */
  readonly reuses: boolean;
  readonly signal: AbortSignal | undefined;
  readonly onBytes: (bytes: number) => void;
  /** Told of each file of which something was there already. */
  readonly onReused: (bytes: number) => void;
};

type Target = { readonly file: number; readonly offset: number };

/** Ranges on their way per worker: one being written, one being loaded. */
const RANGES_PER_WORKER = 2;
const BATCH_FILES = 64;

/** Restores the files; returns what could not be set on them. */
export async function restoreWindow(all: readonly FileToRestore[], options: WindowOptions): Promise<Problem[]> {
  const problems: Problem[] = [];
  await options.reader.ensure('data', contentOf(all));
  const wanted = options.reuses
    ? await reuseFiles(all, options, problems)
    : all.map((file) => ({ file, missing: null }));
  // What was there whole is finished.
  const wantedFiles = wanted.filter(({ missing }) => missing === null || missing.size > 0);
  const files = wantedFiles.map(({ file }) => file);
  const ranges = planRanges(needsOf(wantedFiles, options.reader));
  const rangesOfFile = countRanges(ranges, files.length);
  const left = Uint32Array.from(rangesOfFile);
  const spare: ArrayBuffer[] = [];
  await inParallel(ranges, options.pool.size * RANGES_PER_WORKER, async (range, slot) => {
    options.signal?.throwIfAborted();
    // As much for each, so that all can be used again; a range may be larger where a blob is.
    const into = range.length > RANGE_BYTES ? undefined : (spare.pop() ?? new ArrayBuffer(RANGE_BYTES));
    const bytes = await options.load(range.pack, range.offset, range.length, into);
    const worker = slot % options.pool.size;
    const job = writeJob(range, bytes, files, rangesOfFile);
    const answer = await options.pool.run(worker, job.job, [bytes.buffer as ArrayBuffer]);
    if (answer.kind !== 'write') return;
    if (answer.memory.byteLength === RANGE_BYTES) spare.push(answer.memory);
    problems.push(...answer.problems);
    options.onBytes(answer.bytes);
    const finished: { path: string; metadata: Metadata }[] = [];
    for (const number of job.files) {
      const file = files[number];
      left[number] = (left[number] ?? 1) - 1;
      if (left[number] === 0 && (rangesOfFile[number] ?? 0) > 1 && file !== undefined) finished.push(file);
    }
    if (finished.length === 0) return;
    const done = await options.pool.run(worker, {
      kind: 'finish',
      files: finished.map(({ path, metadata }) => ({ path, metadata })),
    });
    if (done.kind === 'finish') problems.push(...done.problems);
  });
  if (options.verify) await verifyFiles(all, options);
  return problems;
}

function* contentOf(files: readonly FileToRestore[]): Generator<string> {
  for (const { content } of files) yield* content;
}

/** A file, and the numbers of the pieces that it lacks; null where nothing of it is there. */
type Wanted = { readonly file: FileToRestore; readonly missing: ReadonlySet<number> | null };

/** Takes what is there already. */
async function reuseFiles(
  files: readonly FileToRestore[],
  options: WindowOptions,
  problems: Problem[],
): Promise<readonly Wanted[]> {
  const found: Wanted[] = [];
  await inBatches(files, options, async (batch, worker, first) => {
    const wanted = batch.map((file) => ({ ...file, content: describeContent(file, options.reader) }));
    const answer = await options.pool.run(worker, { kind: 'reuse', files: wanted });
    if (answer.kind !== 'reuse') return;
    problems.push(...answer.problems);
    for (const [index, { missing, bytes }] of answer.files.entries()) {
      const file = batch[index] as FileToRestore;
      found[first + index] = { file, missing: new Set(missing) };
      if (bytes === 0) continue;
      options.onReused(bytes);
      options.onBytes(bytes);
    }
  });
  return found;
}

function describeContent({ content }: FileToRestore, reader: BlobReader): { id: string; bytes: number }[] {
  return content.map((id) => ({ id, bytes: plainBytesOf(reader, id) }));
}

function* needsOf(files: readonly Wanted[], reader: BlobReader): Generator<Need<Target>> {
  const targets = new Map<string, Target[]>();
  for (const [
    file,
    {
      file: { content },
      missing,
    },
  ] of files.entries()) {
    let offset = 0;
    for (const [number, id] of content.entries()) {
      const target = { file, offset };
      offset += plainBytesOf(reader, id);
      if (missing?.has(number) === false) continue;
      const known = targets.get(id);
      if (known === undefined) targets.set(id, [target]);
      else known.push(target);
    }
  }
  for (const [id, list] of targets) yield { id, place: reader.place('data', id), targets: list };
}

function plainBytesOf(reader: BlobReader, id: string): number {
  const place = reader.place('data', id);
  return place.plainBytes ?? place.length - SEAL_OVERHEAD_BYTES;
}

function countRanges(ranges: readonly PackRange<Target>[], files: number): Uint32Array {
  const counts = new Uint32Array(files);
  for (const range of ranges) {
    const inRange = new Set(range.needs.flatMap((need) => need.targets.map((target) => target.file)));
    for (const file of inRange) counts[file] = (counts[file] ?? 0) + 1;
  }
  return counts;
}

function writeJob(
  range: PackRange<Target>,
  bytes: Buffer,
  files: readonly FileToRestore[],
  rangesOfFile: Uint32Array,
): { job: RestoreJob; files: readonly number[] } {
  const numbers = new Map<number, number>();
  const written: FileToWrite[] = [];
  const numberOf = (file: number): number => {
    const known = numbers.get(file);
    if (known !== undefined) return known;
    const { path, metadata } = files[file] as FileToRestore;
    numbers.set(file, written.length);
    return written.push({ path, metadata: rangesOfFile[file] === 1 ? metadata : null }) - 1;
  };
  const blobs: WantedBlob[] = range.needs.map(({ id, place, targets }) => ({
    id,
    at: place.offset - range.offset,
    length: place.length,
    plainBytes: place.plainBytes,
    targets: targets.map(({ file, offset }) => ({ file: numberOf(file), offset })),
  }));
  return { job: { kind: 'write', pack: range.pack, range: bytes, blobs, files: written }, files: [...numbers.keys()] };
}

async function verifyFiles(files: readonly FileToRestore[], options: WindowOptions): Promise<void> {
  await inBatches(files, options, async (batch, worker) => {
    const wanted = batch.map((file) => ({ path: file.path, content: describeContent(file, options.reader) }));
    await options.pool.run(worker, { kind: 'verify', files: wanted });
  });
}

async function inBatches(
  files: readonly FileToRestore[],
  { pool, signal }: WindowOptions,
  work: (batch: readonly FileToRestore[], worker: number, first: number) => Promise<void>,
): Promise<void> {
  const starts: number[] = [];
  for (let at = 0; at < files.length; at += BATCH_FILES) starts.push(at);
  await inParallel(starts, pool.size * RANGES_PER_WORKER, async (first, slot) => {
    signal?.throwIfAborted();
    await work(files.slice(first, first + BATCH_FILES), slot % pool.size, first);
  });
}
