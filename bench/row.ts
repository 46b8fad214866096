/** One row of results: ours beside a peer's for the same work, with all that is needed to judge it. */
export type Row = RowFigures & {
  readonly machine: string;
  readonly versions: Readonly<Record<string, string>>;
  /** ISO 8601. */
  readonly date: string;
};

/** What a row is judged by: the time of a run, how long somebody waits, the most memory that all its processes had at once, or bytes on the disk. */
export type Unit = 's' | 'ms' | 'MiB' | 'MB';

export type RowFigures = {
  readonly row: string;
  /** Medians of `runs`, in `unit`; of how long a site is away the worst. */
  readonly ours: number;
  readonly peer: number;
  readonly peerName: string;
  /** `ours / peer`. */
  readonly ratio: number;
  readonly goal: number;
  readonly unit: Unit;
  /** None in rows by bytes on the disk: they are the same each time, and time and memory are 0 there. */
  readonly runs: readonly Round[];
  /** Medians. In rows by memory the looking at it is part of this time. */
  readonly seconds: Pair;
  /** User and system seconds, medians. */
  readonly cpu: Pair;
  /** Greatest sum over all processes; in rows by time, of a round that was not timed. */
  readonly memoryMiB: Pair;
  /** What was backed up, restored or read. */
  readonly files: number;
  readonly bytes: number;
  /** How the figure grows with the work; null where only one size was measured. */
  readonly growth: Growth | null;
  readonly note: string;
};

export type Pair = { readonly ours: number; readonly peer: number };

export type Round = Pair & {
  readonly cpu: Pair;
  /** CPU seconds that others, the kernel's own threads among them, used meanwhile. */
  readonly other: Pair;
  /** Whether the machine was calm when the run began. */
  readonly calm: { readonly ours: boolean; readonly peer: boolean };
};

/** The same measured on less. */
export type Growth = {
  readonly files: number;
  readonly bytes: number;
  /** Medians there, in the row's unit. */
  readonly ours: number;
  readonly peer: number;
  /** How often ours of less goes into ours. */
  readonly times: number;
  readonly goal: number;
};

/** The rows' names on the command line, in the order in which they run. */
export const ROW_KEYS = [
  'first',
  'unchanged',
  'restore',
  'copies',
  'file',
  'memory',
  'index',
  'away',
  'away-all',
  'whole',
  'database',
  'append',
  'clustered',
  'spread',
  'archives',
  'archive',
  'page',
] as const;
export type RowKey = (typeof ROW_KEYS)[number];
