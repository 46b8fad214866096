import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { appendFileSync, closeSync, mkdirSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { backup, check, findSnapshot, openView, restore } from '../src/index.ts';
import type { BackupResult } from '../src/index.ts';
import { decodeNodes, encodeContent, encodeListing, encodeNodeHead } from '../src/format/tree-node.ts';
import { WHOLE_LISTING_BYTES } from '../src/limits.ts';
import { openPieces } from '../src/pack/open-blob.ts';
import { MasterKey } from '../src/seal/master-key.ts';
import { compressPieces } from '../src/seal/zstd-pieces.ts';
import { KEY, makeCheapRepository, restic } from './cheap-repository.ts';
import { describeTree, openWorkplace, resticBackup } from './fixtures.ts';

/** More than is looked at in one go, and a listing that is not held whole. */
const FILES = 15_000;
const DIRECTORIES = 60;
const PIECE_BYTES = 1024 * 1024;

function makeHugeDirectory(path: string): void {
  mkdirSync(path);
  const name = (number: number): string => `${createHash('md5').update(String(number)).digest('hex')}-é.css`;
  for (let number = 0; number < FILES; number++) closeSync(openSync(join(path, name(number)), 'w'));
  for (let number = 0; number < DIRECTORIES; number++) {
    mkdirSync(join(path, `${number}`));
    writeFileSync(join(path, `${number}/file`), `${number}`);
  }
}

describe('a directory with very many entries', () => {
  it('is backed up, found unchanged but for what changed, checked, listed and restored, and restic agrees', async () => {
    using place = openWorkplace();
    const [source, directory] = [join(place.path, 'huge'), join(place.path, 'repository')];
    makeHugeDirectory(source);
    const repository = await makeCheapRepository(directory);
    const backUp = async (): Promise<BackupResult> =>
      backup({ source: [{ kind: 'tree', name: 'huge', path: source }], repositories: [repository], paths: [source] });

    const first = await backUp();
    assert.deepEqual(first.files, { new: FILES + DIRECTORIES, changed: 0, unmodified: 0 });
    const second = await backUp();
    assert.deepEqual(second.files, { new: 0, changed: 0, unmodified: FILES + DIRECTORIES });
    assert.equal(second.treeBlobs, 0);

    const names = readdirSync(source)
      .filter((name) => name.endsWith('.css'))
      .toSorted();
    for (const at of [0, 5000, names.length - 1]) appendFileSync(join(source, names[at] ?? ''), 'changed');
    rmSync(join(source, names[7000] ?? ''));
    writeFileSync(join(source, 'ffff'), 'added');
    const third = await backUp();
    assert.deepEqual(third.files, { new: 1, changed: 3, unmodified: FILES + DIRECTORIES - 4 });
    assert.deepEqual([third.dataBlobs, third.problems], [2, []]);

    assert.equal(resticBackup(directory, source, KEY).treeBlobs, 0, 'restic lists it as we do');
    assert.match(restic(directory, ['check', '--read-data']), /no errors/);
    assert.deepEqual((await check(repository, { readData: true })).errors, []);
    const snapshot = await findSnapshot(repository, third.snapshots[0]?.id ?? '');
    const view = await openView(repository, snapshot);
    const listed = await Array.fromAsync(view.list('/huge'), (entry) => Buffer.from(entry.nameBytes).toString());
    assert.deepEqual(
      listed,
      readdirSync(source, 'latin1')
        .toSorted()
        .map((name) => Buffer.from(name, 'latin1').toString()),
    );
    await restore({ repository, snapshot, subtree: '/huge', target: join(place.path, 'out'), verify: true });
    assert.deepEqual(describeTree(join(place.path, 'out')), describeTree(source));
  });

  it('is gone through in small pieces, however long its listing is', () => {
    const nodes = function* (): Generator<string> {
      for (let number = 0; number < 100_000; number++) {
        const inode = 2n ** 60n + BigInt(number);
        const name = `file ${String(number).padStart(6, '0')}`;
        yield encodeNodeHead({ ...FIELDS, name, inode }) + encodeContent([String(number).padStart(64, '0')]);
      }
    };
    const id = createHash('sha256');
    let plainBytes = 0;
    for (const piece of encodeListing(nodes())) {
      id.update(piece);
      plainBytes += piece.length;
    }
    assert.ok(plainBytes > 4 * WHOLE_LISTING_BYTES);
    const key = MasterKey.generate();
    const frame = compressPieces(encodeListing(nodes()), plainBytes);
    const name = id.digest('hex');
    const pieces = openPieces(key, name, key.seal(frame), plainBytes);
    let seen = 0;
    for (const piece of pieces()) assert.ok(piece.length <= PIECE_BYTES);
    for (const node of decodeNodes(pieces())) {
      assert.equal(node.inode, 2n ** 60n + BigInt(seen));
      seen += 1;
    }
    assert.equal(seen, 100_000);

    frame[frame.length >> 1] = (frame[frame.length >> 1] ?? 0) ^ 1;
    assert.throws(() => openPieces(key, name, key.seal(frame), plainBytes), RangeError);
    const cut = frame.subarray(0, frame.length >> 1);
    assert.throws(() => openPieces(key, name, key.seal(cut), plainBytes), RangeError);
    assert.throws(() => openPieces(key, name, key.seal(frame), plainBytes - 1), RangeError);
  });
});

const FIELDS = {
  type: 'file',
  mode: 0o100644,
  mtimeNs: 1_700_000_000_123_456_789n,
  ctimeNs: 1_700_000_000_123_456_789n,
  uid: 1001,
  gid: 33,
  user: '',
  group: 'www-data',
  device: 65_024n,
  size: 5n,
  links: 1n,
  linkTarget: '',
  extendedAttributes: [],
  specialDevice: 0n,
} as const;
