import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compareTables } from '../../salvor/src/databases/mariadb/compare.ts';
import { findEqualTables } from '../../salvor/src/databases/mariadb/equal-tables.ts';
import { readSwapFacts } from '../../salvor/src/databases/mariadb/inspect-swap.ts';
import { loadDump } from '../../salvor/src/databases/mariadb/load.ts';
import { planSwap, WHOLE_DATABASE } from '../../salvor/src/databases/mariadb/plan-swap.ts';
import { createScratch, dropScratch } from '../../salvor/src/databases/mariadb/scratch.ts';
import { applySwap } from '../../salvor/src/databases/mariadb/swap.ts';
import { type LoadedSite, openLoadedSite } from '../databases/loaded-site.ts';
import { othersBetween, readCpuTimes, waitForCalm } from '../measure/cpu-time.ts';
import { median, roundFigure } from '../measure/figures.ts';
import { SIDES } from '../programs.ts';
import type { Side } from '../programs.ts';
import type { Pair, RowFigures } from '../row.ts';
import type { RowContext } from './rows.ts';

const ROW = 'restore of a database';

type LoadRun = { readonly seconds: number; readonly cpu: number; readonly other: number; readonly isCalm: boolean };

/**
 * A site's database as it was: ours out of a repository into a scratch database, every row of it counted, and switched
 * with the live one; the peer's the stock client with the stock tool's dump, into the live database. Goal: 0.6 of its time.
 */
export async function measureLoadDatabase(context: RowContext): Promise<RowFigures> {
  // The server and the user of the load have to get there.
  chmodSync(context.place.work, 0o711);
  await using site = await openLoadedSite(context);
  const wanted = await site.describe();
  const rounds: Record<Side, LoadRun>[] = [];
  for (let number = 0; number < context.runs; number++) {
    const runs: Partial<Record<Side, LoadRun>> = {};
    for (const side of number % 2 === 0 ? SIDES : SIDES.toReversed()) {
      // Rows that must go, and none of them in the way of the other side.
      await site.server.query(`USE ${site.name}; UPDATE node SET type = 'changed'; DELETE FROM watchdog;`);
      runs[side] = await measureRun(site, side, context);
      if ((await site.describe()) !== wanted) throw new Error(`${ROW}: the result of ${side} is wrong`);
      context.say(`${ROW}, round ${number + 1}, ${side}: ${runs[side].seconds.toFixed(2)} s`);
    }
    rounds.push(runs as Record<Side, LoadRun>);
  }
  const medians = (of: (run: LoadRun) => number): Pair => ({
    ours: roundFigure(median(rounds.map(({ ours }) => of(ours)))),
    peer: roundFigure(median(rounds.map(({ peer }) => of(peer)))),
  });
  const seconds = medians((run) => run.seconds);
  return {
    row: ROW,
    ...seconds,
    peerName: 'mariadb',
    ratio: roundFigure(seconds.ours / seconds.peer),
    goal: 0.6,
    unit: 's',
    runs: rounds.map(({ ours, peer }) => ({
      ours: roundFigure(ours.seconds),
      peer: roundFigure(peer.seconds),
      cpu: { ours: roundFigure(ours.cpu), peer: roundFigure(peer.cpu) },
      other: { ours: roundFigure(ours.other), peer: roundFigure(peer.other) },
      calm: { ours: ours.isCalm, peer: peer.isCalm },
    })),
    seconds,
    cpu: medians((run) => run.cpu),
    memoryMiB: { ours: 0, peer: 0 },
    files: site.tables,
    bytes: site.dumpBytes,
    growth: null,
    note: `${site.tables} tables, ${site.rows} rows; the server's CPU counts; ours reads a repository, counts every row and switches as a restore does`,
  };
}

async function measureRun(site: LoadedSite, side: Side, context: RowContext): Promise<LoadRun> {
  const isCalm = context.isPatient ? await waitForCalm(context.signal) : false;
  const [before, serverBefore] = [readCpuTimes(), readServerSeconds(site)];
  const began = performance.now();
  const clean = await (side === 'ours' ? restoreOurs(site, context) : restorePeers(site));
  const seconds = (performance.now() - began) / 1000;
  const [after, serverAfter] = [readCpuTimes(), readServerSeconds(site)];
  await clean();
  const server = serverAfter - serverBefore;
  return {
    seconds,
    cpu: after.own - before.own + server,
    other: Math.max(0, othersBetween(before, after) - server),
    isCalm,
  };
}

async function restoreOurs({ server, name, parts, expected }: LoadedSite, context: RowContext): Promise<Clean> {
  const admin = server.rootLogin;
  const id = randomBytes(6).toString('hex');
  const scratch = await createScratch(admin, {
    name: `salvor_${id}_new`,
    user: `salvor_${id}_new`,
    password: randomBytes(16).toString('hex'),
    charset: 'utf8mb4',
    collation: 'utf8mb4_general_ci',
  });
  const defaultsDirectory = join(context.place.work, 'clients');
  const { definers } = await loadDump(scratch, parts, { defaultsDirectory, admin, signal: context.signal });
  const differences = await compareTables(admin, scratch.database, expected, { signal: context.signal });
  if (differences.length > 0) throw new Error(differences.map(({ message }) => message).join('; '));
  const definer = { user: 'root', host: 'localhost' };
  const wish = { live: name, scratch: scratch.database, old: `salvor_${id}_old`, definer, definers };
  const planned = planSwap(await readSwapFacts(admin, wish), { ...wish, scope: WHOLE_DATABASE });
  // As a restore does: copies that are equal in every value need not change places.
  const plan = { ...planned, mayStay: await findEqualTables(admin, planned, { signal: context.signal }) };
  const { problems } = await applySwap(admin, plan);
  if (problems.length > 0) throw new Error(problems.map(({ message }) => message).join('; '));
  return async () => {
    for (const database of [wish.old, scratch.database])
      await dropScratch(admin, { database, user: scratch.login.user });
  };
}

type Clean = () => Promise<void>;

async function restorePeers({ server, name, dump }: LoadedSite): Promise<Clean> {
  const input = openSync(dump, 'r');
  const client = spawn('mariadb', ['--no-defaults', '--user=root', `--socket=${server.socket}`, name], {
    stdio: [input, 'ignore', 'inherit'],
  });
  const code = await new Promise((settle) => client.once('exit', settle));
  closeSync(input);
  if (code !== 0) throw new Error(`the stock client ended with ${String(code)}`);
  return async () => {};
}

/** User and system time of the server, which is no child that was waited for. */
function readServerSeconds({ server }: LoadedSite): number {
  const fields = readFileSync(`/proc/${server.pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
