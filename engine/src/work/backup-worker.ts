/** One worker thread of a backup: scans directories, reads files, takes pieces of streams, and seals what is new. */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { Chunker } from '../chunk/chunker.ts';
import type { Polynomial } from '../chunk/polynomial.ts';
import { EngineError, reasonOf } from '../errors.ts';
import { encodeTree } from '../format/tree-node.ts';
import { openBlob, openStored } from '../pack/open-blob.ts';
import { MasterKey } from '../seal/master-key.ts';
import type { MasterKeyParts } from '../seal/master-key.ts';
import { readFile } from '../tree/read-file.ts';
import { scanDirectory } from '../tree/scan-directory.ts';
import { WorkingDirectory } from '../tree/working-directory.ts';
import type {
  BackupAnswer,
  BackupJob,
  BlobToTransfer,
  DirectoryToScan,
  ScanAnswer,
  SealedTree,
} from './backup-jobs.ts';
import { describeFailure } from './pool.ts';
import type { WorkerJob } from './pool.ts';
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

/** Finished packs of one worker that may wait for storage: more would be memory without speed. */
const MAX_SHIPPED_PACKS = 2;

if (parentPort === null) throw new Error('backup-worker.ts runs as a worker thread only');
const port = parentPort;
const data = workerData as BackupWorkerData;
const sourceKey = new MasterKey(data.sourceKey);
const directory = WorkingDirectory.ofThread();
const firstKey = new MasterKey((data.repositories[0] as RepositoryShare).key);

let shipped = 0;
const spare: ArrayBuffer[] = [];

function collectReturns(): void {
  for (
    let message = receiveMessageOnPort(data.returns);
    message !== undefined;
    message = receiveMessageOnPort(data.returns)
  ) {
    shipped -= 1;
    spare.push(message.message as ArrayBuffer);
  }
}

const chain = new SealChain(data.repositories, {
  ship(pack: PackNews) {
    shipped += 1;
    port.postMessage({ kind: 'news', news: pack }, [pack.buffer]);
    for (;;) {
      const seen = Atomics.load(data.returned, 0);
      collectReturns();
      if (shipped < MAX_SHIPPED_PACKS) return;
      Atomics.wait(data.returned, 0, seen);
    }
  },
  isLive(repository) {
    return Atomics.load(data.live, repository) === 1;
  },
  spareBuffer() {
    collectReturns();
    return spare.pop();
  },
});

/** Files have one chunker; each stream in work has its own, because its pieces come between other jobs. */
const fileChunker = new Chunker(data.polynomial);
const streamChunkers: Chunker[] = [];
const streams = new Map<number, { readonly chunker: Chunker; readonly content: string[]; bytes: number }>();

const storeData = (chunk: Buffer): string => chain.store('data', chunk);

function run(job: BackupJob): BackupAnswer {
  switch (job.kind) {
    case 'scan':
      return { kind: 'scan', answers: job.directories.map(scan) };
    case 'read':
      return { kind: 'read', files: job.files.map((file) => readFile(directory, file, fileChunker, storeData)) };
    case 'tree':
      return { kind: 'tree', ids: job.trees.map((nodes) => storeTree(nodes)) };
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

const storeTree = (nodes: readonly string[]): string => chain.store('tree', Buffer.from(encodeTree(nodes)));

function scan({ name, place, parent, excluded }: DirectoryToScan): ScanAnswer {
  const found = scanDirectory(directory, {
    name,
    place,
    parent: parent === null ? null : openTree(parent),
    excluded: new Set(excluded),
    isStored: (id) => chain.isStored('data', id),
    isLacking: (id) => chain.isLacking('data', id),
  });
  if ('failure' in found) return found;
  const { nodes, directories, files, problems, unmodifiedFiles, unmodifiedBytes, lacking, head } = found;
  const isComplete = directories.length === 0 && files.length === 0;
  const tree = isComplete ? storeTree(nodes.filter((node) => node !== null)) : null;
  const left = isComplete ? [] : nodes;
  return { nodes: left, directories, files, problems, unmodifiedFiles, unmodifiedBytes, lacking, head, tree };
}

/** A parent listing that is damaged is no parent: everything below is read again. */
function openTree(tree: SealedTree): string | null {
  try {
    return openBlob(sourceKey, tree.id, tree.sealed, tree.plainBytes).toString('utf8');
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
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

port.on('message', ({ job, work }: WorkerJob<BackupJob>) => {
  try {
    const answer = run(work);
    const transferred = answer.kind === 'hand-over' ? answer.packs.map((pack) => pack.buffer) : [];
    port.postMessage({ kind: 'answer', job, answer }, transferred);
  } catch (error) {
    port.postMessage({ kind: 'failure', job, failure: describeFailure(error) });
  }
});
port.postMessage({ kind: 'ready' });
