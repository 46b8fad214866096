import type { RowFigures, RowKey } from '../row.ts';
import { measureFirstBackup } from './first-backup.ts';
import { measureRestore } from './restore.ts';
import { measureUnchanged } from './unchanged.ts';
import type { WorkPlace } from '../work-place.ts';

/** What a row is measured with. */
export type RowContext = {
  readonly place: WorkPlace;
  readonly runs: number;
  readonly scale: number;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
};

export const ROWS: Readonly<Record<RowKey, (context: RowContext) => Promise<RowFigures>>> = {
  first: measureFirstBackup,
  unchanged: measureUnchanged,
  restore: measureRestore,
};
