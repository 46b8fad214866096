import { roundFigure } from '../measure/figures.ts';
import type { Mix } from '../databases/site-database.ts';
import { type StoredDays, liveDays } from '../days/live-days.ts';
import type { RowFigures } from '../row.ts';
import type { WorkPlace } from '../work-place.ts';
import type { RowContext } from './rows.ts';

/** What 14 days take on the disk against restic on the same dumps, by what changes in the databases. Design's goals. */
const GOALS: Readonly<Record<Mix, number>> = { append: 0.3, clustered: 0.4, spread: 0.7 };
const WORDS: Readonly<Record<Mix, string>> = {
  append: 'rows added',
  clustered: '2 % of rows changed, neighbours',
  spread: '2 % of rows changed, anywhere',
};

export function measureStored(mix: Mix): (context: RowContext) => Promise<RowFigures> {
  return async (context) => {
    const days = await sharedDays(mix, context);
    const { databases, files, lastDay, thirdCopies } = days;
    const both = [databases.ours + files.ours, databases.peer + files.peer] as const;
    const withFiles = `with ${megabytes(lastDay.fileBytes)} of files beside: ${both.map(megabytes).join(' / ')}, ${roundFigure(both[0] / both[1])}`;
    return {
      ...figuresOf(databases.ours, databases.peer),
      row: `stored, ${WORDS[mix]}`,
      peerName: 'restic',
      goal: GOALS[mix],
      files: lastDay.parts,
      bytes: lastDay.dumpBytes,
      note: `${days.sites} databases, ${days.days} days, after forget and prune without unused bytes; ${withFiles}; a week of third copies besides: ${megabytes(thirdCopies)}`,
    };
  };
}

/** Databases and files against an archive of each site a day, as Aegir keeps them. Goal: a tenth. */
export async function measureStoredArchives(context: RowContext): Promise<RowFigures> {
  const days = await sharedDays('append', context);
  const { databases, files, lastDay } = days;
  return {
    ...figuresOf(databases.ours + files.ours, days.archives),
    row: 'stored, files too',
    peerName: 'tar czf',
    goal: 0.1,
    files: lastDay.parts + lastDay.files,
    bytes: lastDay.dumpBytes + lastDay.fileBytes,
    note: `${days.sites} sites, ${days.days} days of databases and 7 of files; an archive of each site and day`,
  };
}

const shared = new WeakMap<WorkPlace, Map<Mix, StoredDays>>();

/** Lived once for all rows that ask. */
async function sharedDays(mix: Mix, context: RowContext): Promise<StoredDays> {
  const known = shared.get(context.place) ?? new Map<Mix, StoredDays>();
  shared.set(context.place, known);
  const days = known.get(mix) ?? (await liveDays(mix, context));
  known.set(mix, days);
  return days;
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}

type Common = Pick<
  RowFigures,
  'ours' | 'peer' | 'ratio' | 'unit' | 'runs' | 'seconds' | 'cpu' | 'memoryMiB' | 'growth'
>;

/** Bytes do not depend on how calm the machine is: one run tells. */
function figuresOf(ours: number, peer: number): Common {
  const nothing = { ours: 0, peer: 0 };
  return {
    ours: roundFigure(ours / 1e6),
    peer: roundFigure(peer / 1e6),
    ratio: roundFigure(ours / peer),
    unit: 'MB',
    runs: [],
    seconds: nothing,
    cpu: nothing,
    memoryMiB: nothing,
    growth: null,
  };
}
