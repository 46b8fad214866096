import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import type { Problem } from '@salvor/contract';
import { restore } from '@salvor/engine';
import type { OpenPoint } from '../points/open-point.ts';
import type { Site } from '../sites/site.ts';
import { knownOwners } from './known-owners.ts';
import { type Move, planMove } from './move-site.ts';
import { type RestoreScope, isInScope } from './restore-scope.ts';
import type { TaskRun } from './task-run.ts';

/** The directory of a task in which the site's new files are built, and in which the old ones lie after the switch. */
export function builtPathOf(staging: string): string {
  return join(staging, 'site');
}

/**
 * Writes the point's files in scope into the staging place and reads every one of them back. Owners are those that
 * the manifest and the account both know; devices and set-user-id bits stay out, because whoever could write the
 * point's source could have planted them.
 */
export async function buildFiles(
  site: Site,
  point: OpenPoint,
  scope: RestoreScope,
  staging: string,
  run: TaskRun,
): Promise<readonly Problem[]> {
  const target = builtPathOf(staging);
  const { problems } = await run.audit('restore-files', target, () =>
    restore({
      repository: point.repository,
      snapshot: point.snapshot,
      target,
      subtree: '/site',
      include: (path) => isInScope(scope, path.slice('/site/'.length)),
      owners: {
        ...knownOwners(site.account, point.manifest),
        fallback: { uid: site.account.uid, gid: site.account.gid },
      },
      dropSpecial: true,
      verify: true,
      sync: true,
      signal: run.signal,
      onProgress: ({ files, bytes }) => run.progress({ files, bytes }),
    }),
  );
  return problems.map(({ code, message, path }) => ({ code, message, path }));
}

/** What changes places with what: the whole directory, or each path. Where a path's parent is gone, the parent comes. */
export function planMoves(site: Site, scope: RestoreScope, staging: string): readonly Move[] {
  const places = { home: site.account.home, staging };
  const built = builtPathOf(staging);
  if (scope.files === 'all') return [planMove({ ...places, live: site.path, staged: built })];
  const paths = new Set(scope.files.map((path) => highestMissing(site.path, path)));
  return [...paths].map((path) => planMove({ ...places, live: join(site.path, path), staged: join(built, path) }));
}

/** The first part of the path that is not there as a directory, or the path itself. */
function highestMissing(root: string, path: string): string {
  const parts = path.split('/');
  for (let length = 1; length < parts.length; length++) {
    const parent = parts.slice(0, length).join('/');
    if (lstatSync(join(root, parent), { throwIfNoEntry: false })?.isDirectory() !== true) return parent;
  }
  return path;
}
