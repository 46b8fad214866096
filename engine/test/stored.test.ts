/** What is stored of files that were replaced: what they hold, and little more. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Random } from '../../demo/random.ts';
import { backUp, makeCheapRepository, openWorkplace } from './cheap-repository.ts';

const DIRECTORIES = 10;
const FILES_EACH = 50;
/** Of pictures, as sites have them: nothing of them packs smaller. */
const LEAST_BYTES = 10_000;
const MOST_BYTES = 150_000;

test('replacing files that make up 2 % of the bytes stores at most 2.5 % of them, index and listings included', async () => {
  using workplace = openWorkplace();
  const [source, directory] = [join(workplace.path, 'files'), join(workplace.path, 'repository')];
  const random = new Random(1);
  const files: { readonly path: string; readonly bytes: number }[] = [];
  for (let at = 0; at < DIRECTORIES * FILES_EACH; at++) {
    const place = join(source, `month-${Math.floor(at / FILES_EACH)}`);
    mkdirSync(place, { recursive: true });
    const file = { path: join(place, `picture-${at}.jpg`), bytes: random.between(LEAST_BYTES, MOST_BYTES) };
    writeFileSync(file.path, random.bytes(file.bytes));
    files.push(file);
  }
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const repository = await makeCheapRepository(directory);
  await backUp(repository, source);
  const before = bytesBelow(directory);
  // Anywhere in the tree, until they make up so much.
  let replaced = 0;
  while (replaced < total * 0.02) {
    const { path, bytes } = random.pick(files);
    writeFileSync(path, random.bytes(bytes));
    replaced += bytes;
  }
  await backUp(repository, source);
  const stored = bytesBelow(directory) - before;
  assert.ok(stored <= replaced * 1.25, `${stored} bytes for ${replaced} of ${total}`);
  assert.ok(stored >= replaced);
});

function bytesBelow(directory: string): number {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
