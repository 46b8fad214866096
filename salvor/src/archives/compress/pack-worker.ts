/** One worker thread of a pool: packs the blocks that it is told of, in memory that it shares with who tells it. */
import { parentPort } from 'node:worker_threads';
import { packBlock } from './pack-block.ts';
import type { PackReply, PackRequest } from './pack-pool.ts';

if (parentPort === null) throw new Error('pack-worker.ts runs as a worker thread only');
const port = parentPort;

port.on('message', ({ id, job, target }: PackRequest) => {
  const reply: PackReply = { id, length: packBlock(job, target) };
  port.postMessage(reply);
});
