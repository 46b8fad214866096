/**
 * One row's rounds: A B, then B A, …, so that whoever comes second has no lasting gain or loss by it. A round that is
 * not timed comes first: it shows the memory and warms the caches of both sides alike. A run counts only after `check`.
 */
import { median, roundFigure } from './figures.ts';
import { PROGRAMS, SIDES } from '../programs.ts';
import type { Command, Side } from '../programs.ts';
import type { Pair, Round, RowFigures } from '../row.ts';
import type { RowContext } from '../rows/rows.ts';
import { runTimed, runWatched } from './run-measured.ts';
import type { Measured } from './run-measured.ts';
import { syncDisks } from './sync-disks.ts';

export type Contest<Ground> = {
  readonly row: string;
  readonly goal: number;
  readonly files: number;
  readonly bytes: number;
  readonly note: string;
  /** What one run needs; its cost is nobody's. */
  readonly prepare: (side: Side, name: string) => Promise<Ground>;
  readonly command: (side: Side, ground: Ground) => Command;
  /** Throws where the result is wrong. */
  readonly check: (side: Side, ground: Ground, output: string) => Promise<void>;
};

type Runs = Readonly<Record<Side, Measured>>;

/** A round in which others used more than this part of one core is run again … */
export const MAX_OTHER_SHARE = 0.2;
/** … as often as makes this many rounds for each that was asked for; then the calmest count, and the table names the row. */
export const MOST_ROUNDS_PER_RUN = 2;

/** Throws where a command fails or a result is wrong. */
export async function runContest<Ground>(contest: Contest<Ground>, context: RowContext): Promise<RowFigures> {
  const { row, goal, files, bytes, note } = contest;
  const memory = await watchMemory(contest, context);
  const measured: Runs[] = [];
  const isEnough = (): boolean => measured.filter(isUndisturbed).length >= context.runs;
  for (let number = 0; number < context.runs * MOST_ROUNDS_PER_RUN && !isEnough(); number++) {
    const runs = await runRound(contest, context, number);
    measured.push(runs);
    context.say(`${row}, round ${number + 1}: ours ${tell(runs.ours)}, ${PROGRAMS.peer.name} ${tell(runs.peer)}`);
  }
  const rounds = calmest(measured, context.runs);
  const seconds = medians(rounds, (run) => run.seconds);
  return {
    row,
    ...seconds,
    peerName: PROGRAMS.peer.name,
    ratio: roundFigure(seconds.ours / seconds.peer),
    goal,
    unit: 's',
    runs: rounds.map(toRound),
    cpu: medians(rounds, (run) => run.cpuSeconds),
    memoryMiB: memory,
    files,
    bytes,
    note,
  };
}

async function runRound<Ground>(contest: Contest<Ground>, context: RowContext, number: number): Promise<Runs> {
  const runs: Partial<Record<Side, Measured>> = {};
  for (const side of number % 2 === 0 ? SIDES : SIDES.toReversed()) {
    const ground = await contest.prepare(side, `${number}-${side}`);
    syncDisks();
    const run = await runTimed(contest.command(side, ground), { work: context.place.work, signal: context.signal });
    await checked(contest, side, ground, run.output);
    runs[side] = run;
  }
  return runs as Runs;
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
    const command = contest.command(side, ground);
    const { peakBytes, output } = await runWatched(command, { work: context.place.work, signal: context.signal });
    await checked(contest, side, ground, output);
    found[side] = Math.round(peakBytes / 2 ** 20);
  }
  context.say(`${contest.row}, memory: ours ${found.ours} MiB, ${PROGRAMS.peer.name} ${found.peer} MiB`);
  return found;
}

async function checked<Ground>(contest: Contest<Ground>, side: Side, ground: Ground, output: string): Promise<void> {
  try {
    await contest.check(side, ground, output);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`${contest.row}: the result of ${PROGRAMS[side].name} is wrong: ${reason}`, { cause });
  }
}

function toRound({ ours, peer }: Runs): Round {
  return {
    ours: roundFigure(ours.seconds),
    peer: roundFigure(peer.seconds),
    cpu: { ours: roundFigure(ours.cpuSeconds), peer: roundFigure(peer.cpuSeconds) },
    other: { ours: roundFigure(ours.otherCpuSeconds), peer: roundFigure(peer.otherCpuSeconds) },
    calm: { ours: ours.isCalm, peer: peer.isCalm },
  };
}

function medians(rounds: readonly Runs[], figure: (run: Measured) => number): Pair {
  const of = (side: Side): number => roundFigure(median(rounds.map((each) => figure(each[side]))));
  return { ours: of('ours'), peer: of('peer') };
}

function tell(run: Measured): string {
  const others = otherShare(run) < MAX_OTHER_SHARE ? '' : ` (others used ${run.otherCpuSeconds.toFixed(1)} CPU s)`;
  return `${run.seconds.toFixed(2)} s${others}`;
}

function otherShare({ otherCpuSeconds, seconds }: Measured): number {
  return otherCpuSeconds / seconds;
}
