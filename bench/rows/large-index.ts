import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openLocalStorage, openRepository } from '@salvor/engine';
import { addIndexFiles } from '../indexes/add-index-files.ts';
import { runContest } from '../measure/contest.ts';
import { runCommand } from '../measure/run-command.ts';
import { PROGRAMS } from '../programs.ts';
import type { Repository } from '../programs.ts';
import type { RowFigures } from '../row.ts';
import { countContents, describeScrypt, freshRepository } from './repositories.ts';
import type { RowContext } from './rows.ts';

const BLOBS = 5_000_000;

/**
 * What listing one small snapshot takes of memory in a repository whose index has 5 million blobs more: nothing but the
 * index is large. The packs that it lists are not there, and neither side looks at them. Goal: what restic takes.
 */
export async function measureLargeIndex(context: RowContext): Promise<RowFigures> {
  const blobs = Math.round(BLOBS * context.scale);
  context.say('Making the index …');
  const { repository, paths } = await makeRepository(blobs, context);
  const index = join(repository.directory, 'index');
  const files = readdirSync(index).map((name) => statSync(join(index, name)).size);
  return runContest<Repository>(
    {
      row: `index of ${blobs.toLocaleString('en')} blobs`,
      goal: 1,
      unit: 'MiB',
      files: files.length,
      bytes: files.reduce((sum, bytes) => sum + bytes, 0),
      note: `ls of a snapshot of ${paths.length} files; ${describeScrypt(repository)}, warm restic cache, warm page cache, proportional set sizes of all processes, looked at each 50 ms`,
      prepare: async () => repository,
      commands: (side) => [PROGRAMS[side].ls(repository)],
      async check(_side, _repository, [output]) {
        const missing = paths.filter((path) => output?.includes(path) !== true);
        if (missing.length > 0) throw new Error(`it lists no ${missing.join(', ')}`);
      },
    },
    context,
  );
}

/** One small snapshot of restic's, and the large index around it, which both programs must see whole. */
async function makeRepository(
  blobs: number,
  context: RowContext,
): Promise<{ readonly repository: Repository; readonly paths: readonly string[] }> {
  const { place, signal } = context;
  const repository = await freshRepository('large-index', context);
  const tree = join(place.work, 'small-tree');
  mkdirSync(tree);
  const paths = ['one', 'two', 'three'].map((name) => join(tree, name));
  for (const path of paths) writeFileSync(path, path);
  await runCommand(PROGRAMS.peer.backup(repository, tree), { work: place.work, signal });
  const before = await countContents(repository, context);
  const password = readFileSync(repository.passwordFile, 'utf8').trim();
  await addIndexFiles(repository.directory, password, blobs, signal);
  const after = await countContents(repository, context);
  const ours = (await (await openRepository(openLocalStorage(repository.directory), password)).index()).blobs;
  if (after.dataBlobs !== before.dataBlobs + blobs || ours < blobs)
    throw new Error(`of ${blobs} blobs restic lists ${after.dataBlobs - before.dataBlobs}, and ours ${ours}`);
  return { repository, paths };
}
