import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { makeCheapRepository, openWorkplace, tryRestic } from '../test/cheap-repository.ts';
import { backup, check, entriesOfPaths } from './index.ts';
import type { Repository } from './index.ts';

/** A repository of three snapshots in nine packs or so, in three index files. */
async function makeSnapshots(place: string): Promise<{ readonly repository: Repository; readonly packs: string[] }> {
  const source = join(place, 'source');
  mkdirSync(source);
  const repository = await makeCheapRepository(join(place, 'r'));
  for (let n = 0; n < 3; n++) {
    writeFileSync(join(source, `f${n}`), randomBytes(3_000_000));
    await backup({ source: entriesOfPaths([source]), repositories: [repository], paths: [source] });
    repository.dropIndex();
  }
  const packs = readdirSync(join(place, 'r', 'data'), { recursive: true, encoding: 'utf8' })
    .filter((name) => /[0-9a-f]{64}$/.test(name))
    .map((name) => join(place, 'r', 'data', name));
  return { repository, packs };
}

describe('a check of a part', () => {
  it('finds a damaged pack in the part that has it, as restic does, and in no other', async () => {
    using place = openWorkplace();
    const { repository, packs } = await makeSnapshots(place.path);
    // A pack of data: those of listings are read by every check.
    const [victim = ''] = packs.toSorted((one, other) => statSync(other).size - statSync(one).size);
    const bytes = readFileSync(victim);
    bytes[bytes.length >> 1]! ^= 1;
    chmodSync(victim, 0o600);
    writeFileSync(victim, bytes);
    const id = victim.slice(-64);
    let read = 0;
    for (let part = 1; part <= 4; part++) {
      const isIn = Number.parseInt(id.slice(0, 2), 16) % 4 === part - 1;
      const result = await check(repository, { readData: { kind: 'part', part, of: 4 } });
      assert.equal(
        result.errors.some(({ path }) => path === `data/${id}`),
        isIn,
        `part ${part}`,
      );
      const theirs = tryRestic(join(place.path, 'r'), ['check', `--read-data-subset=${part}/4`]);
      assert.equal(theirs.status !== 0, isIn, theirs.stderr);
      read += result.packsRead;
    }
    assert.equal(read, packs.length);
  });

  it('that is no part is refused before anything is read', async () => {
    using place = openWorkplace();
    const repository = await makeCheapRepository(join(place.path, 'r'));
    await assert.rejects(check(repository, { readData: { kind: 'part', part: 3, of: 2 } }), RangeError);
  });
});

it('a damaged index file is one error; what other index files list is known all the same', async () => {
  using place = openWorkplace();
  const { repository, packs } = await makeSnapshots(place.path);
  const [index = ''] = readdirSync(join(place.path, 'r', 'index'));
  rmSync(join(place.path, 'r', 'index', index));
  writeFileSync(join(place.path, 'r', 'index', index), 'damaged');
  const { errors, hints, packsRead } = await check(repository, { readData: true });
  assert.deepEqual(
    errors.map(({ code, path }) => [code, path]),
    [['index-damaged', `index/${index}`]],
  );
  const unlisted = hints.filter(({ code }) => code === 'pack-not-listed').length;
  assert.ok(unlisted > 0 && unlisted < packs.length);
  assert.equal(packsRead + unlisted, packs.length);
});
