import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Random } from '../../demo/random.ts';
import { runContest } from '../measure/contest.ts';
import { PROGRAMS, SIDES } from '../programs.ts';
import type { Repository } from '../programs.ts';
import type { RowFigures } from '../row.ts';
import { describeTree } from '../trees/describe-tree.ts';
import { sharedSiteTree } from '../trees/shared-site-tree.ts';
import { SqlText } from '../trees/sql-text.ts';
import { backUpOnce } from './back-up-once.ts';
import { describeScrypt, removeRepository } from './repositories.ts';
import type { RowContext } from './rows.ts';

const SEED = 20_260_802;
const FILE_BYTES = 8_000_000;

/** The dump of one table out of a snapshot of a whole home, to stdout. Design's goal: 0.5 of restic's time. */
export async function measureOneFile(context: RowContext): Promise<RowFigures> {
  const { path } = await sharedSiteTree(context);
  const file = writeTable(join(context.place.work, 'table'));
  const content = readFileSync(file);
  const source = await describeTree(path, context.signal);
  const repositories = await backUpOnce('file', [path, file], context);
  const figures = await runContest<Repository>(
    {
      row: 'one file out of a snapshot',
      goal: 0.5,
      files: 1,
      bytes: content.length,
      note: `snapshot of ${source.files + 1} files, ${source.bytes + content.length} bytes; ${describeScrypt(repositories.ours)}, warm restic cache, warm page cache`,
      prepare: async (side) => repositories[side],
      commands: (side, repository) => [PROGRAMS[side].dump(repository, file)],
      async check(_side, _repository, [output]) {
        if (output?.equals(content) !== true) throw new Error('the file has other bytes than the one backed up');
      },
    },
    context,
  );
  for (const side of SIDES) removeRepository(repositories[side]);
  return figures;
}

function writeTable(directory: string): string {
  const random = new Random(SEED);
  mkdirSync(directory);
  const file = join(directory, '000001-node_revision__body.sql');
  writeFileSync(file, [...new SqlText(random.fork('sentences')).write(random, FILE_BYTES)].join(''), 'latin1');
  return file;
}
