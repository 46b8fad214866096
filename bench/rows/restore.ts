import { mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { backUpOnce } from './back-up-once.ts';
import { runContest } from '../measure/contest.ts';
import { describeTree, requireEqual } from '../trees/describe-tree.ts';
import { PROGRAMS, SIDES } from '../programs.ts';
import type { Repository } from '../programs.ts';
import { describeScrypt, removeRepository } from './repositories.ts';
import { isInMemory } from '../work-place.ts';
import type { RowFigures } from '../row.ts';
import type { RowContext } from './rows.ts';
import { sharedSiteTree } from '../trees/shared-site-tree.ts';

type Ground = { readonly repository: Repository; readonly target: string };

/** A whole home, each side from the repository that it wrote, into an empty directory. Goal: 0.7 of restic's time. */
export async function measureRestore(context: RowContext): Promise<RowFigures> {
  const { path } = await sharedSiteTree(context);
  const source = await describeTree(path, context.signal);
  const repositories = await backUpOnce('restore', [path], context);
  const figures = await runContest<Ground>(
    {
      row: 'restore, with owners',
      goal: 0.7,
      files: source.files,
      bytes: source.bytes,
      note: `${source.directories} directories, ${describeScrypt(repositories.ours)}, owners, modes, times and xattrs set, warm restic cache, warm page cache`,
      async prepare(side, name) {
        const target = join(context.place.target, name);
        mkdirSync(target);
        warmPages(repositories[side].directory);
        return { repository: repositories[side], target };
      },
      commands: (side, { repository, target }) => [PROGRAMS[side].restore(repository, target)],
      async check(_side, { target }) {
        const restored = await describeTree(join(target, path), context.signal);
        requireEqual(source.lines, restored.lines, 'compared with the source');
        if (isInMemory(target)) rmSync(target, { recursive: true });
      },
    },
    context,
  );
  for (const side of SIDES) removeRepository(repositories[side]);
  return figures;
}

function warmPages(directory: string): void {
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) readFileSync(join(entry.parentPath, entry.name));
  }
}
