/**
 * Random histories of processes that want, wait, run, die, cancel and recover, against a reference that knows only what
 * each task has been through. `SALVOR_TEST_SEED` plays a history again.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TaskState } from '@salvor/contract';
import { Random } from '../../../demo/random.ts';
import type { ProcessIdentity } from '../lib/process-identity.ts';
import { makeTaskId } from '../tasks/task-id.ts';
import { SalvorError } from '../errors.ts';
import { chooseSeed } from '../../test/fault/kill-loop.ts';
import { PRIORITIES } from './queue-limits.ts';
import { type TaskLog, isNobodys, processOf } from './task-log.ts';
import { openTestRoom } from './test-room.ts';

const HISTORIES = 12;
const STEPS = 60;
const AT_ONCE = 2;
const SITES = ['a', 'b', 'c'];
const ENDINGS: readonly TaskState[] = ['succeeded', 'warned', 'failed', 'rolled-back', 'cancelled'];

/** What the reference knows of a task. */
type Known = {
  state: TaskState;
  readonly site: string;
  readonly priority: number;
  readonly isNobodys: boolean;
  owner: ProcessIdentity | null;
  /** Who runs it, while somebody does. */
  runner: ProcessIdentity | null;
  isCancelAsked: boolean;
  starts: number;
};

class History {
  readonly #log: TaskLog;
  readonly #random: Random;
  readonly #alive = new Set<number>([1, 2, 3]);
  readonly #known = new Map<string, Known>();
  #pid = 3;
  #nowMs = Date.parse('2026-01-01T00:00:00Z');

  constructor(log: TaskLog, random: Random) {
    this.#log = log;
    this.#random = random;
  }

  async step(): Promise<string> {
    this.#nowMs += this.#random.between(1, 2000);
    const kind = this.#random.between(0, 9);
    if (kind <= 2) return await this.#want();
    if (kind <= 5) return await this.#tryToBegin();
    if (kind === 6) return await this.#end();
    if (kind === 7) return await this.#cancel();
    if (kind === 8) return this.#die();
    return await this.#recover();
  }

  /** Every task that was ever accepted is in the store, in the state that the reference has, and nobody shares a site. */
  async check(): Promise<void> {
    const rows = await this.#log.readLast({ count: 1000 });
    assert.deepEqual(rows.map(({ id }) => id).toSorted(), [...this.#known.keys()].toSorted(), 'a task was lost');
    const busy: string[] = [];
    for (const row of rows) {
      const known = this.#known.get(row.id);
      assert.equal(row.state, known?.state, `task ${row.id}`);
      assert.equal(row.attempt, known?.starts, `task ${row.id} was begun otherwise than was seen`);
      if (row.state === 'running') busy.push(row.uri);
    }
    assert.equal(new Set(busy).size, busy.length, `two tasks of one site: ${busy.join()}`);
    const bound = [...this.#known.values()].filter(
      ({ state, priority }) => state === 'running' && priority < PRIORITIES.restore,
    );
    assert.ok(bound.length <= AT_ONCE, `${bound.length} at once`);
  }

  /** Runs what is left to its end, as the processes that live would: nothing waits for ever. */
  async finish(): Promise<void> {
    await this.#recover();
    for (let rounds = 0; this.#of('queued', 'running').length > 0; rounds++) {
      assert.ok(rounds < 200, 'something waits for ever');
      await this.#look();
      for (const [id] of this.#of('queued')) await this.#begin(id);
      for (const [id] of this.#of('running')) await this.#endOf(id, 'succeeded');
      await this.check();
    }
  }

  async #want(): Promise<string> {
    const id = makeTaskId(new Date(this.#nowMs), () => this.#random.between(0, 999_999) / 1_000_000);
    const isNobodys = this.#random.between(0, 2) === 0;
    const refuseBusy = !isNobodys && this.#random.between(0, 1) === 0;
    const owner = isNobodys ? null : this.#process();
    const site = this.#pick(SITES);
    const priority = this.#pick([PRIORITIES.backup, PRIORITIES.restore, PRIORITIES.maintenance]);
    const place = { account: 'o1', uri: site, path: '/x', home: '/' };
    const task = { id, operation: 'backup', site: place, priority, of: null, wish: null, owner };
    const isTaken = this.#of('running').some(([, known]) => known.site === site && this.#isAlive(known.runner));
    try {
      await this.#log.enqueue({ ...task, attempts: 3, timeoutMs: 1000 }, this.#host(), { refuseBusy });
    } catch (error) {
      assert.ok(refuseBusy && error instanceof SalvorError && error.code === 'site-busy', String(error));
      return `${id} is refused`;
    }
    assert.ok(!refuseBusy || !isTaken, `${id} was taken although ${site} is busy`);
    this.#known.set(id, {
      state: 'queued',
      site,
      priority,
      isNobodys,
      owner,
      runner: null,
      isCancelAsked: false,
      starts: 0,
    });
    return `${id} wants ${site}`;
  }

  async #tryToBegin(): Promise<string> {
    await this.#look();
    const queued = this.#of('queued');
    if (queued.length === 0) return 'nothing waits';
    const [id] = this.#pick(queued);
    return await this.#begin(id);
  }

  /** Twice at the same time, as two processes would: one of them at most has it. */
  async #begin(id: string): Promise<string> {
    const known = this.#get(id);
    if (!known.isNobodys && !this.#isAlive(known.owner)) return `${id} has nobody`;
    const one = known.owner ?? this.#process();
    const other = known.owner ?? this.#process();
    const tries = [await this.#log.start(id, one, this.#host()), await this.#log.start(id, other, this.#host())];
    const started = tries.flatMap((tried) => (tried !== null && 'state' in tried ? [tried] : []));
    assert.ok(started.length <= 1, `${id} has two runners`);
    const [row] = started;
    if (row === undefined) return `${id} waits`;
    assert.ok(!this.#of('running').some(([, { site }]) => site === known.site), `${known.site} is shared`);
    known.state = 'running';
    known.runner = processOf(row);
    known.starts++;
    return `${id} begins`;
  }

  async #end(): Promise<string> {
    const running = this.#of('running').filter(([, { runner }]) => this.#isAlive(runner));
    if (running.length === 0) return 'nothing runs';
    const [id, known] = this.#pick(running);
    const sign = { now: new Date(this.#nowMs), progress: null, problems: 0 };
    const heard = await this.#log.beat(id, known.runner ?? assert.fail(), sign);
    assert.equal(heard.cancelledBy !== null, known.isCancelAsked, `${id} hears of its cancellation`);
    if (this.#random.between(0, 3) === 0) return await this.#tryAgain(id, known);
    return await this.#endOf(id, this.#pick(ENDINGS));
  }

  async #tryAgain(id: string, known: Known): Promise<string> {
    const now = new Date(this.#nowMs);
    const at = new Date(this.#nowMs + 500);
    const again = { at, owner: known.owner, now, error: 'x', errorCode: null };
    const isAgain = await this.#log.tryAgain(id, again);
    assert.equal(isAgain, !known.isCancelAsked, 'what is to stop is not tried again');
    if (isAgain) {
      known.state = 'queued';
      known.runner = null;
    }
    return `${id} is tried again: ${isAgain}`;
  }

  async #endOf(id: string, state: TaskState): Promise<string> {
    assert.ok(await this.#log.end(id, { state, ended: new Date(this.#nowMs) }));
    // Once more, as a recovery that comes late would: it changes nothing.
    assert.equal(await this.#log.end(id, { state: 'failed', ended: new Date(this.#nowMs) }), false);
    this.#get(id).state = state;
    return `${id} ends ${state}`;
  }

  async #cancel(): Promise<string> {
    if (this.#known.size === 0) return 'nothing is known';
    const [id, known] = this.#pick([...this.#known]);
    assert.equal(await this.#log.cancel(id, 'somebody', new Date(this.#nowMs)), known.state);
    if (known.state === 'queued') known.state = 'cancelled';
    else if (known.state === 'running') known.isCancelAsked = true;
    return `${id} is to stop`;
  }

  #die(): string {
    const pid = this.#pick([...this.#alive]);
    this.#alive.delete(pid);
    this.#alive.add(++this.#pid);
    return `process ${pid} dies`;
  }

  /** As `recover.ts` does with rows. */
  async #recover(): Promise<string> {
    for (const row of await this.#log.readHeld()) {
      if (this.#isAlive(processOf(row))) continue;
      const state: TaskState = row.state === 'queued' ? 'cancelled' : this.#pick(['failed', 'rolled-back']);
      assert.ok(await this.#log.end(row.id, { state, ended: new Date(this.#nowMs) }));
      const known = this.#get(row.id);
      assert.ok(known.state === 'running' || (known.state === 'queued' && !isNobodys(row)));
      known.state = state;
    }
    return 'recovery';
  }

  /** All that wait show that they live, and those who serve the host look after the rest. */
  async #look(): Promise<void> {
    const now = new Date(this.#nowMs);
    await this.#log.beatNobodys(now);
    for (const [id, { owner }] of this.#of('queued'))
      if (owner !== null && this.#isAlive(owner)) await this.#log.beat(id, owner, { now, progress: null, problems: 0 });
    this.#nowMs += 500;
  }

  #host(): Parameters<TaskLog['start']>[2] {
    return { now: new Date(this.#nowMs), load: 0, isAlive: (process) => this.#isAlive(process) };
  }

  #process(): ProcessIdentity {
    return { pid: this.#pick([...this.#alive]), start: 'x' };
  }

  #isAlive(process: ProcessIdentity | null): boolean {
    return process !== null && this.#alive.has(process.pid);
  }

  #of(...states: readonly TaskState[]): [string, Known][] {
    return [...this.#known].filter(([, known]) => states.includes(known.state));
  }

  #get(id: string): Known {
    return this.#known.get(id) ?? assert.fail(`${id} is not known`);
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#random.between(0, from.length - 1)] ?? assert.fail('nothing to pick from');
  }
}

test('no task is lost or run twice and no site has two, whoever wants, dies, cancels and recovers, in any order', async (t) => {
  const seed = chooseSeed();
  t.diagnostic(`SALVOR_TEST_SEED=${seed}`);
  for (let i = 0; i < HISTORIES; i++) {
    await using room = await openTestRoom({ atOnce: AT_ONCE });
    const history = new History(room.room.log, new Random(seed + i));
    const steps: string[] = [];
    try {
      for (let at = 0; at < STEPS; at++) {
        steps.push(await history.step());
        await history.check();
      }
      await history.finish();
    } catch (error) {
      throw new Error(`SALVOR_TEST_SEED=${seed}, history ${i}:\n${steps.join('\n')}`, { cause: error });
    }
  }
});
