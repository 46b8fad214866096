/** Runs a verb once for each of its storage calls and each fault, and holds it to what must be true after each. */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { ENGINE_ERRORS, EngineError } from '../../src/errors.ts';
import { inParallel } from '../../src/lib/in-parallel.ts';
import type { Repository } from '../../src/repository.ts';
import type { FileKind, Storage } from '../../src/storage/storage.ts';
import { watchStorage } from '../../src/storage/watch-storage.ts';
import { CONCERNED, FAULTS, FaultStorage } from '../storage/fault-storage.ts';
import type { Fault } from '../storage/fault-storage.ts';
import { TestTimers } from '../storage/test-timers.ts';
import { cloneOf } from './fault-base.ts';
import type { FaultBase } from './fault-base.ts';

/** Most of a run is waiting for its lock to settle. */
const RUNS_AT_ONCE = 24;
/** Stock restic looks at every so many of the repositories that are whole after a run. */
const RUNS_PER_RESTIC = 25;
const STALL_MS = 5 * 60_000;

export type FaultRun = {
  /** On which the fault lies in wait. */
  readonly repository: Repository;
  /** The same place without the fault. */
  readonly storage: Storage;
  /** A directory of this run's own. */
  readonly directory: string;
  /** For what went wrong: the fault and the call. */
  readonly when: string;
};

/**
 * Where trying all takes long, a test tries a part of them, begun at a random place: `SALVOR_FAULTS=all` tries all,
 * and a number begins where that run began.
 */
const GIVEN = process.env['SALVOR_FAULTS'];
const BEGIN = GIVEN === undefined || GIVEN === 'all' ? randomInt(2 ** 16) : Number(GIVEN);

/** What a verb must have done where it says that it is done; what it gives is told to nobody else. */
export type Trial = {
  /** By default `base`. */
  readonly of?: Repository;
  /** What was done to the clone before. */
  readonly prepare?: (storage: Storage) => Promise<void>;
  readonly run: (run: FaultRun) => Promise<unknown>;
  /** In the place of: every snapshot that was committed before is there, and all can be read. */
  readonly expect?: (run: FaultRun) => Promise<void>;
  /** Of the snapshots that were there before, those that may go. */
  readonly mayGo?: readonly string[];
  /** Listings of these kinds must be true, with the reason. */
  readonly needsTrue?: { readonly kinds: readonly FileKind[]; readonly because: string };
  /** Of so many calls and faults one is tried. */
  readonly oneOf?: number;
};

/** `make` is asked once the base is there. */
export function everyCall(name: string, make: () => { readonly base: FaultBase; readonly trial: Trial }): void {
  it(`${name}: any of its calls fails, hangs, loses its answer, is cut short, flips a bit, lists stale, finds no space`, async (context) => {
    const { base, trial } = make();
    const { counts } = await tryOne(base, trial, 'fail', Infinity, false);
    const cases = FAULTS.flatMap((fault) => {
      const calls = CONCERNED[fault].reduce((sum, verb) => sum + counts[verb], 0);
      return Array.from({ length: calls }, (_, n) => ({ fault, at: n + 1 }));
    });
    assert.ok(cases.length > 5);
    const { oneOf = 1 } = GIVEN === 'all' ? {} : trial;
    const tried = cases.filter((_, n) => (n + BEGIN) % oneOf === 0);
    context.diagnostic(`${tried.length} of ${cases.length} runs${oneOf > 1 ? `, SALVOR_FAULTS=${BEGIN}` : ''}`);
    await inParallel([...tried.entries()], RUNS_AT_ONCE, async ([n, { fault, at }]) => {
      await tryOne(base, trial, fault, at, n % RUNS_PER_RESTIC === 0);
    });
  });
}

let runs = 0;

async function tryOne(
  base: FaultBase,
  trial: Trial,
  fault: Fault,
  at: number,
  asksRestic: boolean,
): Promise<FaultStorage> {
  const { of = base.base, prepare, mayGo = [], needsTrue } = trial;
  const storage = await cloneOf(of);
  await prepare?.(storage);
  const timers = new TestTimers();
  const onHang = (): void => void timers.advance(STALL_MS);
  const faulty = new FaultStorage(storage, fault, at, { onHang, spared: needsTrue?.kinds ?? [] });
  const directory = join(base.path, `run ${++runs}`);
  const repository = base.open(watchStorage(faulty, { timers, stallMs: STALL_MS }), of);
  const run: FaultRun = { repository, storage, directory, when: `${fault} at ${at}` };
  try {
    await trial.run(run);
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    const isCoded = error instanceof EngineError && Object.hasOwn(ENGINE_ERRORS, error.code);
    assert.ok(isCoded && error.code !== 'worker-failed', `${run.when}: ${describeError(error)}`);
    assert.ok(faulty.wasHit, `without a fault: ${describeError(error)}`);
  }
  if (trial.expect === undefined) await base.expectWhole(storage, mayGo, run.when);
  else await trial.expect(run);
  if (asksRestic && trial.expect === undefined) await base.expectResticAgrees(storage, `${directory} repository`);
  rmSync(directory, { recursive: true, force: true });
  return faulty;
}

const describeError = (error: unknown): string => (error instanceof Error ? (error.stack ?? '') : String(error));
