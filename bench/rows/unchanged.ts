import { join } from 'node:path';
import { backUpOnce } from './back-up-once.ts';
import { runContest } from '../measure/contest.ts';
import { describeTree, requireEqual } from '../trees/describe-tree.ts';
import { makeManyFilesTree } from '../trees/many-files-tree.ts';
import { PROGRAMS } from '../programs.ts';
import type { Repository } from '../programs.ts';
import { checkRepository, countContents, describeScrypt, listNewest } from './repositories.ts';
import type { RowFigures } from '../row.ts';
import type { RowContext } from './rows.ts';

/** A repository before a run, and how much lay in it. */
type Ground = { readonly repository: Repository; readonly snapshots: number; readonly dataBlobs: number };

/** The night after the first one, on 200,000 files of which none changed. Design's goal: 0.4 of restic's time. */
export async function measureUnchanged(context: RowContext): Promise<RowFigures> {
  const path = join(context.place.work, 'many-files');
  context.say('Making the tree of many files …');
  await makeManyFilesTree(path, context.scale, context.signal);
  const source = await describeTree(path, context.signal);
  const repositories = await backUpOnce('unchanged', [path], context);
  const expected = await listNewest(repositories.peer, path, context);
  return runContest<Ground>(
    {
      row: 'nothing changed',
      goal: 0.4,
      files: source.files,
      bytes: source.bytes,
      note: `${source.directories} directories, ${describeScrypt(repositories.ours)}, warm restic cache, warm page cache`,
      async prepare(side) {
        const repository = repositories[side];
        return { repository, ...(await countContents(repository, context)) };
      },
      commands: (side, { repository }) => [PROGRAMS[side].backup(repository, path)],
      async check(_side, { repository, snapshots, dataBlobs }, outputs) {
        requireUnmodified(outputs.join(''), source.files);
        await checkRepository(repository, context, 'structure');
        const now = await countContents(repository, context);
        if (now.snapshots !== snapshots + 1) throw new Error(`${now.snapshots - snapshots} new snapshots instead of 1`);
        if (now.dataBlobs !== dataBlobs) throw new Error(`${now.dataBlobs - dataBlobs} new data blobs`);
        requireEqual(expected, await listNewest(repository, path, context), 'restic ls');
      },
    },
    context,
  );
}

/** Both sides say it in restic's words. */
function requireUnmodified(output: string, files: number): void {
  const said = /^Files:\s+([\d,]+) new,\s+([\d,]+) changed,\s+([\d,]+) unmodified/m.exec(output);
  const [added, changed, unmodified] = (said ?? []).slice(1).map((count) => Number(count.replaceAll(',', '')));
  if (added !== 0 || changed !== 0 || unmodified !== files) {
    throw new Error(`not all of the ${files} files were unmodified:\n${output}`);
  }
}
