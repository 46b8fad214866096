import { parseArgs } from 'node:util';
import { ROW_KEYS } from './row.ts';
import type { RowKey } from './row.ts';

export type Options = {
  readonly rows: readonly RowKey[];
  /** Timed runs of each side. */
  readonly runs: number;
  /** Part of the full size: 1 or 0.1. */
  readonly scale: number;
  readonly isJson: boolean;
  /** Full size and enough runs: figures to keep. */
  readonly isKept: boolean;
  /** Where trees and repositories lie, and where restores go; null: the system's own. */
  readonly work: string | null;
  readonly target: string | null;
};

/** Fewer runs have no median; a try needs none. */
const LEAST_RUNS = 3;
const TRY_RUNS = 1;
const MAX_RUNS = 99;

export const HELP = `Usage: npm run bench -- [options]
  --quick          a tenth of the size and one run, to try it out; results.json stays as it is
  --rows LIST      only these rows: ${ROW_KEYS.join(',')}
  --runs N         timed runs of each side (default: ${LEAST_RUNS}); the median counts
  --work DIR       where trees and repositories are made, about 9 GB (default: the system's temporary directory)
  --target DIR     where restores go (default: /dev/shm; freed inodes make ext4 slow for whoever comes next)
  --json           the rows as JSON on stdout, the table on stderr`;

/** What was asked for, or what to say instead. */
export function parseOptions(args: readonly string[]): Options | string {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        quick: { type: 'boolean', default: false },
        rows: { type: 'string', default: ROW_KEYS.join(',') },
        runs: { type: 'string' },
        work: { type: 'string' },
        target: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }));
  } catch (error) {
    return (error as Error).message;
  }
  if (values.help) return HELP;
  const rows = values.rows.split(',').map((name) => name.trim());
  const unknown = rows.find((name) => !ROW_KEYS.some((key) => key === name));
  if (unknown !== undefined) return `there is no row '${unknown}': ${ROW_KEYS.join(', ')}`;
  const runs = Number(values.runs ?? (values.quick ? TRY_RUNS : LEAST_RUNS));
  if (!Number.isInteger(runs) || runs < 1 || runs > MAX_RUNS) return `--runs takes a number from 1 to ${MAX_RUNS}`;
  return {
    rows: ROW_KEYS.filter((key) => rows.includes(key)),
    runs,
    scale: values.quick ? 0.1 : 1,
    isJson: values.json,
    isKept: !values.quick && runs >= LEAST_RUNS,
    work: values.work ?? null,
    target: values.target ?? null,
  };
}
