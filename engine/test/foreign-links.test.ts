import assert from 'node:assert/strict';
import { chownSync, linkSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { backup, findSnapshot, openView } from '../src/index.ts';
import { makeCheapRepository } from './cheap-repository.ts';

test('a file with another name that belongs to a stranger is left out and named; the owner’s own are kept', async () => {
  const top = mkdtempSync(join(tmpdir(), 'salvor-links-'));
  try {
    const home = join(top, 'home');
    mkdirSync(join(home, 'deep/er'), { recursive: true });
    writeFileSync(join(top, 'shadow'), 'secret');
    writeFileSync(join(home, 'single'), 'of root, with one name');
    writeFileSync(join(home, 'own'), 'own');
    chownSync(join(home, 'own'), 61_001, 61_001);
    linkSync(join(home, 'own'), join(home, 'deep/own-again'));
    linkSync(join(top, 'shadow'), join(home, 'shadow'));
    linkSync(join(top, 'shadow'), join(home, 'deep/er/shadow'));
    const repository = await makeCheapRepository(join(top, 'repository'));
    const store = (linkOwners?: readonly number[]): ReturnType<typeof backup> =>
      backup({
        source: [{ kind: 'tree', name: 'home', path: home, ...(linkOwners === undefined ? {} : { linkOwners }) }],
        repositories: [repository],
        paths: [home],
        host: 'h1',
        username: 'salvor',
        tags: [],
        time: new Date('2026-01-01T00:00:00Z'),
      });
    const listed = async (snapshot: string | undefined): Promise<string[]> => {
      const paths: string[] = [];
      const view = await openView(repository, await findSnapshot(repository, snapshot ?? ''));
      for await (const { path, entry } of view.walk('/home')) if (entry.type === 'file') paths.push(path);
      return paths;
    };
    const strict = await store([61_001]);
    assert.deepEqual(await listed(strict.snapshots[0]?.id), ['/home/deep/own-again', '/home/own', '/home/single']);
    assert.deepEqual(strict.problems.map(({ code, path }) => `${code} ${path}`).toSorted(), [
      `foreign-link ${home}/deep/er/shadow`,
      `foreign-link ${home}/shadow`,
    ]);
    const free = await store();
    assert.equal((await listed(free.snapshots[0]?.id)).length, 5);
    // What an earlier snapshot has is no reason to take it again.
    assert.equal((await listed((await store([61_001])).snapshots[0]?.id)).length, 3);
  } finally {
    rmSync(top, { recursive: true });
  }
});
