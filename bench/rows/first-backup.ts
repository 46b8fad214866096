import { describeTree, requireEqual } from '../trees/describe-tree.ts';
import { PROGRAMS } from '../programs.ts';
import type { Repository } from '../programs.ts';
import { checkRepository, describeScrypt, freshRepository, listNewest, removeRepository } from './repositories.ts';
import type { RowFigures } from '../row.ts';
import type { RowContext } from './rows.ts';
import { runContest } from '../measure/contest.ts';
import { sharedSiteTree } from '../trees/shared-site-tree.ts';

/** A whole home into an empty repository. Design's goal: 0.8 of restic's time. */
export async function measureFirstBackup(context: RowContext): Promise<RowFigures> {
  const { path } = await sharedSiteTree(context);
  const source = await describeTree(path, context.signal);
  const sample = await freshRepository('first-sample', context);
  let expected: ReadonlyMap<string, string> | null = null;
  return runContest<Repository>(
    {
      row: 'first backup',
      goal: 0.8,
      files: source.files,
      bytes: source.bytes,
      note: `${source.directories} directories, ${describeScrypt(sample)}, empty restic cache, warm page cache`,
      prepare: (_side, name) => freshRepository(`first-${name}`, context),
      commands: (side, repository) => [PROGRAMS[side].backup(repository, path)],
      async check(_side, repository) {
        await checkRepository(repository, context, 'all data');
        const listed = await listNewest(repository, path, context);
        requireSize(listed, source.lines.size - 1);
        // Whoever came first is the measure for all others, on both sides.
        requireEqual((expected ??= listed), listed, 'restic ls');
        removeRepository(repository);
      },
    },
    context,
  );
}

function requireSize(listed: ReadonlyMap<string, string>, size: number): void {
  if (listed.size !== size) throw new Error(`restic ls has ${listed.size} paths, the tree ${size}`);
}
