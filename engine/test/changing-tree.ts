/** A repository with three snapshots of a tree that changes in every way, for the verbs that look. */
import { appendFileSync, chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { backup, entriesOfPaths, generateKey, initRepository, openLocalStorage } from '../src/index.ts';
import type { Repository } from '../src/index.ts';
import { makeHostileTree, openWorkplace, restic } from './fixtures.ts';

export type ChangingTree = Disposable & {
  readonly repository: Repository;
  /** The tree, as it is in the last snapshot. */
  readonly source: string;
  /** Ids, oldest first. */
  readonly snapshots: readonly string[];
  readonly restic: (args: readonly string[]) => string;
};

export async function openChangingTree(): Promise<ChangingTree> {
  const place = openWorkplace();
  const [source, directory, key] = [join(place.path, 'source'), join(place.path, 'repository'), generateKey()];
  const repository = await initRepository(openLocalStorage(directory), { kind: 'key', text: key });
  const snapshots: string[] = [];
  const save = async (day: number): Promise<void> => {
    const time = new Date(Date.UTC(2026, 10, day, 2));
    const made = await backup({
      source: entriesOfPaths([source]),
      repositories: [repository],
      paths: [source],
      host: 'web',
      time,
      tags: [`day-${day}`],
    });
    snapshots.push(made.snapshots[0]?.id ?? '');
  };
  makeHostileTree(source);
  await save(1);
  change(source);
  await save(2);
  // What was on the first day is there again.
  renameSync(join(source, 'sub/deep/er/moved'), join(source, 'sub/deep/er/text'));
  appendFileSync(join(source, 'new/file.PHP'), 'more');
  await save(3);
  return {
    repository,
    source,
    snapshots,
    restic: (args) => restic(directory, args, key),
    [Symbol.dispose]: () => place[Symbol.dispose](),
  };
}

function change(source: string): void {
  const at = (name: string): string => join(source, name);
  appendFileSync(at('large'), 'a little more');
  appendFileSync(at('plain.php'), '// both links');
  chmodSync(at('.htaccess'), 0o640);
  rmSync(at('empty'), { recursive: true });
  writeFileSync(at('empty'), 'a file now');
  rmSync(at('link'));
  mkdirSync(at('link'));
  writeFileSync(at('link/inside'), 'a directory now');
  rmSync(at('sub/absolute'));
  renameSync(at('sub/deep/er/text'), at('sub/deep/er/moved'));
  mkdirSync(at('new/dir'), { recursive: true });
  writeFileSync(at('new/file.PHP'), '<?php');
  writeFileSync(at('new/dir/copy of content 1'), 'content 1');
  symlinkSync('x', at('new/dir/link'));
}
