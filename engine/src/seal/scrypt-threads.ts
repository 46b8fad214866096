/**
 * scrypt with its lanes spread over threads. Node's own takes them one after another on one core, half a second for a
 * password that a person chose, while every other core waits: for a command that looks at one file that was most of
 * its time. Same result, tried against Node's before it is believed; where it can't be had, Node's own is used.
 *
 *   PBKDF2 → p lanes of 128·r bytes → each mixed for itself → PBKDF2     (RFC 7914, section 6)
 */
import { pbkdf2Sync, scryptSync } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { ScryptCost } from '../format/key-file.ts';
import { adviseHugePages, giveMemoryBack } from '../libc.ts';
import { laneMemory, mixLanes } from './scrypt-lanes.ts';
import { scryptModule } from './scrypt-wasm.ts';
import type { ScryptShare } from './scrypt-worker.ts';

/** Below this a thread costs more than it saves; above that, one costs more memory than anybody should give. */
const MIN_WORK = 4 * 32_768 * 8;
const MAX_LANE_BYTES = 64 * 1024 * 1024;
/** 64 MiB each for restic's numbers: more would be the peak of what a backup takes. */
const MAX_THREADS = 2;

let isTried: boolean | undefined;

/** What scrypt derives, or null where threads gain nothing or can't be had. */
export async function scryptInThreads(
  password: string,
  salt: Uint8Array,
  bytes: number,
  { N, r, p }: ScryptCost,
): Promise<Buffer | null> {
  const threads = Math.min(p, availableParallelism(), MAX_THREADS);
  const isPower = N > 1 && Number.isInteger(Math.log2(N));
  if (threads < 2 || !isPower || N * r * p < MIN_WORK || 128 * N * r > MAX_LANE_BYTES) return null;
  const module = scryptModule();
  if (!(isTried ??= givesWhatNodeGives(module))) return null;
  const lane = 128 * r;
  const blocks = new SharedArrayBuffer(p * lane);
  new Uint8Array(blocks).set(pbkdf2Sync(password, salt, 1, p * lane, 'sha256'));
  try {
    const lanesEach = Math.ceil(p / threads);
    await Promise.all(
      Array.from({ length: Math.ceil(p / lanesEach) }, async (_, n) => {
        const memory = laneMemory(N, r);
        // Sixteen thousand small pages take longer to be had than to be filled.
        adviseHugePages(new Uint8Array(memory.buffer));
        const at = n * lanesEach * lane;
        try {
          await mixInThread({ module, memory, blocks, at, bytes: Math.min(lanesEach * lane, p * lane - at), N, r });
        } finally {
          // 64 MiB each, with what a password could be guessed by sooner.
          giveMemoryBack(new Uint8Array(memory.buffer));
        }
      }),
    );
  } catch {
    return null;
  }
  return pbkdf2Sync(password, Buffer.from(new Uint8Array(blocks)), 1, bytes, 'sha256');
}

async function mixInThread(share: ScryptShare): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const worker = new Worker(new URL('./scrypt-worker.ts', import.meta.url), { workerData: share });
  worker.once('message', () => resolve());
  worker.once('error', reject);
  worker.once('exit', () => reject(new Error('a thread ended early')));
  await promise;
}

/** A few small lanes, an odd number of them. */
function givesWhatNodeGives(module: WebAssembly.Module): boolean {
  const [N, r, p] = [16, 8, 3];
  const blocks = pbkdf2Sync('trial', 'salt', 1, 128 * r * p, 'sha256');
  mixLanes(module, laneMemory(N, r), blocks, { N, r });
  return pbkdf2Sync('trial', blocks, 1, 64, 'sha256').equals(scryptSync('trial', 'salt', 64, { N, r, p }));
}
