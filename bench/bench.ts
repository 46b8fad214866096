/**
 * `npm run bench`: Salvor's engine side by side with stock restic, on trees that are generated here, in one run.
 *
 *   trees from a seed → one `restic init`, copied for every run → rounds A B, B A, … → table, results.json
 *
 * Owns: what is compared and by which rules (design: "Performance"). Knows nothing of how the engine works: both
 * programs are run by their command lines, and every result is checked before its time counts. Memory is measured in a
 * round of its own that is not timed and that warms the caches of both sides: looking at it costs the watched time.
 * What lies here is removed at the end; `results.json` keeps the rows of runs of full size.
 *
 * Exit codes: 0 done; 1 a result was wrong or, at full size, ours was worse than the peer; 2 wrong usage.
 */
import { join } from 'node:path';
import { judge } from './judge.ts';
import { keepRows } from './keep-rows.ts';
import { describeMachine, readVersions } from './machine.ts';
import { HELP, parseOptions } from './options.ts';
import type { Options } from './options.ts';
import { renderTable } from './render-table.ts';
import type { Row } from './row.ts';
import { ROWS } from './rows/rows.ts';
import { openWorkPlace } from './work-place.ts';

const RESULTS = join(import.meta.dirname, 'results.json');
const EXIT_OF_SIGNAL = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

process.exitCode = await main();

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  if (typeof options === 'string')
    return (say(options === HELP ? options : `bench: ${options}\n${HELP}`), options === HELP ? 0 : 2);
  if (process.getuid?.() !== 0) {
    say('bench: needs root, because restores are compared with their owners: sudo npm run bench');
    return 1;
  }
  const stop = new AbortController();
  let interrupted = 0;
  for (const [signal, exit] of Object.entries(EXIT_OF_SIGNAL)) {
    process.on(signal, () => {
      // The second time at once; the work place goes with the process.
      if (interrupted !== 0) process.exit(exit);
      interrupted = exit;
      stop.abort();
    });
  }
  try {
    return report(await measure(options, stop.signal), options);
  } catch (error) {
    if (interrupted !== 0) return interrupted;
    say(`bench: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
}

async function measure(options: Options, signal: AbortSignal): Promise<readonly Row[]> {
  using place = openWorkPlace(options);
  const about = { machine: describeMachine(place), versions: readVersions(), date: new Date().toISOString() };
  const rows: Row[] = [];
  const { runs, scale } = options;
  for (const key of options.rows) {
    const row = { ...(await ROWS[key]({ place, runs, scale, isPatient: scale === 1, signal, say })), ...about };
    rows.push(row);
    // At once: an hour of measuring is not lost with the row after it.
    if (options.isKept) keepRows(RESULTS, [row]);
  }
  return rows;
}

function report(rows: readonly Row[], options: Options): number {
  process[options.isJson ? 'stderr' : 'stdout'].write(`\n${renderTable(rows)}\n`);
  if (options.isJson) process.stdout.write(`${JSON.stringify(rows)}\n`);
  if (options.scale < 1) {
    // Start-up and the key's cost, alike on both sides, outweigh the work.
    say('A try at a tenth of the size: its figures are not to be quoted, and nothing is judged by them.');
    return 0;
  }
  if (options.isKept) say(`Kept in ${RESULTS}`);
  const worse = rows.filter((row) => judge(row) === 'worse');
  if (worse.length === 0) return 0;
  say(`bench: worse than the peer: ${worse.map(({ row }) => row).join('; ')}`);
  return 1;
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
