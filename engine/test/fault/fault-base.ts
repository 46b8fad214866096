/** Two small repositories in memory with a history, what each of their snapshots holds, and how to tell that it still does. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  backup,
  entriesOfPaths,
  findSnapshot,
  generateKey,
  initRepository,
  listSnapshots,
  openLocalStorage,
  openMemoryStorage,
  openView,
} from '../../src/index.ts';
import type { Secret, Snapshot, Storage } from '../../src/index.ts';
import { readIndexFiles } from '../../src/index/load-index.ts';
import type { PackListing } from '../../src/format/index-file.ts';
import { Repository } from '../../src/repository.ts';
import { CONFIG_FILE, LISTED_KINDS } from '../../src/storage/storage.ts';
import type { FileHandle } from '../../src/storage/storage.ts';
import { openWorkplace, restic } from '../fixtures.ts';

/** Path → content. */
export type Content = ReadonlyMap<string, Buffer>;

export class FaultBase implements Disposable {
  readonly secret: Secret = { kind: 'key', text: generateKey() };
  /** Opens `base` as well. */
  readonly second: Secret = { kind: 'key', text: generateKey() };
  readonly path: string;
  readonly source: string;
  /** What each committed snapshot holds, by its tree. */
  readonly contents = new Map<string, Content>();
  readonly #place = openWorkplace();
  readonly #repositories: Repository[] = [];
  readonly #snapshots: Snapshot[] = [];

  private constructor() {
    this.path = this.#place.path;
    this.source = join(this.path, 'source');
  }

  /** The repository that all trials begin with: two snapshots, and packs and parts of packs that nothing refers to. */
  get base(): Repository {
    return this.#repositories[0] as Repository;
  }

  /** Another with one snapshot of its own, that cuts files alike. */
  get other(): Repository {
    return this.#repositories[1] as Repository;
  }

  get older(): Snapshot {
    return this.#snapshots[0] as Snapshot;
  }

  get newer(): Snapshot {
    return this.#snapshots[1] as Snapshot;
  }

  static async make(): Promise<FaultBase> {
    const made = new FaultBase();
    const { source } = made;
    mkdirSync(join(source, 'sub'), { recursive: true });
    const base = await initRepository(openMemoryStorage(), made.secret);
    const other = await initRepository(openMemoryStorage(), made.secret, { polynomialOf: base });
    made.#repositories.push(base, other);
    writeFileSync(join(source, 'sub', 'stays'), randomBytes(700_000));
    await made.#commit(base, { changes: randomBytes(90_000), goes: randomBytes(50_000) });
    rmSync(join(source, 'goes'));
    await made.#commit(base, { changes: randomBytes(80_000) });
    const gone = await made.#commit(base, { changes: randomBytes(60_000) });
    await base.storage.remove({ kind: 'snapshots', id: gone.id });
    await made.#commit(other, { changes: randomBytes(40_000) });
    // What a backup finds new.
    writeFileSync(join(source, 'changes'), randomBytes(70_000));
    writeFileSync(join(source, 'sub', 'new'), 'new');
    return made;
  }

  [Symbol.dispose](): void {
    this.#place[Symbol.dispose]();
  }

  async #commit(repository: Repository, changed: Readonly<Record<string, Buffer>>): Promise<Snapshot> {
    for (const [name, bytes] of Object.entries(changed)) writeFileSync(join(this.source, name), bytes);
    const source = entriesOfPaths([this.source]);
    const result = await backup({ source, repositories: [repository], paths: [this.source], workers: 1 });
    const snapshot = await findSnapshot(repository, result.snapshots[0]?.id ?? '');
    this.contents.set(snapshot.tree, await contentOf(repository, snapshot));
    this.#snapshots.push(snapshot);
    return snapshot;
  }

  /** A repository whose key is known already: opening it is no part of the trials. */
  open(storage: Storage, like: Repository = this.base): Repository {
    return new Repository(storage, like.key, like, () => new Date());
  }

  /** Every snapshot of `base`, under whatever id by now, but those that may go; all that is there can be read. */
  async expectWhole(storage: Storage, mayGo: readonly string[], when: string): Promise<void> {
    const repository = this.open(storage);
    const { snapshots, problems } = await listSnapshots(repository);
    assert.deepEqual(problems, [], when);
    for (const { id } of [this.older, this.newer]) {
      const isThere = snapshots.some((each) => each.id === id || each.original === id);
      assert.ok(isThere || mayGo.includes(id), `${when}: ${id} is lost`);
    }
    await this.expectReadable(repository, when);
  }

  async expectReadable(repository: Repository, when: string): Promise<void> {
    for (const snapshot of (await listSnapshots(repository)).snapshots) {
      const content = await contentOf(repository, snapshot);
      assert.deepEqual(content, this.contents.get(snapshot.tree) ?? this.#readSource(content.keys()), when);
    }
  }

  /** As `expectWhole`, where blobs were lost before: files that they were part of may be shorter or unreadable. */
  async expectAllBut(storage: Storage, lost: ReadonlySet<string>, when: string): Promise<void> {
    const repository = this.open(storage);
    const { snapshots } = await listSnapshots(repository);
    for (const old of [this.older, this.newer]) {
      const snapshot = snapshots.find((each) => each.id === old.id || each.original === old.id);
      assert.ok(snapshot !== undefined, `${when}: ${old.id} is lost`);
      const before = await openView(this.base, old);
      const after = await openView(repository, snapshot);
      for (const [path, bytes] of this.contents.get(old.tree) ?? []) {
        const isHit = (await before.stat(path)).contentIds.some((id) => lost.has(id));
        if (!isHit) assert.ok((await readAll(after, path)).equals(bytes), `${when}: ${path} of ${old.id}`);
      }
    }
  }

  /** What a new snapshot must hold. */
  #readSource(paths: Iterable<string>): Content {
    const names = [...paths];
    assert.equal(names.length, 3);
    return new Map(names.map((path) => [path, readFileSync(path)]));
  }

  async expectResticAgrees(storage: Storage, directory: string): Promise<void> {
    await copyFiles(storage, openLocalStorage(directory));
    const said = restic(directory, ['check', '--read-data', '--no-lock'], this.secret.text);
    assert.match(said, /no errors were found/);
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Every file of a snapshot, read blob by blob, each compared with its hash. */
export async function contentOf(repository: Repository, snapshot: Snapshot): Promise<Content> {
  const view = await openView(repository, snapshot);
  const found = new Map<string, Buffer>();
  for await (const { path, entry } of view.walk('/'))
    if (entry.type === 'file') found.set(path, await readAll(view, path));
  return found;
}

async function readAll(view: Awaited<ReturnType<typeof openView>>, path: string): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of view.read(path)) pieces.push(piece);
  return Buffer.concat(pieces);
}

export async function cloneOf({ storage: from }: Pick<Repository, 'storage'>): Promise<Storage> {
  const storage = openMemoryStorage();
  await copyFiles(from, storage);
  return storage;
}

/** Without locks: the run has ended, and its lock with it. */
async function copyFiles(from: Storage, to: Storage): Promise<void> {
  await to.save(CONFIG_FILE, await from.load(CONFIG_FILE));
  for (const kind of LISTED_KINDS.filter((each) => each !== 'locks'))
    for (const { id } of await from.list(kind)) await to.save({ kind, id }, await from.load({ kind, id }));
}

/** Changes one bit of a stored file. */
export async function flipBit(storage: Storage, file: FileHandle, at: number): Promise<void> {
  const bytes = await storage.load(file);
  bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ 4;
  await storage.save(file, bytes);
}

export async function listingsOf({ storage, key }: Repository): Promise<readonly PackListing[]> {
  const packs: PackListing[] = [];
  for await (const file of readIndexFiles(storage, key)) packs.push(...file.packs);
  return packs;
}
