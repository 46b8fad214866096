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
import {
  findPinnedOf,
  isPinned,
  readCatalogue,
  readCatalogueOf,
  rememberPoints,
  rowOfManifest,
  setUnpinned,
} from './catalogue.ts';
import { followMade, forgetMade, readMade, readMadePoints, rememberMade } from './made-snapshots.ts';
import type { PointRow } from '../store/tables.ts';
import { type CopyFault, findCopyFault, problemOfLocal, sayFault } from './copy-fault.ts';
import { type CopyList, listCopy, readStoredPoints } from './list-copy.ts';
import { type ListedPoint, mergeCopies } from './listed-point.ts';
import { findNewestWhole } from './newest-whole.ts';
import { type OpenPoint, pointTagOf, tagOf } from './open-point.ts';
import { openStored } from './stored-point.ts';
import { AccountRepositories, problemOfPlace } from './account-repositories.ts';
import {
  type CopyName,
  type RemoteWait,
  type RepositoryPlaces,
  copiesOf,
  hasRepository,
  isKnownAccount,
  listMade,
  repositoryUrlOf,
} from './repositories.ts';
import { type Store, copyStore } from '../store/open-store.ts';

export type PointList = {
  /** Newest first. */
  readonly points: readonly ListedPoint[];
  /** What could not be read, and so is not listed. */
  readonly problems: readonly Problem[];
  /** What keeps the local copy from being read, all of it or a part: what only the remote one is listed with may be there too. */
  readonly localFault: CopyFault | null;
};

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

  /**
   * All points of an account, each once. The local copy is looked into; of the remote one what is known, so that one which is
   * away keeps nobody waiting, and it is asked where the local one can't be read. Throws `copies-unreadable`.
   */
  async listAll(account: string): Promise<PointList> {
    const local = await this.#tryLocal(account);
    const putRemote = await this.madeTags(account, 'remote');
    if (local.fault === null && (local.list !== null || !this.repositories.isMade(account, 'remote'))) {
      const { points = [], problems = [] } = local.list ?? {};
      const known = (await readCatalogueOf(this.#store, account, 'remote')).map((row) => ({ row, stored: null }));
      // What a snapshot that can't be read is of may be listed by the other copy.
      const localFault = problems[0] ?? null;
      return { points: mergeCopies({ local: points, remote: known, putRemote }), problems, localFault };
    }
    const { fault } = local;
    if (fault !== null && this.#places.remote === null) throw fault;
    try {
      const { points, problems } = await this.listCopy(account, 'remote');
      const told = fault === null ? [] : [problemOfLocal(fault, account, this.locate(account, 'local'))];
      const listed = mergeCopies({ local: [], remote: points, putRemote });
      return { points: listed, problems: [...told, ...problems], localFault: fault };
    } catch (error) {
      if (findCopyFault(error) === null) throw error;
      if (fault === null || !this.repositories.isMade(account, 'remote')) throw fault ?? error;
      throw new SalvorError(
        'copies-unreadable',
        { account, local: sayFault(fault), remote: sayFault(error) },
        { cause: fault },
      );
    }
  }

  /** The points in one copy of an account's, as they are there now; what is known of it is brought up to date. */
  async listCopy(account: string, copy: CopyName): Promise<CopyList> {
    const name = `${copy} ${account}`;
    const seen = this.#seen.get(name) ?? new Set();
    this.#seen.set(name, seen);
    const others = copy === 'local' ? [] : ((await this.#tryLocal(account)).list?.points ?? []);
    const repository = await this.repositories.open(account, copy);
    return await listCopy(repository, { account, copy, store: this.#store, seen, others });
  }

  /** `fault`: what keeps it from being read. Neither for an account that has none. */
  async #tryLocal(
    account: string,
  ): Promise<{ readonly list: CopyList | null; readonly fault: (CopyFault & Error) | null }> {
    if (!hasRepository(this.#places, account) && !this.repositories.isMade(account, 'local'))
      return { list: null, fault: null };
    try {
      return { list: await this.listCopy(account, 'local'), fault: null };
    } catch (error) {
      const fault = findCopyFault(error);
      if (fault === null) throw error;
      return { list: null, fault };
    }
  }

  /** Where a copy of an account's lies. */
  locate(account: string, copy: CopyName): string {
    return repositoryUrlOf(this.#places, account, copy);
  }

  /** Whether this host has an account's repository in some copy, or had one. */
  isKnown(account: string): boolean {
    return isKnownAccount(this.#places, account);
  }

  /** Newest first. */
  async list(account: string, uri: string): Promise<readonly ListedPoint[]> {
    return (await this.listAll(account)).points.filter(({ row }) => row.uri === uri);
  }

  async remember(point: OpenPoint): Promise<void> {
    const { manifest, snapshot } = point;
    const account = manifest.account.name;
    const copy = await this.repositories.copyOf(account, point.repository);
    await rememberPoints(this.#store, [rowOfManifest(manifest, snapshot, copy)]);
    const complete = manifest.complete ? 1 : 0;
    await rememberMade(this.#store, [{ snapshot: snapshot.id, account, copy, point: manifest.point, complete }]);
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

  /** Tags of the points that this agent has put into a copy. */
  async madeTags(account: string, copy: CopyName): Promise<ReadonlySet<string>> {
    return new Set((await readMadePoints(this.#store, account, copy)).values());
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

  /** Points that no rule may remove, by id or tag: nobody has confirmed their task, or they are a site's newest whole one in a copy. */
  async heldOf(account: string, now: Date): Promise<ReadonlySet<string>> {
    const { list, fault } = await this.#tryLocal(account);
    if (fault !== null && this.#places.remote === null) throw fault;
    // What is known of the remote copy may be of before: where it is all there is, it is asked.
    const remote =
      fault === null
        ? await readCatalogueOf(this.#store, account, 'remote')
        : (await this.listCopy(account, 'remote')).points.map(({ row }) => row);
    const local = (list?.points ?? []).map(({ row }) => row);
    const held = [
      ...findNewestWhole(local, await readMadePoints(this.#store, account, 'local'), now),
      ...findNewestWhole(remote, await readMadePoints(this.#store, account, 'remote'), now),
    ];
    const rows = await readCatalogue(this.#store, account);
    return new Set([...held, ...rows.filter(({ pinned }) => pinned === 1).map(({ id }) => id)]);
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
    for (const { account } of listMade(this.#places, 'local'))
      await this.listAll(account).catch((error: unknown) => {
        if (findCopyFault(error) === null) throw error;
      });
    return await findPinnedOf(this.#store, task);
  }

  /** The point that was made of an archive, as long as `source` says that it would be made the same. */
  async openUnpacked(account: string, id: string, source: string): Promise<OpenPoint | null> {
    const { list } = await this.#tryLocal(account);
    const found = list?.points.find(
      ({ row, stored }) => row.id === id && stored.kind === 'site' && tagOf(stored.snapshot, 'source') === source,
    );
    return found === undefined ? null : await openStored(await this.repositories.open(account), found.stored);
  }

  /** Removes the points that were made of an archive before, but for the one that is given. */
  async forgetUnpacked(account: string, { manifest, snapshot }: OpenPoint, signal: AbortSignal): Promise<void> {
    const { repository } = await this.repositories.openForNew(account);
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
   * Ends a point's pin in every copy, and that of others which the same task took: from now on they live as long as the rules
   * say. A copy that can't be read
   * keeps its pin, which is a problem that is named. Throws `repository-locked` where something is at work on the local one.
   */
  async unpin(account: string, point: string, task: string, signal: AbortSignal): Promise<readonly Problem[]> {
    const problems: Problem[] = [];
    for (const copy of copiesOf(this.#places)) {
      try {
        const repository = await this.repositories.open(account, copy);
        const { changed } = await tag(repository, {
          change: { remove: [PIN_TAG] },
          filter: { tags: [[`point:${point}`], [`task:${task}`, PIN_TAG]] },
          onSaved: (change) => followMade(this.#store, change),
          signal,
        });
        await this.forgetMade(changed.map(({ old }) => old));
      } catch (error) {
        if (copy === 'local' && findCopyFault(error) === null) throw error;
        problems.push(problemOfPlace(error, this.locate(account, copy)));
      }
    }
    await setUnpinned(this.#store, point, task);
    return problems;
  }

  /** A site that only its points remember, by URI or ACCOUNT/URI; null where none does, or more than one. */
  async findSite(name: string, accounts: readonly string[]): Promise<{ account: string; uri: string } | null> {
    const found = new Map<string, { account: string; uri: string }>();
    for (const account of accounts) {
      if (!this.isKnown(account)) continue;
      for (const { row } of (await this.listAll(account)).points)
        if (row.uri === name || `${account}/${row.uri}` === name) found.set(account, { account, uri: row.uri });
    }
    const [only] = found.values();
    return only !== undefined && found.size === 1 ? only : null;
  }
}
