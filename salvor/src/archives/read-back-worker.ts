/**
 * The thread that reads an archive back: it follows a file that grows, unpacks it as a restore does, and tells what it
 * saw when it is told that all of it is there.
 */
import { createHash } from 'node:crypto';
import { fstatSync, readSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { MANIFEST_NAME } from './archive-manifest.ts';
import { decompress } from './compress/decompress.ts';
import { UNLIMITED } from './limits.ts';
import { MemberSum } from './member-sum.ts';
import type { ArchiveRead, ReadBackCall, ReadBackWanted } from './read-back.ts';
import { ArchiveFault } from './tar/archive-fault.ts';
import { readTar } from './tar/read-tar.ts';

const PIECE_BYTES = 256 * 1024;

if (parentPort === null) throw new Error('read-back-worker.ts runs as a worker thread only');
const port = parentPort;
const { descriptor, compression } = workerData as ReadBackWanted;

let isAllThere = false;
let called = Promise.withResolvers<void>();
port.on('message', (call: ReadBackCall) => {
  isAllThere ||= call === 'all';
  called.resolve();
  called = Promise.withResolvers();
});

const file = createHash('sha256');
let bytes = 0;

/** The file from its first byte, as it is read from the system. */
async function* follow(): AsyncGenerator<Uint8Array> {
  for (;;) {
    // In this order: what is written before it is said is read before it is believed to be all.
    const wasAllThere = isAllThere;
    const { promise } = called;
    const piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
    const count = readSync(descriptor, piece, 0, piece.length, bytes);
    if (count > 0) {
      bytes += count;
      file.update(piece.subarray(0, count));
      yield piece.subarray(0, count);
    } else if (wasAllThere) return;
    else await promise;
  }
}

async function readArchive(): Promise<ArchiveRead> {
  const members = new MemberSum();
  let manifest: string | null = null;
  let fault: string | null = null;
  try {
    for await (const member of readTar(decompress(follow(), compression, UNLIMITED), UNLIMITED)) {
      if (manifest !== null) throw new ArchiveFault('damaged', 'something follows its manifest');
      const hash = createHash('sha256');
      for await (const piece of member.content) hash.update(piece);
      const content = hash.digest('hex');
      if (member.name === `./${MANIFEST_NAME}`) manifest = content;
      else members.add(member, member.type === 'file' ? content : null);
    }
    // What was read while it was written may have been taken back since.
    const { size } = fstatSync(descriptor);
    if (size !== bytes) throw new ArchiveFault('damaged', `${bytes} of its bytes were read and ${size} are there`);
  } catch (error) {
    if (!(error instanceof ArchiveFault)) throw error;
    fault = error.message;
  }
  const sums = { count: members.count, sha256: members.digest() };
  return { fault, bytes, sha256: file.digest('hex'), members: sums, manifest };
}

port.postMessage(await readArchive());
port.close();
