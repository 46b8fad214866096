/**
 * One row's rounds: A B, then B A, …, so that whoever comes second has no lasting gain or loss by it. In a row by time
 * a round that is not timed comes first: it shows the memory and warms the caches of both sides alike. In a row by
 * memory every round is watched. A run counts only after `check`.
 */
import { median, roundFigure } from './figures.ts';
import { PROGRAMS, SIDES } from '../programs.ts';
import type { Command, Side } from '../programs.ts';
import type { Pair, Round, RowFigures, Unit } from '../row.ts';
import type { RowContext } from '../rows/rows.ts';
import { runTimed, runWatched } from './run-measured.ts';
import type { Measured, MeasureOptions } from './run-measured.ts';
import { syncDisks } from './sync-disks.ts';

export type Contest<Ground> = {
  readonly row: string;
  readonly goal: number;
  /** Seconds where it is left out. */
  readonly unit?: Unit;
  readonly files: number;
  readonly bytes: number;
  readonly note: string;
  /** What one run needs; its cost is nobody's. */
  readonly prepare: (side: Side, name: string) => Promise<Ground>;
  /** What does the work, one after another. */
  readonly commands: (side: Side, ground: Ground) => readonly Command[];
  /** Throws where the result is wrong. `outputs` has what each command wrote to stdout. */
  readonly check: (side: Side, ground: Ground, outputs: readonly Buffer[]) => Promise<void>;
};

type Runs = Readonly<Record<Side, Measured>>;

/** A round in which others used more than this part of one core is run again … */
export const MAX_OTHER_SHARE = 0.2;
/** … as often as makes this many rounds for each that was asked for; then the calmest count, and the table names the row. */
export const MOST_ROUNDS_PER_RUN = 2;

/** Throws where a command fails or a result is wrong. */
export async function runContest<Ground>(contest: Contest<Ground>, context: RowContext): Promise<RowFigures> {
  const { row, goal, unit = 's', files, bytes, note } = contest;
  const memory = unit === 's' ? await watchMemory(contest, context) : null;
  const rounds = unit === 's' ? await timeRounds(contest, context) : await watchRounds(contest, context);
  const figures = medians(rounds, (run) => figureOf(run, unit));
  return {
    row,
    ...figures,
    peerName: PROGRAMS.peer.name,
    ratio: roundFigure(figures.ours / figures.peer),
    goal,
    unit,
    runs: rounds.map((runs) => toRound(runs, unit)),
    seconds: medians(rounds, (run) => run.seconds),
    cpu: medians(rounds, (run) => run.cpuSeconds),
    memoryMiB: memory ?? figures,
    files,
    bytes,
    growth: null,
    note,
  };
}

async function timeRounds<Ground>(contest: Contest<Ground>, context: RowContext): Promise<readonly Runs[]> {
  const measured: Runs[] = [];
  const isEnough = (): boolean =>
    measured.filter((runs) => !context.isPatient || isUndisturbed(runs)).length >= context.runs;
  for (let number = 0; number < context.runs * MOST_ROUNDS_PER_RUN && !isEnough(); number++) {
    measured.push(await runRound(contest, context, number, runTimed));
    tell(contest.row, number, measured.at(-1) as Runs, 's', context);
  }
  return calmest(measured, context.runs);
}

async function watchRounds<Ground>(contest: Contest<Ground>, context: RowContext): Promise<readonly Runs[]> {
  const measured: Runs[] = [];
  for (let number = 0; number < context.runs; number++) {
    // Memory does not depend on what others do: nothing to wait for.
    measured.push(await runRound(contest, { ...context, isPatient: false }, number, runWatched));
    tell(contest.row, number, measured.at(-1) as Runs, 'MiB', context);
  }
  return measured;
}

async function runRound<Ground>(
  contest: Contest<Ground>,
  context: RowContext,
  number: number,
  run: typeof runTimed,
): Promise<Runs> {
  const runs: Partial<Record<Side, Measured>> = {};
  for (const side of number % 2 === 0 ? SIDES : SIDES.toReversed()) {
    const ground = await contest.prepare(side, `${number}-${side}`);
    syncDisks();
    const measured = await run(contest.commands(side, ground), measureOptions(context));
    await checked(contest, side, ground, measured.outputs);
    // What was written was looked at; nobody should hold a file of many MB until the row is done.
    runs[side] = { ...measured, outputs: [] };
  }
  return runs as Runs;
}

function measureOptions({ place, signal, isPatient }: RowContext): MeasureOptions {
  return { work: place.work, signal, isPatient };
}

/** Chosen by what others used, never by the times themselves; in the order in which they were run. */
function calmest(measured: readonly Runs[], count: number): readonly Runs[] {
  const others = ({ ours, peer }: Runs): number => Math.max(otherShare(ours), otherShare(peer));
  const chosen = measured.toSorted((one, other) => others(one) - others(other)).slice(0, count);
  return measured.filter((runs) => chosen.includes(runs));
}

function isUndisturbed({ ours, peer }: Runs): boolean {
  return Math.max(otherShare(ours), otherShare(peer)) < MAX_OTHER_SHARE;
}

async function watchMemory<Ground>(contest: Contest<Ground>, context: RowContext): Promise<Pair> {
  const found = { ours: 0, peer: 0 };
  for (const side of SIDES) {
    const ground = await contest.prepare(side, `memory-${side}`);
    const run = await runWatched(contest.commands(side, ground), { ...measureOptions(context), isPatient: false });
    await checked(contest, side, ground, run.outputs);
    found[side] = figureOf(run, 'MiB');
  }
  context.say(`${contest.row}, memory: ours ${found.ours} MiB, ${PROGRAMS.peer.name} ${found.peer} MiB`);
  return found;
}

async function checked<Ground>(
  contest: Contest<Ground>,
  side: Side,
  ground: Ground,
  outputs: readonly Buffer[],
): Promise<void> {
  try {
    await contest.check(side, ground, outputs);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`${contest.row}: the result of ${PROGRAMS[side].name} is wrong: ${reason}`, { cause });
  }
}

function toRound({ ours, peer }: Runs, unit: Unit): Round {
  return {
    ours: figureOf(ours, unit),
    peer: figureOf(peer, unit),
    cpu: { ours: roundFigure(ours.cpuSeconds), peer: roundFigure(peer.cpuSeconds) },
    other: { ours: roundFigure(ours.otherCpuSeconds), peer: roundFigure(peer.otherCpuSeconds) },
    calm: { ours: ours.isCalm, peer: peer.isCalm },
  };
}

/** What a run is judged by. */
function figureOf({ seconds, peakBytes }: Measured, unit: Unit): number {
  return unit === 's' ? roundFigure(seconds) : Math.round((peakBytes ?? Number.NaN) / 2 ** 20);
}

function medians(rounds: readonly Runs[], figure: (run: Measured) => number): Pair {
  const of = (side: Side): number => roundFigure(median(rounds.map((each) => figure(each[side]))));
  return { ours: of('ours'), peer: of('peer') };
}

function tell(row: string, number: number, { ours, peer }: Runs, unit: Unit, context: RowContext): void {
  const words = (run: Measured): string => {
    const others = otherShare(run) < MAX_OTHER_SHARE ? '' : ` (others used ${run.otherCpuSeconds.toFixed(1)} CPU s)`;
    return unit === 's' ? `${run.seconds.toFixed(2)} s${others}` : `${figureOf(run, unit)} MiB`;
  };
  context.say(`${row}, round ${number + 1}: ours ${words(ours)}, ${PROGRAMS.peer.name} ${words(peer)}`);
}

function otherShare({ otherCpuSeconds, seconds }: Measured): number {
  return otherCpuSeconds / seconds;
}
