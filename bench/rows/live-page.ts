/**
 * How long visitors wait for a page while the nightly job runs, beside how long they wait when nothing does. The site is a WordPress
 * behind PHP; the job is the first night of its account, the heaviest of all: files and rows of another site of the account are
 * read, cut, sealed and read back, into two copies. As on a host, job, web server and database have sessions of their own.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, chmodSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { DailyDocument } from '@salvor/contract';
import { countFiles, salvor } from '../away/away-site.ts';
import { type DemoHost, type DemoSite, buildHost } from '../../demo/host.ts';
import { initFlags, salvorPlaces } from '../../demo/salvor-command.ts';
import { othersBetween, readCpuTimes, waitForCalm } from '../measure/cpu-time.ts';
import { median, roundFigure } from '../measure/figures.ts';
import type { Pair, Round, RowFigures } from '../row.ts';
import { fillSite } from './archive.ts';
import type { RowContext } from './rows.ts';

const ROW = 'page during the night';
const GOAL = 1.2;
const SALVOR = fileURLToPath(new URL('../../bin/salvor', import.meta.url));
/** Of one visitor after the other. */
const PAUSE_MS = 20;
const POSTS = 40;

type Visits = { readonly milliseconds: readonly number[]; readonly seconds: number; readonly other: number };

export async function measureLivePage(context: RowContext): Promise<RowFigures> {
  const directory = join(context.place.work, 'live-page');
  // The server and the site's user have to get there.
  chmodSync(context.place.work, 0o711);
  await using host = await buildHost({ directory, nodes: 10, files: 10, posts: POSTS });
  await host.serve();
  const page = host.sites.find(({ cms }) => cms === 'wordpress');
  if (page === undefined) throw new Error('the host has no WordPress');
  const large = host.site('market.example.org');
  await fillSite(host, large, context);
  const rounds: { readonly ours: Visits; readonly peer: Visits; readonly isCalm: boolean }[] = [];
  await visitWhile(page, () => sleep(500), context);
  for (let number = 0; number < context.runs; number++) {
    await beginAnew(host);
    const isCalm = context.isPatient ? await waitForCalm(context.signal) : false;
    const ours = await visitWhile(page, () => runNight(host, context), context);
    const peer = await visitWhile(page, () => sleep(Math.min(20_000, ours.seconds * 1000)), context);
    rounds.push({ ours, peer, isCalm });
    context.say(
      `${ROW}, round ${number + 1}: a night of ${ours.seconds.toFixed(1)} s, ${ours.milliseconds.length} visits, ${p95(ours).toFixed(1)} ms; without, ${p95(peer).toFixed(1)} ms`,
    );
  }
  const of = (figure: (visits: Visits) => number): Pair => ({
    ours: roundFigure(median(rounds.map(({ ours }) => figure(ours)))),
    peer: roundFigure(median(rounds.map(({ peer }) => figure(peer)))),
  });
  const waits = of(p95);
  return {
    row: ROW,
    ...waits,
    peerName: 'no job',
    ratio: roundFigure(waits.ours / waits.peer),
    goal: GOAL,
    unit: 'ms',
    runs: rounds.map(toRound),
    seconds: of(({ seconds }) => seconds),
    cpu: { ours: 0, peer: 0 },
    memoryMiB: { ours: 0, peer: 0 },
    files: countFiles(host.home),
    bytes: 0,
    growth: null,
    note: `95th percentile of a WordPress page, one visitor after the other; ${rounds.map(({ ours }) => ours.milliseconds.length).join(', ')} visits during first nights`,
  };
}

/** No repository, no state: each night has all to do. */
async function beginAnew(host: DemoHost): Promise<void> {
  const { stateDir, repositories, remote, config } = salvorPlaces(host);
  for (const path of [stateDir, repositories, remote, config, join(repositories, '../sql')])
    rmSync(path, { recursive: true, force: true });
  const flags = initFlags(host);
  appendFileSync(config, 'policy: { archives: { format: none } }\n');
  await salvor(host, ['init', ...flags, '--remote', remote]);
}

/** In a session of its own, as a service has one. */
async function runNight(host: DemoHost, { signal }: RowContext): Promise<void> {
  const child = spawn(SALVOR, ['daily', '--account', host.account.name, '--json'], {
    env: { ...process.env, HOME: host.directory, SALVOR_CONFIG: salvorPlaces(host).config },
    cwd: host.directory,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    signal,
  });
  const [output, complaint] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  if (child.exitCode !== 0) throw new Error(`the night: ${child.exitCode}\n${complaint}`);
  const { accounts } = DailyDocument.parse(JSON.parse(output));
  if (accounts[0]?.copies.some(({ state }) => state !== 'complete') !== false)
    throw new Error(`the night is not whole: ${output}`);
}

/** Waits of visitors from when `body` begins to when it ends. A page that is not right is an error. */
async function visitWhile(page: DemoSite, body: () => Promise<void>, { signal }: RowContext): Promise<Visits> {
  const before = readCpuTimes();
  const began = performance.now();
  const over = new AbortController();
  const running = body().finally(() => over.abort());
  // What it fails with is thrown when the visitors are gone.
  running.catch(() => {});
  const milliseconds: number[] = [];
  while (!over.signal.aborted) {
    if (signal.aborted) break;
    const from = performance.now();
    const answer = await fetch(page.url);
    const length = (await answer.text()).length;
    milliseconds.push(performance.now() - from);
    if (answer.status !== 200 || length < 1000) throw new Error(`the page answered ${answer.status}, ${length} bytes`);
    await sleep(PAUSE_MS);
  }
  await running;
  const seconds = (performance.now() - began) / 1000;
  return { milliseconds, seconds, other: othersBetween(before, readCpuTimes()) };
}

function p95({ milliseconds }: Visits): number {
  const sorted = milliseconds.toSorted((one, other) => one - other);
  return sorted[Math.ceil(sorted.length * 0.95) - 1] ?? Number.NaN;
}

/** CPU is not told apart here: the servers that answer are not the job's, and both are this process's children. */
function toRound({ ours, peer, isCalm }: { ours: Visits; peer: Visits; isCalm: boolean }): Round {
  return {
    ours: roundFigure(p95(ours)),
    peer: roundFigure(p95(peer)),
    cpu: { ours: 0, peer: 0 },
    other: { ours: roundFigure(ours.other), peer: roundFigure(peer.other) },
    calm: { ours: isCalm, peer: isCalm },
  };
}
