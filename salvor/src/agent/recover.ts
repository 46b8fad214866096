/**
 * Finishes or undoes what a crash left, before anything else is done. Asks disk and server what is there and assumes
 * nothing; the journals only say where to look.
 *
 *   for each journal whose process is gone: lock the site → end what its commands left running → finish or undo (tasks/recover-task.ts) → close its row
 *   rows that say `running` with no process and no journal → failed; `queued`, and their process is gone → cancelled, or
 *   left to whoever serves the host
 *   private directories and lock files of dead tasks → removed
 */
import { readdirSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { SalvorError } from '../errors.ts';
import { isAlive } from '../lib/process-identity.ts';
import { endTree } from '../lib/process-tree.ts';
import type { TaskRow } from '../store/tables.ts';
import { removeUnfinishedArchive } from '../tasks/archive-point.ts';
import { recoverTask } from '../tasks/recover-task.ts';
import { parseTaskId } from '../tasks/task-id.ts';
import { holdsSite } from './queue-limits.ts';
import { readRowWish } from './row-wish.ts';
import { type TaskRoom, closeTask, scratchOf } from './run-task.ts';
import { processOf } from './task-log.ts';
import { Words } from './words.ts';
import { makeDirectories } from '../lib/make-directories.ts';

/** Another command's recovery is waited for; it may have to remove a large tree. */
const MAX_WAIT_MS = 10 * 60_000;
const WAIT_STEP_MS = 50;

/** For what the task's commands have left running: killed, it is gone at once, or its disk is. */
const MAX_END_MS = 30_000;

const KILLED = 'the process was killed';

/** `unlock` removes what a dead process left of an account's repository locks. */
export async function recoverHost(room: TaskRoom, unlock: (account: string) => Promise<void>): Promise<void> {
  if (!hasLeftovers(room) && (await findGone(room)).length === 0) return;
  using held = new DisposableStack();
  held.use(await waitForRecovery(room));
  const gone = await findGone(room);
  for (const journal of room.journals.list()) {
    if (journal.phase === 'kept' || isAlive(journal.process)) continue;
    await recoverOne(room, journal.task);
  }
  for (const row of await findGone(room)) {
    const id = parseTaskId(row.id);
    const journal = id === null ? null : room.journals.read(id);
    const ended = room.clock();
    if (row.state === 'queued' && isForServer(room, row)) {
      await room.log.leave(row.id, ended);
      await tell(room, row.id, 'the process that waited for its turn is gone: whoever serves this host does it');
    } else if (row.state === 'queued')
      await room.log.end(row.id, { state: 'cancelled', ended, error: 'the process that waited for its turn is gone' });
    // Killed between the journal's last word and the row's.
    else if (journal === null) {
      await tell(room, row.id, 'its process is gone; nothing of it is left, and how it ended was not written down');
      await room.log.end(row.id, { state: 'failed', ended, error: KILLED });
    } else if (journal.phase === 'kept') {
      removeUnfinishedArchive(journal.site.home, journal.task);
      await tell(room, row.id, 'its process is gone; it had come to its end');
      await closeTask(room, journal, { state: 'succeeded', error: null });
    }
  }
  for (const account of new Set(gone.map((row) => row.account))) {
    // A repository that can't be opened says so to whoever wants it next.
    await unlock(account).catch((error: unknown) => room.say(`repository of ${account}: ${String(error)}`));
  }
  sweepScratch(room);
  room.locks.sweep();
  room.journals.sweep(room.clock());
}

async function tell(room: TaskRoom, task: string, line: string): Promise<void> {
  const words = new Words(room, task);
  words.say(line);
  await words.flush();
}

/** Whether somebody who serves the host is to do what another process waited for: what is old may be wanted no more. */
function isForServer(room: TaskRoom, row: TaskRow): boolean {
  const isRecent = room.clock().getTime() - Date.parse(row.queued) < MAX_LEFT_MS;
  return isRecent && room.locks.isServed(processOf(row)) && readRowWish(row) !== null;
}

/** A night and the day after it. */
const MAX_LEFT_MS = 24 * 3_600_000;

/** What can't be recovered now (its database server may be down) stays, and is said; other sites must not wait for it. */
async function recoverOne(room: TaskRoom, task: Parameters<TaskRoom['journals']['read']>[0]): Promise<void> {
  const left = room.journals.read(task);
  if (left === null) return;
  const { site: place, target } = left;
  const words = new Words({ ...room, say: (line) => room.say(`recovering ${task}: ${line}`) }, task);
  using held = new DisposableStack();
  try {
    if (holdsSite(left.operation)) held.use(room.locks.lockSite(place, task));
    if (target !== undefined && target.uri !== place.uri) held.use(room.locks.lockSite(target, task));
    const journal = room.journals.read(task);
    if (journal === null) return;
    words.say(`its process is gone; it had come to “${journal.phase}”`, { kind: 'warning', code: null });
    const row = await room.log.read(task);
    if (row !== null && room.hooksOf(row) !== null)
      words.say('no hook runs now: of one whose end is not said above it is not known how far it came');
    const ended = await endTree(task, { withinMs: MAX_END_MS });
    if (ended > 0) words.say(`ended ${ended} processes that its hooks or Drush had left running`);
    const recovered = await recoverTask(journal, { ...room, say: words.say, audit: room.auditLog.for(task) });
    if (removeUnfinishedArchive(place.home, task)) words.say('removed the archive that was not finished');
    words.say(`ended ${recovered.state}`);
    await words.flush();
    await closeTask(room, recovered.journal, { state: recovered.state, error: KILLED });
  } catch (error) {
    if (!(error instanceof SalvorError)) throw error;
    words.say(`could not be done now: ${error.message}`, { kind: 'error', code: error.code });
    if (error.code === 'site-busy') return;
    await words.flush();
    await room.log.end(task, {
      state: 'rollback-failed',
      ended: room.clock(),
      error: error.message,
      errorCode: error.code,
    });
  }
}

function hasLeftovers(room: TaskRoom): boolean {
  const isLeft = room.journals.list().some(({ phase, process }) => phase !== 'kept' && !isAlive(process));
  return isLeft || room.locks.hasDead() || listScratch(room).some((name) => !isScratchUsed(room, name));
}

async function findGone(room: TaskRoom): Promise<readonly TaskRow[]> {
  return (await room.log.readHeld()).filter((row) => !isAlive(processOf(row)));
}

async function waitForRecovery(room: TaskRoom): Promise<Disposable> {
  for (let waited = 0; ; waited += WAIT_STEP_MS) {
    const lock = room.locks.tryLockRecovery();
    if (lock !== null) return lock;
    if (waited > MAX_WAIT_MS)
      throw new SalvorError('site-busy', { site: 'This host', task: 'recovery', process: 'another' });
    await sleep(WAIT_STEP_MS);
  }
}

function listScratch(room: TaskRoom): readonly string[] {
  makeDirectories(scratchOf(room.state, ''), 0o700);
  return readdirSync(scratchOf(room.state, ''));
}

function isScratchUsed(room: TaskRoom, name: string): boolean {
  const id = parseTaskId(name);
  const journal = id === null ? null : room.journals.read(id);
  return journal !== null && isAlive(journal.process);
}

function sweepScratch(room: TaskRoom): void {
  for (const name of listScratch(room)) {
    const id = parseTaskId(name);
    if (id !== null && !isScratchUsed(room, name)) rmSync(scratchOf(room.state, id), { recursive: true, force: true });
  }
}
