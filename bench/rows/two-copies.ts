import { runContest } from '../measure/contest.ts';
import { PROGRAMS } from '../programs.ts';
import type { Repository } from '../programs.ts';
import type { RowFigures } from '../row.ts';
import { describeTree, requireEqual } from '../trees/describe-tree.ts';
import { sharedSiteTree } from '../trees/shared-site-tree.ts';
import { checkRepository, describeScrypt, freshRepository, listNewest, removeRepository } from './repositories.ts';
import type { RowContext } from './rows.ts';

type Ground = { readonly local: Repository; readonly remote: Repository };

/**
 * A whole home into two empty repositories: ours reads it once, the peer runs twice. Both repositories are directories
 * here, so that no line is what is measured. Design's goal: 0.6 of the peer's time.
 */
export async function measureTwoCopies(context: RowContext): Promise<RowFigures> {
  const { path } = await sharedSiteTree(context);
  const source = await describeTree(path, context.signal);
  const ofLocal = describeScrypt(await freshRepository('copies-local', context));
  const ofRemote = describeScrypt(await freshRepository('copies-remote', context, 'second'));
  let expected: ReadonlyMap<string, string> | null = null;
  return runContest<Ground>(
    {
      row: 'two copies in one pass',
      goal: 0.6,
      files: source.files,
      bytes: source.bytes,
      note: `${source.directories} directories, into two directories of one disk, the peer one after the other; ${ofLocal} and ${ofRemote}, empty restic cache, warm page cache`,
      prepare: async (_side, name) => ({
        local: await freshRepository(`copies-local-${name}`, context),
        remote: await freshRepository(`copies-remote-${name}`, context, 'second'),
      }),
      commands: (side, { local, remote }) => PROGRAMS[side].backUpTwice(local, remote, path),
      async check(_side, { local, remote }) {
        for (const repository of [local, remote]) {
          await checkRepository(repository, context, 'all data');
          const listed = await listNewest(repository, path, context);
          if (listed.size !== source.lines.size - 1)
            throw new Error(`restic ls has ${listed.size} paths, the tree ${source.lines.size - 1}`);
          // Whoever came first is the measure for all others, in both places and on both sides.
          requireEqual((expected ??= listed), listed, 'restic ls');
          removeRepository(repository);
        }
      },
    },
    context,
  );
}
