/**
 * Repositories with one thing wrong, each named by it, of every kind that restic's check, prune and repairs tell apart:
 * stock restic and we come to the same verdict. Restic 0.14 has one repair, `rebuild-index`; what the repairs of packs
 * and snapshots leave is judged by its check.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { hash, randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { EngineError, check, listSnapshots, prune, repairIndex, repairPacks, repairSnapshots } from '../src/index.ts';
import type { Repository } from '../src/index.ts';
import { encodeIndex } from '../src/format/index-file.ts';
import type { PackListing } from '../src/format/index-file.ts';
import { encodePackHeader } from '../src/format/pack-header.ts';
import type { BlobType, PackEntry } from '../src/format/pack-header.ts';
import { sealUnpacked } from '../src/format/unpacked.ts';
import { parseTreeId } from '../src/ids.ts';
import { findUsedBlobs } from '../src/prune/find-used.ts';
import { saveSnapshot } from '../src/snapshots.ts';
import { saveHashed } from '../src/storage/load-verified.ts';
import { KEY, backUp, makeCheapRepository, openCheapRepository, openWorkplace } from './cheap-repository.ts';
import { change, flipAt, pathOf } from './damage-files.ts';
import { listingsOf } from './fault/fault-base.ts';

const place = openWorkplace();
const whole = join(place.path, 'whole');

before(async () => {
  const source = join(place.path, 'source');
  mkdirSync(source);
  const repository = await makeCheapRepository(whole);
  for (const _ of [1, 2]) {
    for (const name of ['a', 'b', 'c']) writeFileSync(join(source, name), randomBytes(20_000));
    await backUp(repository, source);
  }
  const [oldest] = (await listSnapshots(repository)).snapshots;
  await repository.storage.remove({ kind: 'snapshots', id: oldest?.id ?? '' });
});
after(() => place[Symbol.dispose]());

/** It asks for a pack that is gone again and again, for minutes: that it will not end well is known long before. */
const PATIENCE_MS = 10_000;

/** Whether stock restic ends well; beside other runs of it. */
async function resticPasses(directory: string, ...args: readonly string[]): Promise<boolean> {
  const env = { PATH: '/usr/bin:/bin', HOME: directory, TZ: 'UTC', RESTIC_PASSWORD: KEY };
  return new Promise((resolve) => {
    execFile('restic', ['--no-cache', '-r', directory, ...args], { env, timeout: PATIENCE_MS }, (error) =>
      resolve(error === null),
    );
  });
}

const cutOff = (bytes: Buffer): Buffer => bytes.subarray(0, -9);

async function packOf(repository: Repository, type: BlobType, isUsed: boolean): Promise<PackListing> {
  const used = await findUsedBlobs(repository);
  const pack = (await listingsOf(repository)).find(
    ({ blobs }) => blobs[0]?.type === type && blobs.some((blob) => used.find(blob.type, blob.id) !== -1) === isUsed,
  );
  assert.ok(pack !== undefined);
  return pack;
}

const list = async (repository: Repository, packs: readonly PackListing[]): Promise<string> =>
  saveHashed(repository.storage, 'index', sealUnpacked(repository.key, encodeIndex(packs)));

async function dropIndexes({ storage }: Repository): Promise<void> {
  for (const { id } of await storage.list('index')) await storage.remove({ kind: 'index', id });
}

/** A pack of these blobs, uncompressed, with a gap before the header if wanted. */
async function writePack(
  repository: Repository,
  blobs: readonly { readonly type: BlobType; readonly bytes: Buffer }[],
): Promise<PackListing> {
  const parts: Buffer[] = [];
  const entries: PackEntry[] = [];
  let offset = 0;
  for (const { type, bytes } of blobs) {
    const sealed = repository.key.seal(bytes);
    parts.push(sealed);
    entries.push({ type, id: hash('sha256', bytes, 'hex'), offset, length: sealed.length, plainBytes: null });
    offset += sealed.length;
  }
  const header = repository.key.seal(Buffer.from(encodePackHeader(entries)));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(header.length);
  const id = await saveHashed(repository.storage, 'data', Buffer.concat([...parts, header, length]));
  return { id, blobs: entries };
}

/** A snapshot whose root is this text. */
async function addSnapshot(repository: Repository, tree: string): Promise<void> {
  const pack = await writePack(repository, [{ type: 'tree', bytes: Buffer.from(tree) }]);
  await list(repository, [pack]);
  const [snapshot] = (await listSnapshots(repository)).snapshots;
  assert.ok(snapshot !== undefined);
  const { id: _id, ...record } = snapshot;
  await saveSnapshot(repository, { ...record, tree: parseTreeId(pack.blobs[0]?.id ?? '') });
}

const treeOf = (...nodes: readonly string[]): string => `{"nodes":[${nodes.join(',')}]}\n`;
const META = '"mode":420,"mtime":"2026-01-01T00:00:00Z","uid":0,"gid":0';
const NOWHERE = 'e'.repeat(64);

type Damage = (repository: Repository, directory: string) => Promise<unknown>;

const KINDS: readonly [string, Damage][] = [
  ['nothing', async () => undefined],
  ['index-bit', async (r, d) => change(d, 'index', (await r.storage.list('index'))[0]?.id ?? '', flipAt(40))],
  ['index-cut-off', async (r, d) => change(d, 'index', (await r.storage.list('index'))[0]?.id ?? '', cutOff)],
  ['all-indexes-gone', async (r) => dropIndexes(r)],
  [
    'pack-listed-twice-and-differently',
    async (r) => {
      const pack = await packOf(r, 'data', true);
      await list(r, [{ id: pack.id, blobs: pack.blobs.map((blob) => ({ ...blob, length: blob.length - 1 })) }]);
    },
  ],
  ['pack-listed-twice', async (r) => list(r, [await packOf(r, 'data', true)])],
  ['pack-gone', async (r) => r.storage.remove({ kind: 'data', id: (await packOf(r, 'data', true)).id })],
  ['pack-of-listings-gone', async (r) => r.storage.remove({ kind: 'data', id: (await packOf(r, 'tree', true)).id })],
  ['unneeded-pack-gone', async (r) => r.storage.remove({ kind: 'data', id: (await packOf(r, 'data', false)).id })],
  ['pack-cut-off', async (r, d) => change(d, 'data', (await packOf(r, 'data', true)).id, cutOff)],
  ['unneeded-pack-cut-off', async (r, d) => change(d, 'data', (await packOf(r, 'data', false)).id, cutOff)],
  [
    'pack-too-long',
    async (r, d) => change(d, 'data', (await packOf(r, 'data', true)).id, (b) => Buffer.concat([b, b])),
  ],
  ['pack-bit-in-a-blob', async (r, d) => change(d, 'data', (await packOf(r, 'data', true)).id, flipAt(100))],
  ['pack-bit-in-a-listing', async (r, d) => change(d, 'data', (await packOf(r, 'tree', true)).id, flipAt(30))],
  ['pack-bit-in-the-header', async (r, d) => change(d, 'data', (await packOf(r, 'data', true)).id, flipAt(-20))],
  ['pack-not-listed', async (r) => writePack(r, [{ type: 'data', bytes: Buffer.from('nobody needs this') }])],
  ['stray-file-among-packs', async (_, d) => writeFileSync(pathOf(d, 'data', 'b'.repeat(64)), 'stray')],
  [
    'pack-of-both-kinds',
    async (r) =>
      list(r, [
        await writePack(r, [
          { type: 'data', bytes: Buffer.from('data') },
          { type: 'tree', bytes: Buffer.from(treeOf()) },
        ]),
      ]),
  ],
  [
    'snapshot-bit',
    async (r, d) => change(d, 'snapshots', (await r.storage.list('snapshots'))[0]?.id ?? '', flipAt(40)),
  ],
  ['listing-is-no-JSON', async (r) => addSnapshot(r, '{"nodes":[')],
  [
    'content-in-no-index',
    async (r) => addSnapshot(r, treeOf(`{"name":"f","type":"file",${META},"size":5,"content":["${NOWHERE}"]}`)),
  ],
  [
    'listing-in-no-index',
    async (r) => addSnapshot(r, treeOf(`{"name":"d","type":"dir",${META},"content":null,"subtree":"${NOWHERE}"}`)),
  ],
  [
    'directory-without-listing',
    async (r) => addSnapshot(r, treeOf(`{"name":"d","type":"dir",${META},"content":null}`)),
  ],
  ['node-of-unknown-type', async (r) => addSnapshot(r, treeOf(`{"name":"x","type":"door",${META},"content":null}`))],
  ['node-without-name', async (r) => addSnapshot(r, treeOf(`{"name":"","type":"file",${META},"content":[]}`))],
  [
    'content-with-a-null-id',
    async (r) => addSnapshot(r, treeOf(`{"name":"f","type":"file",${META},"content":["${'0'.repeat(64)}"]}`)),
  ],
];

const finds = async (directory: string, readData: boolean): Promise<boolean> =>
  (await check(await openCheapRepository(directory), { readData, workers: 1 })).errors.length > 0;

/** Who refuses has deleted nothing. */
async function pruneRefuses(directory: string): Promise<boolean> {
  const listing = (): string[] => readdirSync(directory, { recursive: true, encoding: 'utf8' }).toSorted();
  const before = listing();
  try {
    await prune(await openCheapRepository(directory));
    return false;
  } catch (error) {
    assert.ok(error instanceof EngineError, String(error));
    assert.deepEqual(listing(), before);
    return true;
  }
}

/** Where we are deliberately of another mind, with the reason. */
const NOT_KNOWN = 'what a damaged listing reaches is not known, so that nothing may be called unused; restic goes on';
const APART: Readonly<Record<string, string>> = {
  'directory-without-listing: prune': NOT_KNOWN,
  'node-of-unknown-type: prune': NOT_KNOWN,
  'node-without-name: prune': NOT_KNOWN,
};

describe('of a repository with', { concurrency: 6 }, () => {
  for (const [name, damage] of KINDS) {
    it(`${name}, restic and we say the same in check, prune and after the repairs`, async () => {
      const [ours, theirs] = [join(place.path, `${name} ours`), join(place.path, `${name} theirs`)] as const;
      cpSync(whole, ours, { recursive: true });
      await damage(await openCheapRepository(ours), ours);
      const copyOf = (to: string): string => {
        rmSync(to, { recursive: true, force: true });
        cpSync(ours, to, { recursive: true });
        return to;
      };
      const verdicts: Record<string, readonly [boolean, boolean]> = {};
      verdicts['check'] = [await finds(ours, false), !(await resticPasses(ours, 'check', '--no-lock'))];
      verdicts['check --read-data'] = [
        await finds(ours, true),
        !(await resticPasses(ours, 'check', '--read-data', '--no-lock')),
      ];
      const pruned = copyOf(`${ours} pruned`);
      verdicts['prune'] = [await pruneRefuses(pruned), !(await resticPasses(copyOf(theirs), 'prune'))];
      const repaired = copyOf(`${ours} repaired`);
      await repairIndex(await openCheapRepository(repaired));
      copyOf(theirs);
      await resticPasses(theirs, 'rebuild-index');
      verdicts['check after the repair of the index'] = [
        await finds(repaired, false),
        !(await resticPasses(theirs, 'check', '--no-lock')),
      ];
      for (const [what, [we, they]] of Object.entries(verdicts)) {
        const isApart = APART[`${name}: ${what}`] !== undefined;
        const said = `${what}: we ${we ? 'find' : 'find no'} damage, restic ${they ? 'does' : 'does not'}`;
        assert.equal(we === they, !isApart, said);
        // Where we went on and restic did not, it must have been right.
        if (isApart && !we) assert.ok(await resticPasses(pruned, 'check', '--read-data', '--no-lock'), said);
      }
      await repairAll(repaired);
      assert.equal(await finds(repaired, true), false, 'the repairs mend all, or take it out');
      assert.ok(await resticPasses(repaired, 'check', '--read-data', '--no-lock'));
      for (const path of [ours, theirs, pruned, repaired]) rmSync(path, { recursive: true, force: true });
    });
  }
});

/** Packs that a check names, then the snapshots that need what was in them; snapshot files that can't be read go. */
async function repairAll(directory: string): Promise<void> {
  const repository = await openCheapRepository(directory);
  const { errors } = await check(repository, { readData: true, workers: 1 });
  const packs = new Set(errors.flatMap(({ path }) => (path.startsWith('data/') ? [path.slice('data/'.length)] : [])));
  if (packs.size > 0) await repairPacks(repository, [...packs]);
  await repairSnapshots(repository, { forget: true });
  for (const { path } of (await listSnapshots(repository)).problems)
    await repository.storage.remove({ kind: 'snapshots', id: path.slice('snapshots/'.length) });
}
