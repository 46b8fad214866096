import { spawn } from 'node:child_process';
import { chmodSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RestoreDocument, TaskLogDocument, UndoDocument } from '@salvor/contract';
import type { Visit } from '../away/clients.ts';
import { visitDuring } from '../away/clients.ts';
import {
  type AwaySite,
  type MovedTables,
  aegirCommand,
  countFiles,
  listKept,
  makeArchive,
  openAwaySite,
  salvor,
  sh,
} from '../away/away-site.ts';
import { othersBetween, readCpuTimes, waitForCalm } from '../measure/cpu-time.ts';
import { median, roundFigure } from '../measure/figures.ts';
import { SIDES } from '../programs.ts';
import type { Side } from '../programs.ts';
import type { Pair, Round, RowFigures } from '../row.ts';
import type { RowContext } from './rows.ts';

const GOAL_SECONDS = 1;
const PEER = 'aegir';

type AwayRun = {
  readonly figure: number;
  readonly seconds: number;
  readonly cpu: number;
  readonly other: number;
  readonly isCalm: boolean;
  readonly said: string;
};

/**
 * How long four visitors, who ask and write all the time, get no right answer while the site is restored under them, an
 * open transaction of three seconds being in the way. Goal: less than a second, in the worst round. A few tables differ
 * from the point, as in most sites, or every one of them does. The peer restores as Aegir does. Archives are off.
 */
export function measureSiteAway(moved: MovedTables): (context: RowContext) => Promise<RowFigures> {
  const row = moved === 'few' ? 'site away during a restore' : 'site away, every table differs';
  return (context) =>
    measure({ row, moved, isAway: true }, context, async (away, side) => {
      if (side === 'peer') {
        const visit = await visitDuring(away, () => restoreByPeer(away));
        return { figure: visit.awaySeconds, said: describe(visit, (await findLost(away, visit)).length) };
      }
      const { visit, document } = await visitOurs(away, ['restore', away.site.uri, away.point], RestoreDocument);
      await requireNamed(away, visit, document);
      // Back and forth once more: the site is the restored one in the end, as the peer's.
      const undo = await visitOurs(away, ['undo', document.task ?? ''], UndoDocument);
      const again = await visitOurs(away, ['undo', undo.document.task ?? ''], UndoDocument);
      const undone = Math.max(undo.visit.awaySeconds, again.visit.awaySeconds).toFixed(2);
      return { figure: visit.awaySeconds, said: `${describe(visit, 0)}; away for ${undone} s in an undo` };
    });
}

/** One of our commands with visitors on the site. No write that was acknowledged may be gone, and no trigger. */
async function visitOurs<T>(
  away: AwaySite,
  command: readonly string[],
  schema: { parse(value: unknown): T },
): Promise<{ visit: Visit; document: T }> {
  const said: T[] = [];
  const visit = await visitDuring(away, async () => {
    said.push(schema.parse(await salvor(away.host, [...command, '--yes'])));
  });
  const lost = await findLost(away, visit);
  if (lost.length > 0) throw new Error(`${lost.length} acknowledged writes are in neither the site nor what is kept`);
  const { database } = away.site;
  const triggers = await away.host.mariadb.query(
    `SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = '${database}' AND TRIGGER_NAME = 'bench_sees'`,
  );
  if (triggers.trim() !== '1') throw new Error('the trigger is gone');
  const [document] = said;
  if (document === undefined) throw new Error('the command said nothing');
  return { visit, document };
}

/** What was acknowledged before the switch and is not in the site any more is counted, and in the safety point or named. */
async function requireNamed(
  away: AwaySite,
  { writes }: Visit,
  { changedMeanwhile, problems }: RestoreDocument,
): Promise<void> {
  const { database } = away.site;
  const replaced = await withoutThoseIn(away, writes, database);
  const isNamed = problems.some(
    ({ code, path }) => code === 'changed-meanwhile' && path === `${database}.bench_writes`,
  );
  const isLost = problems.some(({ code }) => code === 'changed-meanwhile') && !isNamed;
  if (replaced.size > 0 && (isLost || (changedMeanwhile?.tables ?? 0) === 0))
    throw new Error(`${replaced.size} acknowledged writes were replaced, and the restore has not named their table`);
}

/**
 * The same site with nobody on it: from the command to the site being the old one, against `tar xzf` and an import. Ours
 * makes a safety point first, compares what it has built, and writes the safety point's archive when the site is there;
 * Aegir's own restore makes an archive before, whose time is told beside it.
 */
export async function measureWholeRestore(context: RowContext): Promise<RowFigures> {
  const what = { row: 'whole restore of a site', moved: 'few', isAway: false } as const;
  return await measure(what, context, async (away, side) => {
    const began = performance.now();
    const restoring = restoreBy(side, away);
    if (side === 'ours') {
      const figure = ((await waitForOld(away, restoring)) - began) / 1000;
      const task = await restoring;
      const all = secondsSince(began);
      const steps = describeSteps(await readSteps(away, task ?? ''));
      return { figure, said: `${INCLUDED}; the command took ${all} s: ${steps}` };
    }
    await restoring;
    const figure = (performance.now() - began) / 1000;
    const copying = performance.now();
    makeArchive(away.host, away.site, join(away.host.directory, 'copy.tar.gz'));
    return { figure, said: `the copy that it makes before took ${secondsSince(copying)} s more` };
  });
}

/** What nobody gets from a tar and an import. */
const INCLUDED =
  'ours takes a safety point of the whole site before, reads back every file, counts every row, and can be undone';

/** When files and rows are the old ones, both, as a visitor sees them. */
async function waitForOld({ host, site }: AwaySite, work: Promise<unknown>): Promise<number> {
  const ended = new AbortController();
  const end = work.finally(() => ended.abort());
  end.catch(() => undefined);
  while (!ended.signal.aborted) {
    // Tables change places before files.
    if (readFileSync(join(site.path, 'files/state.txt'), 'utf8') === 'old') {
      const now = performance.now();
      const rows = await host.mariadb.query(`SELECT state FROM \`${site.database}\`.bench_state`);
      if (rows.trim() === 'old') return now;
    }
    await sleep(10);
  }
  await work;
  return performance.now();
}

function secondsSince(began: number): string {
  return ((performance.now() - began) / 1000).toFixed(1);
}

/** What the task said that each of its steps took, in seconds. */
async function readSteps({ host }: AwaySite, task: string): Promise<ReadonlyMap<string, number>> {
  const { lines } = TaskLogDocument.parse(await salvor(host, ['task', 'log', task]));
  return new Map(
    lines.flatMap(({ text }) => {
      const match = /^(.+): done after ([\d.]+) s$/.exec(text);
      return match === null ? [] : [[match[1] ?? '', Number(match[2])]];
    }),
  );
}

/** All that took a while, in their order; a step that has steps of its own is told with them. */
function describeSteps(steps: ReadonlyMap<string, number>): string {
  const told = [...steps].filter(([, seconds]) => seconds >= LEAST_TOLD_SECONDS);
  return told.map(([name, seconds]) => `${name} ${seconds.toFixed(1)} s`).join(', ');
}

const LEAST_TOLD_SECONDS = 0.1;

async function measure(
  { row, moved, isAway }: { readonly row: string; readonly moved: MovedTables; readonly isAway: boolean },
  context: RowContext,
  body: (away: AwaySite, side: Side) => Promise<{ figure: number; said: string }>,
): Promise<RowFigures> {
  const directory = join(context.place.work, row.replaceAll(/\W+/g, '-'));
  // The server and the site's user have to get there.
  chmodSync(context.place.work, 0o711);
  await using away = await openAwaySite(directory, context.scale, context.signal);
  const files = countFiles(away.site.path);
  const rounds: Record<Side, AwayRun>[] = [];
  for (let number = 0; number < context.runs; number++) {
    const runs: Partial<Record<Side, AwayRun>> = {};
    for (const side of number % 2 === 0 ? SIDES : SIDES.toReversed()) {
      await away.moveOn(moved);
      const isCalm = context.isPatient ? await waitForCalm(context.signal) : false;
      const before = readCpuTimes();
      const began = performance.now();
      const { figure, said } = await body(away, side);
      const after = readCpuTimes();
      await check(away, files);
      runs[side] = {
        figure,
        seconds: (performance.now() - began) / 1000,
        cpu: after.children - before.children,
        other: othersBetween(before, after),
        isCalm,
        said,
      };
      context.say(`${row}, round ${number + 1}, ${side === 'ours' ? side : PEER}: ${figure.toFixed(2)} s ${said}`);
    }
    rounds.push(runs as Record<Side, AwayRun>);
  }
  const medians = (of: (run: AwayRun) => number): Pair => ({
    ours: roundFigure(median(rounds.map(({ ours }) => of(ours)))),
    peer: roundFigure(median(rounds.map(({ peer }) => of(peer)))),
  });
  const middle = medians(({ figure }) => figure);
  // A visitor of the worst round was away for that long, whatever the others were.
  const worst = roundFigure(Math.max(...rounds.map(({ ours }) => ours.figure)));
  const figures = isAway ? { ...middle, ours: worst } : middle;
  const seconds = medians((run) => run.seconds);
  return {
    row,
    ...figures,
    peerName: PEER,
    ratio: roundFigure(figures.ours / figures.peer),
    // Of the row that has a goal in seconds: what part of the peer's time that is.
    goal: isAway ? roundFigure(GOAL_SECONDS / figures.peer) : 0.4,
    unit: 's',
    runs: rounds.map(toRound),
    seconds,
    cpu: medians(({ cpu }) => cpu),
    memoryMiB: { ours: 0, peer: 0 },
    files,
    bytes: away.bytes,
    growth: null,
    note: isAway
      ? `goal < ${GOAL_SECONDS} s in the worst of ${rounds.length} rounds, whose median is ${middle.ours.toFixed(2)} s; archives off; ${rounds.at(-1)?.ours.said ?? ''}; ${PEER}: ${rounds.at(-1)?.peer.said ?? ''}`
      : `${describeTasks(seconds)}; ${rounds.at(-1)?.ours.said ?? ''}; ${PEER}: ${rounds.at(-1)?.peer.said ?? ''}`,
  };
}

/** What each side's own restore task takes: neither begins without a copy of what is there. */
function describeTasks({ ours, peer }: Pair): string {
  return `as tasks, each with its copy of the site before: ${ours.toFixed(1)} / ${peer.toFixed(1)} s, ${(ours / peer).toFixed(2)}`;
}

/** Gives the task that did it; null for the peer. */
async function restoreBy(side: Side, away: AwaySite): Promise<string | null> {
  if (side === 'ours') {
    const document = await salvor(away.host, ['restore', away.site.uri, away.point, '--yes']);
    return RestoreDocument.parse(document).task;
  }
  await restoreByPeer(away);
  return null;
}

async function restoreByPeer(away: AwaySite): Promise<void> {
  await shellOut(aegirCommand(away));
}

/** Beside us, so that visitors go on. */
async function shellOut(command: string): Promise<void> {
  const child = spawn('sh', ['-c', command], { stdio: ['ignore', 'ignore', 'inherit'] });
  const code = await new Promise((settle) => child.once('exit', settle));
  if (code !== 0) throw new Error(`the peer's restore ended with ${String(code)}`);
}

/** The old state, and all of it. */
async function check({ host, site }: AwaySite, files: number): Promise<void> {
  sh(`test "$(cat '${site.path}/files/state.txt')" = old`);
  const state = await host.mariadb.query(`SELECT state FROM \`${site.database}\`.bench_state`);
  if (state.trim() !== 'old') throw new Error(`the rows are of the state '${state.trim()}'`);
  if (countFiles(site.path) !== files) throw new Error('files are missing, or too many');
}

/** Writes that are in no table any more: neither in the live one nor in one that is kept. */
async function findLost(away: AwaySite, { writes }: Visit): Promise<readonly string[]> {
  let left = writes;
  for (const database of [away.site.database, ...(await listKept(away))])
    left = await withoutThoseIn(away, left, database);
  return [...left];
}

async function withoutThoseIn(
  away: AwaySite,
  writes: ReadonlySet<string>,
  database: string,
): Promise<ReadonlySet<string>> {
  const rows = await away.host.mariadb.query(`SELECT client, number FROM \`${database}\`.bench_writes`);
  return writes.difference(new Set(rows.split('\n').map((line) => line.replace('\t', ' '))));
}

function describe({ answers, failures, writes, mixedSeconds }: Visit, lost: number): string {
  return `${answers} right answers, ${failures} failures, mixed for ${mixedSeconds.toFixed(2)} s, ${lost} of ${writes.size} writes lost`;
}

function toRound({ ours, peer }: Record<Side, AwayRun>): Round {
  return {
    ours: roundFigure(ours.figure),
    peer: roundFigure(peer.figure),
    cpu: { ours: roundFigure(ours.cpu), peer: roundFigure(peer.cpu) },
    other: { ours: roundFigure(ours.other), peer: roundFigure(peer.other) },
    calm: { ours: ours.isCalm, peer: peer.isCalm },
  };
}
