/** One thread of `scrypt-threads.ts`: mixes its lanes and ends. */
import { parentPort, workerData } from 'node:worker_threads';
import { mixLanes } from './scrypt-lanes.ts';

/** `blocks`, which several threads share, from `at` on are `bytes` of lanes. */
export type ScryptShare = {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly blocks: SharedArrayBuffer;
  readonly at: number;
  readonly bytes: number;
  readonly N: number;
  readonly r: number;
};

if (parentPort === null) throw new Error('scrypt-worker.ts runs as a worker thread only');
const port = parentPort;
const { module, memory, blocks, at, bytes, N, r } = workerData as ScryptShare;
mixLanes(module, memory, new Uint8Array(blocks, at, bytes), { N, r });
port.postMessage('mixed');
