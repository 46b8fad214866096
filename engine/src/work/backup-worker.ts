/** One worker thread of a backup: scans directories, reads files, takes pieces of streams, and seals what is new. */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { Chunker } from '../chunk/chunker.ts';
import type { Polynomial } from '../chunk/polynomial.ts';
import { EngineError, reasonOf } from '../errors.ts';
import { encodeListing, encodeTree } from '../format/tree-node.ts';
import { openStored } from '../pack/open-blob.ts';
import { PACK_BUFFER_BYTES, PACK_PIECE_BYTES } from '../pack/pack-builder.ts';
import { MasterKey } from '../seal/master-key.ts';
import type { MasterKeyParts } from '../seal/master-key.ts';
import { readFile } from '../tree/read-file.ts';
import { WorkingDirectory } from '../tree/working-directory.ts';
import type { BackupAnswer, BackupJob, BlobToTransfer, ListingParts } from './backup-jobs.ts';
import { describeFailure } from './pool.ts';
import type { WorkerJob } from './pool.ts';
import { Scans } from './scans.ts';
import { SealChain } from './seal-chain.ts';
import type { PackNews, RepositoryShare } from './seal-chain.ts';

export type BackupWorkerData = {
  readonly polynomial: Polynomial;
  readonly repositories: readonly RepositoryShare[];
  /** Opens what comes out of another repository: parent listings, blobs to transfer. */
  readonly sourceKey: MasterKeyParts;
  /** 1 for each repository that is still in the pass. */
  readonly live: Int32Array;
  /** Saved packs give their buffers back here; `returned[0]` counts them. */
  readonly returns: MessagePort;
  readonly returned: Int32Array;
};

/** Buffers of one worker that may wait for storage, whole packs or pieces: more would be memory without speed. */
const MAX_SHIPPED_PACKS = 2;
const MAX_SHIPPED_PIECES = 5;

if (parentPort === null) throw new Error('backup-worker.ts runs as a worker thread only');
const port = parentPort;
const data = workerData as BackupWorkerData;
const sourceKey = new MasterKey(data.sourceKey);
const directory = WorkingDirectory.ofThread();
const firstKey = new MasterKey((data.repositories[0] as RepositoryShare).key);

let shippedPacks = 0;
let shippedPieces = 0;
const spare = new Map<number, ArrayBuffer[]>([
  [PACK_BUFFER_BYTES, []],
  [PACK_PIECE_BYTES, []],
]);

function collectReturns(): void {
  for (
    let message = receiveMessageOnPort(data.returns);
    message !== undefined;
    message = receiveMessageOnPort(data.returns)
  ) {
    const buffer = message.message as ArrayBuffer;
    if (buffer.resizable) shippedPieces -= 1;
    else shippedPacks -= 1;
    // One that grew for a large blob or a huge listing is not kept.
    spare.get(buffer.byteLength)?.push(buffer);
  }
}

const chain = new SealChain(data.repositories, {
  ship(pack: PackNews) {
    if (pack.buffer.resizable) shippedPieces += 1;
    else shippedPacks += 1;
    port.postMessage({ kind: 'news', news: pack }, [pack.buffer]);
    for (;;) {
      const seen = Atomics.load(data.returned, 0);
      collectReturns();
      if (shippedPacks < MAX_SHIPPED_PACKS && shippedPieces < MAX_SHIPPED_PIECES) return;
      Atomics.wait(data.returned, 0, seen);
    }
  },
  isLive(repository) {
    return Atomics.load(data.live, repository) === 1;
  },
  spareBuffer(bytes) {
    collectReturns();
    return spare.get(bytes)?.pop();
  },
});

/** Files have one chunker; each stream in work has its own, because its pieces come between other jobs. */
const fileChunker = new Chunker(data.polynomial);
const streamChunkers: Chunker[] = [];
const streams = new Map<number, { readonly chunker: Chunker; readonly content: string[]; bytes: number }>();

const scans = new Scans({ directory, chain, sourceKey, storeTree });

const storeData = (chunk: Buffer): string => chain.store('data', chunk);

function run(job: BackupJob): BackupAnswer {
  switch (job.kind) {
    case 'scan':
      return { kind: 'scan', answers: job.directories.map((each) => scans.begin(each)) };
    case 'scan-on':
      return { kind: 'scan-on', answer: scans.goOn(job.scan) };
    case 'read':
      return { kind: 'read', files: job.files.map((file) => readFile(directory, file, fileChunker, storeData)) };
    case 'tree':
      return { kind: 'tree', ids: job.trees.map((parts) => storeTree(parts)) };
    case 'piece':
      return piece(job.stream, job.bytes, job.isLast);
    case 'blobs':
      return {
        kind: 'blobs',
        ids: job.ends.map((end, at) => chain.store('data', job.bytes.subarray(job.ends[at - 1] ?? 0, end))),
      };
    case 'transfer':
      for (const blob of job.blobs) transfer(job.from === 'source' ? sourceKey : firstKey, job.pack, blob, job.range);
      return { kind: 'transfer' };
    case 'hand-over':
      return { kind: 'hand-over', packs: chain.handOver() };
    case 'finish':
      for (const pack of job.packs)
        chain.takeOver(pack.repository, pack.type, Buffer.from(pack.buffer, 0, pack.length), pack.entries);
      chain.finish();
      return { kind: 'finish' };
    default:
      return job satisfies never;
  }
}

function transfer(key: MasterKey, pack: string, blob: BlobToTransfer, range: Uint8Array): void {
  const { type, id, at, length, plainBytes } = blob;
  try {
    const { stored } = openStored(key, id, range.subarray(at, at + length), plainBytes);
    chain.storeAgain(type, id, { bytes: stored, plainBytes });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new EngineError('pack-damaged', { file: pack, reason: reasonOf(error) }, { cause: error });
  }
}

/** Huge listings come in runs of bytes and are never put together. */
function storeTree(parts: ListingParts): string {
  const isSmall = parts.every((part) => typeof part === 'string');
  return isSmall ? chain.store('tree', Buffer.from(encodeTree(parts))) : chain.storePieces(() => encodeListing(parts));
}

function piece(number: number, bytes: Uint8Array, isLast: boolean): BackupAnswer {
  const stream = streams.get(number) ?? {
    chunker: streamChunkers.pop() ?? new Chunker(data.polynomial),
    content: [],
    bytes: 0,
  };
  streams.set(number, stream);
  const { chunker } = stream;
  const cut = (atEnd: boolean): void => {
    for (let chunk = chunker.next(atEnd); chunk !== null; chunk = chunker.next(atEnd))
      stream.content.push(storeData(chunk));
  };
  for (let at = 0; at < bytes.length;) {
    const space = chunker.space();
    const part = bytes.subarray(at, at + space.length);
    space.set(part);
    chunker.advance(part.length);
    at += part.length;
    cut(false);
  }
  stream.bytes += bytes.length;
  if (!isLast) return { kind: 'piece', content: null, bytes: stream.bytes };
  cut(true);
  streams.delete(number);
  chunker.reset();
  streamChunkers.push(chunker);
  return { kind: 'piece', content: stream.content, bytes: stream.bytes };
}

/** What changes hands instead of being copied. */
function buffersOf(answer: BackupAnswer): ArrayBuffer[] {
  if (answer.kind === 'hand-over') return answer.packs.map((pack) => pack.buffer);
  const sections = answer.kind === 'scan' ? answer.answers : answer.kind === 'scan-on' ? [answer.answer] : [];
  return sections.flatMap((section) =>
    'nodes' in section && section.nodes instanceof Uint8Array ? [section.nodes.buffer as ArrayBuffer] : [],
  );
}

port.on('message', ({ job, work }: WorkerJob<BackupJob>) => {
  try {
    const answer = run(work);
    port.postMessage({ kind: 'answer', job, answer }, buffersOf(answer));
  } catch (error) {
    port.postMessage({ kind: 'failure', job, failure: describeFailure(error) });
  }
});
port.postMessage({ kind: 'ready' });
