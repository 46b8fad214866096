import { PIN_TAG, type Snapshot, forgetNamed, listSnapshots, tag } from '@salvor/engine';
import { lstatSync } from 'node:fs';
import type { Problem } from '@salvor/contract';
import type { WrittenArchive } from '../archives/write-archive.ts';
import { SalvorError } from '../errors.ts';
import type { Account } from '../sites/account.ts';
import type { Site } from '../sites/site.ts';
import {
  type FoundArchive,
  adoptArchives,
  findOwnArchives,
  listArchives,
  rememberArchive,
} from './archive-catalogue.ts';
import type { FoundFile } from './find-archives.ts';
import { findPinnedOf, isPinned, readCatalogue, rememberPoints, rowOfManifest, setUnpinned } from './catalogue.ts';
import { followMade, forgetMade, readMade, readMadePoints, rememberMade } from './made-snapshots.ts';
import type { PointRow } from '../store/tables.ts';
import { type ListedPoint, type PointList, isMadeOf, listPoints, readStoredPoints } from './list-points.ts';
import { type OpenPoint, pointTagOf, tagOf } from './open-point.ts';
import { openStored } from './stored-point.ts';
import { AccountRepositories, problemOfPlace } from './account-repositories.ts';
import {
  type CopyName,
  type RemoteWait,
  type RepositoryPlaces,
  copiesOf,
  hasRepository,
  listMade,
  repositoryUrlOf,
} from './repositories.ts';
import { type Store, copyStore } from '../store/open-store.ts';

/** Fewer letters of an id would name another point tomorrow. */
const MIN_PREFIX = 4;

/** The points of all accounts of a host, and what is known of them. */
export class HostPoints implements AsyncDisposable {
  readonly repositories: AccountRepositories;
  readonly #places: RepositoryPlaces;
  readonly #store: Store;
  readonly #seen = new Map<string, Set<string>>();

  /** `waitOf`: how fast an account's remote repository may be written and read. */
  constructor(places: RepositoryPlaces, store: Store, waitOf: (account: string) => RemoteWait = () => ({})) {
    this.#places = places;
    this.#store = store;
    this.repositories = new AccountRepositories(places, waitOf);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.repositories[Symbol.asyncDispose]();
  }

  async listAll(account: string): Promise<PointList> {
    const seen = this.#seen.get(account) ?? new Set();
    this.#seen.set(account, seen);
    return await listPoints(await this.repositories.open(account), account, this.#store, seen);
  }

  /** Newest first. */
  async list(account: string, uri: string): Promise<readonly ListedPoint[]> {
    return (await this.listAll(account)).points.filter(({ row }) => row.uri === uri);
  }

  async remember(point: OpenPoint): Promise<void> {
    const { manifest, snapshot } = point;
    await rememberPoints(this.#store, [rowOfManifest(manifest, snapshot)]);
    const complete = manifest.complete ? 1 : 0;
    const account = manifest.account.name;
    await rememberMade(this.#store, [
      { snapshot: snapshot.id, account, copy: 'local', point: manifest.point, complete },
    ]);
  }

  /** Keeps that snapshots were made in a copy and read back, or brought over from one that was. */
  async rememberMade(
    account: string,
    copy: CopyName,
    made: readonly { readonly snapshot: Snapshot; readonly isComplete: boolean }[],
  ): Promise<void> {
    const rows = made.map(({ snapshot, isComplete }) => ({
      snapshot: snapshot.id,
      account,
      copy,
      point: pointTagOf(snapshot) ?? '',
      complete: isComplete ? 1 : 0,
    }));
    await rememberMade(this.#store, rows);
  }

  /** By id, the snapshots of a copy that this agent made, and whether they are complete. */
  async madeIn(account: string, copy: CopyName): Promise<ReadonlyMap<string, boolean>> {
    return await readMade(this.#store, account, copy);
  }

  /**
   * Takes points of a copy for made by this host's agent, which has lost its list of them: those of `points`, or with null all
   * that read as one and are not from the future. How many snapshots.
   */
  async adoptMade(
    account: string,
    copy: CopyName,
    { points, now }: { readonly points: ReadonlySet<string> | null; readonly now: Date },
  ): Promise<number> {
    const repository = await this.repositories.open(account, copy);
    const rows = await readStoredPoints(repository, account, copy);
    const ours = rows.filter(({ point, time }) => Date.parse(time) <= now.getTime() && (points?.has(point) ?? true));
    await rememberMade(
      this.#store,
      ours.map(({ snapshot, point, complete }) => ({ snapshot, account, copy, point, complete })),
    );
    return ours.length;
  }

  async forgetMade(snapshots: readonly string[]): Promise<void> {
    await forgetMade(this.#store, snapshots);
  }

  /** The time of the newest point of an account that is known; null where none is. Asks no repository. */
  async newestKnown(account: string): Promise<string | null> {
    const rows = await readCatalogue(this.#store, account);
    return rows.reduce<string | null>((newest, { time }) => (newest === null || time > newest ? time : newest), null);
  }

  /**
   * Tags of the points that hold what is each site's newest complete one, of its files and of its databases: they never go,
   * whatever became of the nights since, and of the account's other sites. A point of databases alone says nothing of files.
   * What others wrote with the account's key does not count, nor a time that lies ahead.
   */
  async #newestWholeOf(account: string, now: Date): Promise<ReadonlySet<string>> {
    const { points } = await this.listAll(account);
    const made = await readMadePoints(this.#store, account, 'local');
    const newest = new Map<string, PointRow>();
    for (const { row } of points) {
      if (row.complete !== 1 || !isMadeOf(row, made) || Date.parse(row.time) > now.getTime()) continue;
      for (const content of [row.holds_files === 1 ? 'files' : '', row.holds_databases === 1 ? 'databases' : '']) {
        const key = `${content} ${row.uri}`;
        const before = newest.get(key);
        if (content !== '' && (before === undefined || before.time < row.time)) newest.set(key, row);
      }
    }
    const held = [...newest.values()].flatMap(({ snapshot }) => snapshot.split(' ').map((id) => made.get(id) ?? null));
    return new Set(held.filter((point) => point !== null));
  }

  /** Points that no rule may remove, by id or tag: nobody has confirmed their task, or they are a site's newest whole one. */
  async heldOf(account: string, now: Date): Promise<ReadonlySet<string>> {
    const newest = await this.#newestWholeOf(account, now);
    const rows = await readCatalogue(this.#store, account);
    return new Set([...newest, ...rows.filter(({ pinned }) => pinned === 1).map(({ id }) => id)]);
  }

  /** Archives and dumps on the disk, newest first. */
  async listArchives(account: Account, sites: readonly Site[]): Promise<readonly FoundArchive[]> {
    return await listArchives(account, sites, this.#store);
  }

  /** Takes a new archive of a task into the catalogue. */
  async rememberArchive(account: Account, path: string, written: WrittenArchive): Promise<void> {
    const { mtimeNs } = lstatSync(path, { bigint: true });
    const file: FoundFile = { path, home: account.home, type: 'file', bytes: written.bytes, mtimeNs, uri: null };
    await rememberArchive(this.#store, account.name, file, written);
  }

  /** Writes a whole copy of the store, as it is now, into a file that is not there yet. */
  async saveStore(file: string): Promise<void> {
    await copyStore(this.#store, file);
  }

  /** Paths of the archives that tasks of this host wrote. */
  async ownArchives(account: string): Promise<readonly string[]> {
    return await findOwnArchives(this.#store, account);
  }

  /** Knows the archives of this host's tasks again by what they say of themselves: after `listArchives`. How many. */
  async adoptArchives(account: string): Promise<number> {
    return await adoptArchives(this.#store, account);
  }

  /** The pinned point that a task took, of whichever account: asked of the repositories, as the list of tasks may be lost. */
  async pinnedOf(task: string): Promise<PointRow | null> {
    for (const { account } of listMade(this.#places, 'local')) await this.listAll(account);
    return await findPinnedOf(this.#store, task);
  }

  /** The point that was made of an archive, as long as `source` says that it would be made the same. */
  async openUnpacked(account: string, id: string, source: string): Promise<OpenPoint | null> {
    if (!hasRepository(this.#places, account)) return null;
    const found = (await this.listAll(account)).points.find(
      ({ row, stored }) => row.id === id && stored.kind === 'site' && tagOf(stored.snapshot, 'source') === source,
    );
    return found === undefined ? null : await openStored(await this.repositories.open(account), found.stored);
  }

  /** Removes the points that were made of an archive before, but for the one that is given. */
  async forgetUnpacked(account: string, { manifest, snapshot }: OpenPoint, signal: AbortSignal): Promise<void> {
    const repository = await this.repositories.open(account);
    const { snapshots } = await listSnapshots(repository, { tags: [`point:${manifest.point}`] });
    const older = snapshots.filter(({ id, tags }) => id !== snapshot.id && tagOf({ tags }, 'source') !== null);
    await forgetNamed(
      repository,
      older.map(({ id }) => id),
      { signal },
    );
  }

  /** Whether the rules must leave it, as far as the catalogue knows. */
  async isPinned(point: string): Promise<boolean> {
    return await isPinned(this.#store, point);
  }

  /**
   * Ends a point's pin in every copy: from now on it lives as long as the rules say. A remote place that can't be reached
   * keeps its pin, which is a problem that is named. Throws `repository-locked` where something is at work on the local one.
   */
  async unpin(account: string, point: string, signal: AbortSignal): Promise<readonly Problem[]> {
    const problems: Problem[] = [];
    for (const copy of copiesOf(this.#places)) {
      try {
        const repository = await this.repositories.open(account, copy);
        const { changed } = await tag(repository, {
          change: { remove: [PIN_TAG] },
          filter: { tags: [[`point:${point}`]] },
          onSaved: (change) => followMade(this.#store, change),
          signal,
        });
        await this.forgetMade(changed.map(({ old }) => old));
      } catch (error) {
        if (copy === 'local') throw error;
        problems.push(problemOfPlace(error, repositoryUrlOf(this.#places, account, copy)));
      }
    }
    await setUnpinned(this.#store, point);
    return problems;
  }

  /** Opens the point that is meant, whichever account it belongs to. Throws `point-unknown`, `point-ambiguous`. */
  async open(prefix: string, accounts: readonly string[]): Promise<OpenPoint> {
    const found: { account: string; listed: ListedPoint }[] = [];
    for (const account of accounts) {
      if (!hasRepository(this.#places, account)) continue;
      for (const listed of (await this.listAll(account)).points)
        if (listed.row.id.startsWith(prefix)) found.push({ account, listed });
    }
    return await this.#openOnly(prefix, 'this host', found);
  }

  /** The point of one site that is meant; null for the newest that is complete and not a safety point. */
  async openOf(account: string, uri: string, prefix: string | null): Promise<OpenPoint> {
    const points = await this.list(account, uri);
    if (prefix === null) {
      // One of databases alone is restored where it is named: the whole site is meant here.
      const newest = points.find(({ row }) => row.complete === 1 && row.safety === 0 && row.holds_files === 1);
      if (newest === undefined) throw new SalvorError('point-missing', { site: `${account}/${uri}` });
      return await openStored(await this.repositories.open(account), newest.stored);
    }
    const found = points.filter(({ row }) => row.id.startsWith(prefix)).map((listed) => ({ account, listed }));
    return await this.#openOnly(prefix, `${account}/${uri}`, found);
  }

  /** A site that only its points remember, by URI or ACCOUNT/URI; null where none does, or more than one. */
  async findSite(name: string, accounts: readonly string[]): Promise<{ account: string; uri: string } | null> {
    const found = new Map<string, { account: string; uri: string }>();
    for (const account of accounts) {
      if (!hasRepository(this.#places, account)) continue;
      for (const { row } of (await this.listAll(account)).points)
        if (row.uri === name || `${account}/${row.uri}` === name) found.set(account, { account, uri: row.uri });
    }
    const [only] = found.values();
    return only !== undefined && found.size === 1 ? only : null;
  }

  async #openOnly(
    prefix: string,
    where: string,
    found: readonly { readonly account: string; readonly listed: ListedPoint }[],
  ): Promise<OpenPoint> {
    const [only] = found;
    if (only === undefined || prefix.length < MIN_PREFIX)
      throw new SalvorError('point-unknown', { point: prefix, where });
    if (found.length > 1) throw new SalvorError('point-ambiguous', { point: prefix });
    return await openStored(await this.repositories.open(only.account), only.listed.stored);
  }
}
