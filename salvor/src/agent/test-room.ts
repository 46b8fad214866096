/** A host's queue without a host: tasks whose bodies a test writes, on a store of their own. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AuditLog } from '../lib/audit-log.ts';
import { openStore } from '../store/open-store.ts';
import { Journals } from './journals.ts';
import { Locks } from './locks.ts';
import { Way } from './way.ts';
import { type QueueLimits, STANDARD_LIMITS } from './queue-limits.ts';
import { Queue } from './queue.ts';
import { recoverHost } from './recover.ts';
import type { TaskRoom } from './run-task.ts';
import { TaskLog } from './task-log.ts';

export type TestRoom = AsyncDisposable & {
  readonly room: TaskRoom;
  readonly queue: Queue;
  readonly said: string[];
  /** The load that the host claims to have. */
  setLoad(load: number): void;
};

/** A store there is as durable as these tests need, and does not wait for a disk that others use. */
const IN_MEMORY = '/dev/shm';

/** Looks every few milliseconds, so that no test waits. `state` is an earlier room's, as another process would open it. */
export async function openTestRoom(limits: Partial<QueueLimits> = {}, state?: string): Promise<TestRoom> {
  await using made = new AsyncDisposableStack();
  const directory = state ?? mkdtempSync(join(existsSync(IN_MEMORY) ? IN_MEMORY : tmpdir(), 'salvor-queue-'));
  if (state === undefined) made.defer(() => rmSync(directory, { recursive: true }));
  const store = made.use(await openStore(directory));
  const hurried = { ...STANDARD_LIMITS, pollMs: 5, beatMs: 5, backoffMs: 10, ...limits };
  const said: string[] = [];
  const host = { load: 0 };
  const clock = (): Date => new Date();
  const who = 'the test';
  const room: TaskRoom = {
    state: directory,
    locks: made.use(new Locks(directory)),
    journals: new Journals(directory),
    log: new TaskLog(store, hurried),
    auditLog: new AuditLog(directory, { clock, who }),
    limits: hurried,
    way: new Way(() => ({ [Symbol.dispose]: () => {} })),
    clock,
    uptime: () => ({ boot: 'one', seconds: performance.now() / 1000 }),
    who,
    random: Math.random,
    randomBytes: (count) => new Uint8Array(count),
    say: (line) => void said.push(line),
    administratorOf: () => Promise.reject(new Error('no server')),
    load: () => host.load,
    hooksOf: () => null,
    recover: () => recoverHost(room, () => Promise.resolve()),
  };
  const resources = made.move();
  return {
    room,
    queue: new Queue(room),
    said,
    setLoad: (load) => void (host.load = load),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}
