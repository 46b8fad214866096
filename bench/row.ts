/** One row of results: our time beside a peer's for the same work, with all that is needed to judge it. */
export type Row = RowFigures & {
  readonly machine: string;
  readonly versions: Readonly<Record<string, string>>;
  /** ISO 8601. */
  readonly date: string;
};

export type RowFigures = {
  readonly row: string;
  /** Medians of `runs`, in `unit`. */
  readonly ours: number;
  readonly peer: number;
  readonly peerName: string;
  /** `ours / peer`. */
  readonly ratio: number;
  readonly goal: number;
  readonly unit: 's';
  readonly runs: readonly Round[];
  /** User and system seconds, medians. */
  readonly cpu: Pair;
  /** Greatest sum over all processes, of a round that was not timed. */
  readonly memoryMiB: Pair;
  /** What was backed up or restored. */
  readonly files: number;
  readonly bytes: number;
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

/** The rows' names on the command line, in the order in which they run. */
export const ROW_KEYS = ['first', 'unchanged', 'restore'] as const;
export type RowKey = (typeof ROW_KEYS)[number];
