/**
 * Makes a night's point of an account: two snapshots under one point id, in each of its repositories.
 *
 *   all databases (dumped while they stream) → manifests of the sites → snapshot of databases
 *   → all files of the homes, manifests that know how that went → snapshot of files → opened again, site by site
 *
 * Where the files are frozen and what holds them so gives way, all files are read again, as they change by then.
 *
 * One broken site is the problem of that site: its database is left out, named, and the night goes on with the others. A
 * dump that fails in the middle is begun again without it; what was stored by then costs nothing the second time.
 */
import { statSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Problem } from '@salvor/contract';
import {
  type BackupProgress,
  type BackupResult,
  type Repository,
  type Snapshot,
  type SourceEntry,
  backup,
  findSnapshot,
} from '@salvor/engine';
import { SalvorError } from '../errors.ts';
import { codeOf } from '../lib/errno.ts';
import { linkOwnersOf } from '../sites/account-owners.ts';
import { readHostTables } from '../sites/host-tables.ts';
import type { CaptureAccountWanted, CaptureSite } from './account-wanted.ts';
import { countFiles } from './count-files.ts';
import { type CaptureDatabase, dumpEntries, unwrapSourceFailure } from './dump-entries.ts';
import { homeEntries } from './home-entries.ts';
import { leftOutWithin } from './left-out.ts';
import { placeDatabases } from './place-databases.ts';
import { type ManifestDatabase, serialiseManifest } from './manifest.ts';
import {
  type CountedFiles,
  type NightOfSite,
  manifestOfAccount,
  manifestOfSite,
  nameManifest,
} from './night-manifests.ts';

/** Homes as they were in one instant, where the file system can show them so. */
export type FrozenFiles = {
  /** Where a path is to be read; null for itself. */
  readonly readFrom: (path: string) => string | null;
  /** The instant as which the files at a path are read; null where they are read as they change. */
  readonly timeOf: (path: string) => Date | null;
  /**
   * What of it has turned out since the last call not to be that instant to the end. From here on `readFrom` and `timeOf`
   * give null for it; all that was read from it, or could not be, is to be read again.
   */
  readonly findSpoilt: () => Promise<readonly Problem[]>;
};

export type CaptureAccountTools = {
  /** The first is read from where files are unchanged. */
  readonly repositories: readonly Repository[];
  readonly scratch: string;
  readonly workers: number;
  readonly clock: () => Date;
  readonly frozen: FrozenFiles;
  /** By URI: the task that has switched the site since the night began. */
  readonly readSwitched: () => Promise<ReadonlyMap<string, string>>;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: BackupProgress) => void;
};

export type CapturedAccount = {
  readonly time: Date;
  /** Null where the account has no database that could be dumped. */
  readonly databases: BackupResult | null;
  /** Null in a point of databases alone. */
  readonly files: BackupResult | null;
  /** By the site's URI; those without one of their own belong to the account. */
  readonly problems: readonly { readonly uri: string | null; readonly problem: Problem }[];
};

/** Throws what the engine throws where no repository could take the files, and `dumps-missing`. */
export async function captureAccount(
  wanted: CaptureAccountWanted,
  tools: CaptureAccountTools,
): Promise<CapturedAccount> {
  const capture = new AccountCapture(wanted, tools);
  const databases = await capture.databases();
  const files = wanted.holds === 'all' ? await capture.files() : null;
  if (databases === null && files === null) throw new SalvorError('dumps-missing', { account: wanted.account.name });
  return { time: capture.time, databases, files, problems: capture.problems };
}

/** The snapshots of a captured account in one of its repositories; null for what is not there. */
export async function snapshotsIn(
  repository: Repository,
  { databases, files }: Pick<CapturedAccount, 'databases' | 'files'>,
): Promise<{ readonly databases: Snapshot | null; readonly files: Snapshot | null }> {
  const find = async (result: BackupResult | null): Promise<Snapshot | null> => {
    const made = result?.snapshots.find((snapshot) => snapshot.repository === repository);
    return made === undefined ? null : await findSnapshot(repository, made.id);
  };
  return { databases: await find(databases), files: await find(files) };
}

/** Ends a reading of all files that is begun again: no snapshot is made of it. */
class Thawed extends Error {}

function isThawed(error: unknown): boolean {
  return unwrapSourceFailure(error) instanceof Thawed;
}

class AccountCapture {
  readonly time: Date;
  readonly problems: { uri: string | null; problem: Problem }[] = [];
  readonly #wanted: CaptureAccountWanted;
  readonly #tools: CaptureAccountTools;
  /** Databases whose dump failed, by the place that they would have had. */
  readonly #failed = new Set<string>();
  readonly #places: ReadonlyMap<CaptureDatabase, string>;
  #dumped = new Map<string, ManifestDatabase>();
  #manifests: readonly { readonly name: string; readonly bytes: Uint8Array }[] = [];
  #account: Uint8Array = Buffer.alloc(0);
  readonly #counted = new Map<string, CountedFiles | null>();
  /** Known when the files were read: of the point of such a site the databases are of before, and some files may be of after. */
  #switched: ReadonlyMap<string, string> = new Map();

  constructor(wanted: CaptureAccountWanted, tools: CaptureAccountTools) {
    this.#wanted = wanted;
    this.#tools = tools;
    this.time = tools.clock();
    this.#places = placeDatabases(wanted.sites);
  }

  async databases(): Promise<BackupResult | null> {
    for (;;) {
      const names = [...new Set(this.#places.values())].filter((place) => !this.#failed.has(place));
      this.#dumped = new Map();
      this.#manifests = [];
      if (names.length === 0) {
        await this.#makeManifests();
        return null;
      }
      const failing: { place: string | null } = { place: null };
      const problems: { place: string; problem: Problem }[] = [];
      const entries = names.map((place) => this.#dump(place, failing, problems));
      try {
        const result = await this.#store(
          'databases',
          ['/databases'],
          [
            { kind: 'directory', name: 'databases', mode: 0o700, mtimeNs: this.#mtimeNs, entries },
            ...this.#manifestEntries(),
          ],
        );
        for (const { place, problem } of problems) this.#noteDatabase(place, problem);
        return result;
      } catch (error) {
        const cause = unwrapSourceFailure(error);
        if (failing.place === null || !(cause instanceof SalvorError) || cause.code === 'cancelled') throw error;
        this.#failed.add(failing.place);
        this.#noteDatabase(failing.place, { code: cause.code, message: cause.message, path: failing.place });
      }
    }
  }

  async files(): Promise<BackupResult> {
    for (;;) {
      try {
        return await this.#files();
      } catch (error) {
        // Whatever it was that failed: of a snapshot that is gone nothing can be read.
        if (this.#tools.signal.aborted || (!isThawed(error) && !(await this.#thaw()))) throw error;
      }
    }
  }

  async #files(): Promise<BackupResult> {
    const { homes, exclude, sites } = this.#wanted;
    const leftOut = [...exclude, ...sites.flatMap((site) => site.leftOut.map(({ path }) => path))];
    const linkOwners = linkOwnersOf(this.#wanted.account, readHostTables());
    const tree = (path: string, name: string): SourceEntry => {
      const from = this.#tools.frozen.readFrom(path);
      return { kind: 'tree', name, path, ...(from === null ? {} : { from }), linkOwners, exclude: leftOut };
    };
    this.#manifests = [];
    const result = await this.#store('files', homes, [
      ...homeEntries(homes, tree),
      ...this.#wanted.texts.map(({ name, text }) => this.#stream(name, () => Buffer.from(text))),
      ...this.#manifestEntries(async () => {
        if (await this.#thaw()) throw new Thawed();
        this.#switched = await this.#tools.readSwitched();
        for (const [uri, by] of this.#switched) this.#noteSwitched(uri, by);
      }),
    ]);
    for (const problem of result.problems)
      this.problems.push({ uri: this.#siteOf(problem.path ?? ''), problem: { ...problem } });
    return result;
  }

  async #store(
    holds: 'files' | 'databases',
    paths: readonly string[],
    source: readonly SourceEntry[],
  ): Promise<BackupResult> {
    const { account, point, task } = this.#wanted;
    return await backup({
      source,
      repositories: this.#tools.repositories,
      paths,
      host: hostname(),
      username: 'salvor',
      tags: [
        'salvor',
        `point:${point}`,
        `account:${account.name}`,
        'origin:daily',
        `holds:${holds}`,
        ...(task === null ? [] : [`task:${task}`]),
      ],
      time: this.time,
      workers: this.#tools.workers,
      signal: this.#tools.signal,
      onProgress: this.#tools.onProgress,
    });
  }

  #dump(
    place: string,
    failing: { place: string | null },
    problems: { place: string; problem: Problem }[],
  ): SourceEntry {
    const [wanted] = [...this.#places].find(([, at]) => at === place) ?? [];
    const site = this.#wanted.sites.find(({ databases }) => databases.some((database) => database === wanted));
    if (wanted === undefined || site?.cut == null) throw new Error(`no database has the place ${place}`);
    const entry = dumpEntries(wanted, {
      scratch: this.#tools.scratch,
      cutBytes: site.cut.cutBytes,
      time: this.time,
      clock: this.#tools.clock,
      signal: this.#tools.signal,
      onProblem: (problem) => problems.push({ place, problem }),
      onDone: (database) => this.#dumped.set(place, database),
    });
    if (entry.kind !== 'directory') return entry;
    return { ...entry, name: place, entries: namingFailure(entry.entries, () => (failing.place = place)) };
  }

  /** Behind all that they tell of: what the manifests say is known when that was read. */
  #manifestEntries(before: () => Promise<void> = () => Promise.resolve()): readonly SourceEntry[] {
    const made = async function* (this: AccountCapture): AsyncGenerator<SourceEntry> {
      await before();
      await this.#makeManifests();
      for (const { name, bytes } of this.#manifests) yield this.#stream(name, () => bytes);
    };
    return [
      { kind: 'directory', name: 'manifests', mode: 0o700, mtimeNs: this.#mtimeNs, entries: made.call(this) },
      this.#stream('manifest.json', () => this.#account),
    ];
  }

  async #makeManifests(): Promise<void> {
    const { sites } = this.#wanted;
    const nights: NightOfSite[] = [];
    for (const site of sites) nights.push(await this.#nightOf(site));
    const night = { wanted: this.#wanted, time: this.time };
    this.#manifests = nights.map((of) => ({
      name: nameManifest(of.site),
      bytes: serialiseManifest(manifestOfSite(of, night)),
    }));
    this.#account = Buffer.from(`${JSON.stringify(manifestOfAccount(nights, night), null, 1)}\n`);
  }

  /** How it went with one site, up to now. */
  async #nightOf(site: CaptureSite): Promise<NightOfSite> {
    const { uri, path } = site.site;
    const hasFiles = this.#wanted.holds === 'all';
    const roots = hasFiles ? [path, ...site.movedOut.map((moved) => moved.path)] : [];
    const exclude = [...this.#wanted.exclude, ...site.leftOut.map((one) => one.path)];
    const counted = await this.#count(uri, roots, exclude);
    const databases = site.databases.flatMap((database) => {
      const place = this.#places.get(database) ?? '';
      const dumped = this.#dumped.get(place);
      return dumped === undefined ? [] : [{ name: database.database.name, place, dumped }];
    });
    return {
      site,
      counted,
      databases,
      filesTime: this.#tools.frozen.timeOf(path) ?? this.#tools.clock(),
      isMixed: this.#switched.has(uri),
      met: this.problems.filter((one) => one.uri === uri).map(({ problem }) => problem),
    };
  }

  /** Null for a site that went away, or a part of it, since it was found: its point holds no files, which is its problem. */
  async #count(uri: string, roots: readonly string[], exclude: readonly string[]): Promise<CountedFiles | null> {
    const before = this.#counted.get(uri);
    if (before !== undefined) return before;
    const counted = await this.#countNow(uri, roots, exclude);
    this.#counted.set(uri, counted);
    return counted;
  }

  async #countNow(uri: string, roots: readonly string[], exclude: readonly string[]): Promise<CountedFiles | null> {
    try {
      for (const root of roots) statSync(root);
      const place = (path: string): string => this.#tools.frozen.readFrom(path) ?? path;
      const leftOut = [...exclude, ...roots.flatMap((root) => leftOutWithin(root))];
      return await countFiles(roots.map(place), leftOut.map(place));
    } catch (error) {
      if (await this.#thaw()) return await this.#countNow(uri, roots, exclude);
      const message = `its files could not be looked at: ${error instanceof Error ? error.message : String(error)}`;
      this.problems.push({
        uri,
        problem: { code: codeOf(error) === 'ENOENT' ? 'source-missing' : 'source-failed', message },
      });
      return null;
    }
  }

  /** Whether frozen files are so no more: what was counted of them counts no more either. */
  async #thaw(): Promise<boolean> {
    const spoilt = await this.#tools.frozen.findSpoilt();
    this.problems.push(...spoilt.map((problem) => ({ uri: null, problem })));
    if (spoilt.length > 0) this.#counted.clear();
    return spoilt.length > 0;
  }

  #noteSwitched(uri: string, task: string): void {
    const message = `task ${task} switched the site while it was read: its databases may be of before and its files of after`;
    this.problems.push({ uri, problem: { code: 'site-switched', message } });
  }

  /** A problem of a database is one of each site that uses it. */
  #noteDatabase(place: string, problem: Problem): void {
    for (const { site, databases } of this.#wanted.sites)
      if (databases.some((database) => this.#places.get(database) === place))
        this.problems.push({ uri: site.uri, problem });
  }

  /** The URI of the site in whose directory a path lies. */
  #siteOf(path: string): string | null {
    const found = this.#wanted.sites.find(({ site, movedOut }) =>
      [site.path, ...movedOut.map((moved) => moved.path)].some((root) => path === root || path.startsWith(`${root}/`)),
    );
    return found?.site.uri ?? null;
  }

  #stream(name: string, bytesOf: () => Uint8Array): SourceEntry {
    const open = async function* (): AsyncGenerator<Uint8Array> {
      yield bytesOf();
    };
    return { kind: 'stream', name, mode: 0o600, mtimeNs: this.#mtimeNs, open };
  }

  get #mtimeNs(): bigint {
    return BigInt(this.time.getTime()) * 1_000_000n;
  }
}

async function* namingFailure(
  entries: AsyncIterable<SourceEntry> | Iterable<SourceEntry>,
  onFailure: () => void,
): AsyncGenerator<SourceEntry> {
  try {
    for await (const entry of entries) {
      if (entry.kind !== 'stream') yield entry;
      else {
        const open = async function* (): AsyncGenerator<Uint8Array> {
          try {
            yield* entry.open();
          } catch (error) {
            onFailure();
            throw error;
          }
        };
        yield { ...entry, open };
      }
    }
  } catch (error) {
    onFailure();
    throw error;
  }
}
