import { join } from 'node:path';
import { roundFigure } from '../measure/figures.ts';
import { runContest } from '../measure/contest.ts';
import { PROGRAMS } from '../programs.ts';
import type { Repository } from '../programs.ts';
import type { RowFigures } from '../row.ts';
import { describeTree } from '../trees/describe-tree.ts';
import { sharedSiteTree } from '../trees/shared-site-tree.ts';
import { makeSiteTree } from '../trees/site-tree.ts';
import { checkRepository, describeScrypt, freshRepository, removeRepository } from './repositories.ts';
import type { RowContext } from './rows.ts';

/** The smaller home is this part of the larger one. */
const SMALL = 0.25;
/** Four times as much may take this many times the memory: what a heap gathers before it is swept, and no more. */
const MAX_GROWTH = 1.2;

/** What a first backup takes of memory, at two sizes. Design's goal: twice what restic takes, and no more for more. */
export async function measureMemory(context: RowContext): Promise<RowFigures> {
  context.say('Making the smaller tree …');
  const small = await makeSiteTree(join(context.place.work, 'small-home'), context.scale * SMALL, context.signal);
  const large = await sharedSiteTree(context);
  const less = await measureTree('memory, first backup of less', small.path, context);
  const row = await measureTree('memory, first backup', large.path, context);
  const { files, bytes, ours, peer } = less;
  const times = roundFigure(row.ours / ours);
  return { ...row, growth: { files, bytes, ours, peer, times, goal: MAX_GROWTH } };
}

async function measureTree(row: string, path: string, context: RowContext): Promise<RowFigures> {
  const { files, bytes, directories } = await describeTree(path, context.signal);
  const sample = describeScrypt(await freshRepository(`${row.replaceAll(/\W+/g, '-')}-sample`, context));
  return runContest<Repository>(
    {
      row,
      goal: 2,
      unit: 'MiB',
      files,
      bytes,
      note: `${directories} directories, ${sample}, proportional set sizes of all processes, looked at each 50 ms`,
      prepare: async (_side, name) => freshRepository(`memory-${files}-${name}`, context),
      commands: (side, repository) => [PROGRAMS[side].backup(repository, path)],
      async check(_side, repository) {
        await checkRepository(repository, context, 'structure');
        removeRepository(repository);
      },
    },
    context,
  );
}
