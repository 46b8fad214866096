/**
 * A Backup task of a site, which ends with its archive, beside what Aegir does: the dump into the site's directory, and
 * `tar czf` of that. Ours makes a point as well, reads it back and compares the archive with it.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { countFiles, salvor, sh } from '../away/away-site.ts';
import { type DemoHost, type DemoSite, buildHost } from '../../demo/host.ts';
import { initFlags } from '../../demo/salvor-command.ts';
import { othersBetween, readCpuTimes, waitForCalm } from '../measure/cpu-time.ts';
import { median, roundFigure } from '../measure/figures.ts';
import { SIDES } from '../programs.ts';
import type { Side } from '../programs.ts';
import type { Pair, Round, RowFigures } from '../row.ts';
import { makeSiteTree } from '../trees/site-tree.ts';
import type { RowContext } from './rows.ts';

const ROW = 'backup task with its archive';
const GOAL = 0.5;
/** At full size, of rows of prose; about 400 bytes each. */
const ROWS = 500_000;
/** Tables of the demo's site besides. */
const TABLES = 20;

type Made = {
  readonly seconds: number;
  readonly cpu: number;
  readonly other: number;
  readonly isCalm: boolean;
  readonly bytes: number;
};

export async function measureArchive(context: RowContext): Promise<RowFigures> {
  const directory = join(context.place.work, 'archive');
  // The server and the site's user have to get there.
  chmodSync(context.place.work, 0o711);
  await using host = await buildHost({ directory, withoutWordPress: true, nodes: 10, files: 10 });
  const site = host.site('market.example.org');
  await fillSite(host, site, context);
  await salvor(host, ['init', ...initFlags(host)]);
  const files = countFiles(site.path);
  rmSync(await backUp(host, site));
  const rounds: Record<Side, Made>[] = [];
  for (let number = 0; number < context.runs; number++) {
    const made: Partial<Record<Side, Made>> = {};
    for (const side of number % 2 === 0 ? SIDES : SIDES.toReversed()) {
      made[side] = await measureOne(side, host, site, files, context);
      context.say(
        `${ROW}, round ${number + 1}, ${side}: ${made[side].seconds.toFixed(2)} s, ${made[side].bytes} bytes`,
      );
    }
    rounds.push(made as Record<Side, Made>);
  }
  const medians = (of: (made: Made) => number): Pair => ({
    ours: roundFigure(median(rounds.map(({ ours }) => of(ours)))),
    peer: roundFigure(median(rounds.map(({ peer }) => of(peer)))),
  });
  const seconds = medians((made) => made.seconds);
  const bytes = medians((made) => made.bytes);
  return {
    row: ROW,
    ...seconds,
    peerName: 'mysqldump, tar czf',
    ratio: roundFigure(seconds.ours / seconds.peer),
    goal: GOAL,
    unit: 's',
    runs: rounds.map(toRound),
    seconds,
    cpu: medians(({ cpu }) => cpu),
    memoryMiB: { ours: 0, peer: 0 },
    files,
    bytes: Number(execFileSync('du', ['-sb', site.path]).toString().split('\t')[0]),
    growth: null,
    note: `the point included, of a site that has one already; archives ${bytes.ours} and ${bytes.peer} bytes, ours at level 4 and compared, tar at gzip's 6`,
  };
}

/** Code, pictures and pages as the other rows have them, and tables of prose. */
export async function fillSite(host: DemoHost, site: DemoSite, { scale, signal, say }: RowContext): Promise<void> {
  say('A site is made …');
  mkdirSync(join(site.path, 'files/bench'));
  await makeSiteTree(join(site.path, 'files/bench/tree'), scale, signal);
  sh(`chown -R ${host.account.uid}:${host.account.gid} '${site.path}/files/bench'`);
  const rows = Math.round((ROWS * scale) / TABLES);
  const tables = Array.from(
    { length: TABLES },
    (_, number) => `CREATE TABLE bench_${number} (id INT PRIMARY KEY, body TEXT);
      INSERT INTO bench_${number} SELECT seq, CONCAT(REPEAT(CONCAT('In the harbour of ', seq % 97, ' boats lay ', seq % 13, ' days. '), 6), MD5(seq * ${number + 3}), MD5(seq)) FROM seq_1_to_${rows};`,
  );
  await host.mariadb.query(`USE \`${site.database}\`; ${tables.join('\n')}`);
}

async function measureOne(
  side: Side,
  host: DemoHost,
  site: DemoSite,
  files: number,
  { isPatient, signal }: RowContext,
): Promise<Made> {
  // What a backup of each night would find: a little is new.
  await host.mariadb.query(`UPDATE \`${site.database}\`.bench_0 SET body = CONCAT(body, '.') WHERE id < 100`);
  const isCalm = isPatient ? await waitForCalm(signal) : false;
  const before = readCpuTimes();
  const began = performance.now();
  const path = side === 'ours' ? await backUp(host, site) : packAsAegir(host, site);
  const seconds = (performance.now() - began) / 1000;
  const after = readCpuTimes();
  const { size } = statSync(path);
  check(path, files, side);
  rmSync(path);
  return { seconds, cpu: after.children - before.children, other: othersBetween(before, after), isCalm, bytes: size };
}

async function backUp(host: DemoHost, site: DemoSite): Promise<string> {
  const { archive } = (await salvor(host, ['backup', site.uri])) as { archive: { path: string } | null };
  if (archive === null) throw new Error('the backup wrote no archive');
  return archive.path;
}

function packAsAegir(host: DemoHost, site: DemoSite): string {
  const path = join(host.directory, 'aegir.tar.gz');
  const dump = join(site.path, 'database.sql');
  sh(
    `mariadb-dump --no-defaults -uroot -S '${host.mariadb.socket}' --single-transaction --quick --no-autocommit '${site.database}' > '${dump}'`,
  );
  sh(`tar cpzf '${path}' -C '${site.path}' .`);
  rmSync(dump);
  return path;
}

/** Every file is in it, and a dump to its end. */
function check(path: string, files: number, side: Side): void {
  const count = (command: string): number => Number(execFileSync('sh', ['-c', command]).toString());
  const listed = count(`tar tzf '${path}' | grep -vc '/$'`);
  if (listed < files + 1) throw new Error(`${side}: ${listed} members of ${files} files and a dump`);
  if (count(`tar xzOf '${path}' ./database.sql | tail -c 100 | grep -c 'Dump completed'`) !== 1)
    throw new Error(`${side}: its dump is cut off`);
}

function toRound({ ours, peer }: Record<Side, Made>): Round {
  return {
    ours: roundFigure(ours.seconds),
    peer: roundFigure(peer.seconds),
    cpu: { ours: roundFigure(ours.cpu), peer: roundFigure(peer.cpu) },
    other: { ours: roundFigure(ours.other), peer: roundFigure(peer.other) },
    calm: { ours: ours.isCalm, peer: peer.isCalm },
  };
}
