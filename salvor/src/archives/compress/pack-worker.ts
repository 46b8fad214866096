/** One worker thread of a pool: packs the blocks that it is sent. */
import { parentPort } from 'node:worker_threads';
import { type BlockJob, packBlock } from './pack-block.ts';
import type { PackReply } from './pack-pool.ts';

if (parentPort === null) throw new Error('pack-worker.ts runs as a worker thread only');
const port = parentPort;

port.on('message', ({ id, job }: { readonly id: number; readonly job: BlockJob }) => {
  const packed = packBlock(job);
  // It goes back in the memory that the block came in: new memory for each block would keep the collector busy.
  const memory = job.bytes.buffer;
  const bytes = packed.length <= memory.byteLength ? new Uint8Array(memory, 0, packed.length) : Uint8Array.from(packed);
  bytes.set(packed);
  const reply: PackReply = { id, bytes, block: new Uint8Array(memory) };
  port.postMessage(reply, bytes.buffer === memory ? [memory] : [bytes.buffer, memory]);
});
