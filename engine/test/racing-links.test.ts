import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { backup } from '../src/index.ts';
import type { Problem, Repository } from '../src/index.ts';
import { setXattr } from '../src/libc.ts';
import { BlobReader } from '../src/pack/blob-reader.ts';
import { makeCheapRepository } from './cheap-repository.ts';
import { openWorkplace } from './fixtures.ts';

const SECRET = 'root:$6$the hash that nobody may see:19000:0:99999:7:::\n';
const MARK = 'named-in-the-secret-place';
const RACE_MS = 3000;
const FEWEST_RUNS = 10;

/** A directory that is no business of the tenant's, marked in every part that a listing or a blob could show. */
function makeSecret(path: string): void {
  mkdirSync(join(path, MARK), { recursive: true });
  writeFileSync(join(path, 'shadow'), SECRET);
  writeFileSync(join(path, MARK, 'shadow'), SECRET);
  setXattr(join(path, 'shadow'), 'user.mark', Buffer.from(MARK));
}

/** Pairs of things that change places while backups run: directories and files with links to the secret's. */
function makeHome(home: string, secret: string): string[] {
  const pairs: [string, string][] = [];
  for (let number = 0; number < 6; number++) {
    const directory = join(home, `d${number}`, 'site', 'files');
    mkdirSync(join(directory, 'below'), { recursive: true });
    for (const name of ['shadow', 'below/shadow']) writeFileSync(join(directory, name), `own ${number}\n`.repeat(20));
    const link = join(home, `d${number}`, 'link');
    symlinkSync(secret, link);
    pairs.push([directory, link]);
    const file = join(home, `d${number}`, 'file');
    writeFileSync(file, `own file ${number}\n`);
    symlinkSync(join(secret, 'shadow'), `${file}.link`);
    pairs.push([file, `${file}.link`]);
  }
  return pairs.flat();
}

/** Nothing of the secret: neither its content nor a name or attribute of what lies in its place. */
async function requireNoSecret(repository: Repository, trees: readonly string[]): Promise<void> {
  const reader = await BlobReader.open(repository);
  assert.ok(
    !reader.has('data', createHash('sha256').update(SECRET).digest('hex')),
    'the content of the secret is kept',
  );
  const base64 = Buffer.from(MARK).toString('base64');
  for (const todo = [...trees]; todo.length > 0;) {
    const listing = (await reader.read('tree', todo.pop() ?? '')).toString();
    assert.ok(!listing.includes(`"name":"${MARK}"`) && !listing.includes(base64), 'a listing shows the secret place');
    for (const [, tree] of listing.matchAll(/"subtree":"([0-9a-f]{64})"/g)) if (tree !== undefined) todo.push(tree);
  }
}

describe('a tenant who swaps his directories and files for links while they are backed up', () => {
  it('gets nothing of what they point to into his snapshots, and is told of each', { timeout: 60_000 }, async () => {
    using place = openWorkplace();
    const [home, secret] = [join(place.path, 'home'), join(place.path, 'secret')];
    makeSecret(secret);
    const pairs = makeHome(home, secret);
    const repository = await makeCheapRepository(join(place.path, 'repository'));
    const swapping = spawn(process.execPath, [join(import.meta.dirname, 'swap-forever.ts'), ...pairs]);
    const problems: Problem[] = [];
    try {
      await once(swapping.stdout, 'data');
      const end = Date.now() + RACE_MS;
      for (let run = 0; run < FEWEST_RUNS || Date.now() < end; run++) {
        const made = await backup({
          source: [{ kind: 'tree', name: 'home', path: home, beneath: place.path }],
          repositories: [repository],
          paths: [home],
          parent: run % 2 === 0 ? 'none' : 'newest',
          workers: 1,
        });
        problems.push(...made.problems);
        await requireNoSecret(repository, [made.snapshots[0]?.tree ?? '']);
      }
    } finally {
      swapping.kill('SIGKILL');
      await once(swapping, 'exit');
    }
    // Else the race was not run, and nothing is shown by its outcome.
    const codes = new Set(problems.map(({ code }) => code));
    assert.deepEqual([...codes], ['replaced']);
    assert.ok(problems.some(({ path }) => path.endsWith('/files')));
    assert.ok(problems.some(({ path }) => path.endsWith('/file')));
  });
});
