/** One worker thread of a pool: packs the blocks that it is sent. */
import { parentPort } from 'node:worker_threads';
import { type BlockJob, packBlock } from './pack-block.ts';
import type { PackReply } from './pack-pool.ts';

if (parentPort === null) throw new Error('pack-worker.ts runs as a worker thread only');
const port = parentPort;

port.on('message', ({ id, job }: { readonly id: number; readonly job: BlockJob }) => {
  const packed = packBlock(job);
  // A copy of its own, which can change hands; the library's buffers belong to a pool or are far too large.
  const bytes = new Uint8Array(packed.length);
  bytes.set(packed);
  const reply: PackReply = { id, bytes, block: job.bytes };
  port.postMessage(reply, [bytes.buffer, job.bytes.buffer]);
});
