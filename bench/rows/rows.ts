import type { RowFigures, RowKey } from '../row.ts';
import { measureArchive } from './archive.ts';
import { measureFirstBackup } from './first-backup.ts';
import { measureLargeIndex } from './large-index.ts';
import { measureLoadDatabase } from './load-database.ts';
import { measureLivePage } from './live-page.ts';
import { measureMemory } from './memory.ts';
import { measureOneFile } from './one-file.ts';
import { measureRestore } from './restore.ts';
import { measureSiteAway, measureWholeRestore } from './site-away.ts';
import { measureStored, measureStoredArchives } from './stored.ts';
import { measureTwoCopies } from './two-copies.ts';
import { measureUnchanged } from './unchanged.ts';
import type { WorkPlace } from '../work-place.ts';

/** What a row is measured with. */
export type RowContext = {
  readonly place: WorkPlace;
  readonly runs: number;
  readonly scale: number;
  /** Whether the figures count: then runs wait for a calm machine, and are repeated where it was not. */
  readonly isPatient: boolean;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
};

export const ROWS: Readonly<Record<RowKey, (context: RowContext) => Promise<RowFigures>>> = {
  first: measureFirstBackup,
  unchanged: measureUnchanged,
  restore: measureRestore,
  copies: measureTwoCopies,
  file: measureOneFile,
  memory: measureMemory,
  index: measureLargeIndex,
  away: measureSiteAway('few'),
  'away-all': measureSiteAway('every'),
  whole: measureWholeRestore,
  database: measureLoadDatabase,
  append: measureStored('append'),
  clustered: measureStored('clustered'),
  spread: measureStored('spread'),
  archives: measureStoredArchives,
  archive: measureArchive,
  page: measureLivePage,
};
