/**
 * Makes one point of a site: one snapshot in the account's repository, which holds the site's directory, its
 * databases table by table and the manifest that says what all of it is.
 *
 *   databases (dumped while they stream) → files → manifest → committed by the engine → opened again and compared
 *
 * Databases go first: what a page wrote into both is then rather in the files too. The manifest goes last, because
 * it says what was read. Knows nothing of tasks, locks and what a point is used for.
 */
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename } from 'node:path';
import type { Problem } from '@salvor/contract';
import {
  PIN_TAG,
  type BackupProgress,
  type BackupResult,
  type Repository,
  type SourceEntry,
  backup,
  findSnapshot,
} from '@salvor/engine';
import { SalvorError } from '../errors.ts';
import { linkOwnersOf } from '../sites/account-owners.ts';
import { readHostTables } from '../sites/host-tables.ts';
import type { Site } from '../sites/site.ts';
import { countFiles } from './count-files.ts';
import { type DumpCut, chooseDumpCut, tagOfCut } from './dump-cut.ts';
import { type CaptureDatabase, dumpEntries, sizeOfDatabases, unwrapSourceFailure } from './dump-entries.ts';
import { readKnownCuts } from './known-cuts.ts';
import { type Manifest, type ManifestDatabase, type ManifestMoved, serialiseManifest } from './manifest.ts';
import { type OpenPoint, openPoint, readBackPoint } from './open-point.ts';
import { leftOutWithin } from './left-out.ts';
import { makePointId } from './point-id.ts';
import { namePlaces } from './moved-places.ts';

export type CaptureWanted = {
  readonly reason: string | null;
  readonly origin: Manifest['origin'];
  readonly task: string | null;
  readonly safety: boolean;
  /** Where the site's files lie just now: its directory, or where a restore has put them. */
  readonly path: string;
  readonly movedOut: readonly CaptureMoved[];
  readonly databases: readonly CaptureDatabase[];
  /** The last update that the database had, by its own number. */
  readonly schema: number | null;
  /** False where files or a database of the site are known to be left out. */
  readonly complete: boolean;
  readonly problems: readonly Problem[];
  /** Of what an archive held: whose content all is of, and that it was unpacked by us where nobody else gets. */
  readonly of?: CaptureOf;
};

/** A point that has its name and its time already, and what it was made of. */
export type CaptureOf = { readonly id: string; readonly time: Date; readonly source: string };

/** A directory of the site outside of its own: where it belongs, and where it lies just now. */
export type CaptureMoved = Pick<ManifestMoved, 'link' | 'target' | 'linked'> & { readonly path: string };

export type CaptureTools = {
  readonly repository: Repository;
  /** A directory of ours alone, for what the dump tool is told. */
  readonly scratch: string;
  readonly clock: () => Date;
  readonly randomBytes: (count: number) => Uint8Array;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: BackupProgress) => void;
};

export type CapturedPoint = {
  readonly point: OpenPoint;
  readonly result: BackupResult;
  /** Found on the way: what the dumps and the walk of the files could not take. */
  readonly problems: readonly Problem[];
};

/** Throws what the dump or the engine throws; then nothing was committed. */
export async function capturePoint(site: Site, wanted: CaptureWanted, tools: CaptureTools): Promise<CapturedPoint> {
  // Where it is about to be replaced it may be gone; else its disk went away, and its databases alone are no backup of it.
  if (!wanted.safety && wanted.origin !== 'dump' && !existsSync(wanted.path))
    throw new SalvorError('source-missing', { path: wanted.path, reason: 'the directory of the site is gone' });
  const known = await readKnownCuts(tools.repository, site.account.name);
  const cut = chooseDumpCut(known, site.uri, sizeOfDatabases(wanted.databases));
  const capture = new Capture(site, wanted, tools, cut);
  let result: BackupResult;
  try {
    result = await backup({
      source: capture.entries(),
      repositories: [tools.repository],
      paths: [site.path],
      host: hostname(),
      username: 'salvor',
      tags: capture.tags(),
      time: capture.time,
      signal: tools.signal,
      onProgress: tools.onProgress,
    });
  } catch (error) {
    throw unwrapSourceFailure(error);
  }
  const id = result.snapshots[0]?.id;
  if (id === undefined) throw new Error('the engine committed no snapshot and said nothing');
  const point = await openPoint(tools.repository, await findSnapshot(tools.repository, id));
  if (point.manifest.point !== capture.id)
    throw new SalvorError('point-incomplete', { point: capture.id, problem: 'its manifest is another one' });
  await readBackPoint(point);
  return { point, result, problems: [...capture.problems, ...result.problems.map((problem) => ({ ...problem }))] };
}

class Capture {
  readonly id: string;
  readonly time: Date;
  readonly problems: Problem[];
  readonly #site: Site;
  readonly #wanted: CaptureWanted;
  readonly #tools: CaptureTools;
  readonly #cut: DumpCut;
  readonly #databases: ManifestDatabase[] = [];
  /** Who a file with several names may belong to: all tenants' web servers are one user. */
  readonly #linkOwners: readonly number[];
  /** A site whose directory is gone is a point of its databases. */
  readonly #hasFiles: boolean;
  readonly #moved: readonly (ManifestMoved & { readonly path: string })[];

  constructor(site: Site, wanted: CaptureWanted, tools: CaptureTools, cut: DumpCut) {
    this.#site = site;
    this.#wanted = wanted;
    this.#tools = tools;
    this.#cut = cut;
    this.id = wanted.of?.id ?? makePointId(tools.randomBytes);
    this.time = wanted.of?.time ?? tools.clock();
    this.problems = [...wanted.problems];
    this.#hasFiles = existsSync(wanted.path);
    this.#moved = namePlaces(wanted.movedOut);
    this.#linkOwners = linkOwnersOf(site.account, readHostTables());
  }

  tags(): readonly string[] {
    const { account, uri } = this.#site;
    const task = this.#wanted.task === null ? [] : [`task:${this.#wanted.task}`];
    return [
      'salvor',
      `point:${this.id}`,
      `account:${account.name}`,
      `site:${uri}`,
      `origin:${this.#wanted.origin}`,
      ...(this.#wanted.of === undefined ? [] : [`source:${this.#wanted.of.source}`]),
      ...(this.#wanted.databases.length === 0 ? [] : [tagOfCut(this.#cut)]),
      ...task,
      // No rule of ours removes a snapshot with this tag (invariant 5).
      ...(this.#wanted.safety ? [PIN_TAG] : []),
    ];
  }

  entries(): readonly SourceEntry[] {
    const files: SourceEntry[] = this.#hasFiles ? [this.#tree('site', this.#wanted.path)] : [];
    const trees = this.#moved.map(({ place, path }) => this.#tree(basename(place), path));
    if (trees.length > 0) files.push(this.#directory('moved', trees));
    const manifest: SourceEntry = { ...this.#stream('manifest.json'), open: () => this.#writeManifest() };
    const names = this.#wanted.databases.map((wanted) => this.#dump(wanted));
    const databases = names.length === 0 ? [] : [this.#directory('databases', names)];
    return [...databases, ...files, manifest];
  }

  /** Files. What lies in a home the tenant may move about while it is read; where a restore has put it he may not. */
  #tree(name: string, path: string): SourceEntry {
    const { home } = this.#site.account;
    const entry: SourceEntry = { kind: 'tree', name, path, exclude: leftOutWithin(path) };
    if (this.#wanted.of !== undefined) return entry;
    const guarded = { ...entry, linkOwners: this.#linkOwners };
    return path.startsWith(`${home}/`) ? { ...guarded, beneath: home } : guarded;
  }

  #dump(wanted: CaptureDatabase): SourceEntry {
    const { scratch, clock, signal } = this.#tools;
    return dumpEntries(wanted, {
      scratch,
      clock,
      signal,
      cutBytes: this.#cut.cutBytes,
      time: this.time,
      onProblem: (problem) => this.problems.push(problem),
      onDone: (database) => this.#databases.push(database),
    });
  }

  async *#writeManifest(): AsyncGenerator<Uint8Array> {
    const read = this.#tools.clock();
    const roots = [this.#wanted.path, ...this.#moved.map(({ path }) => path)];
    const { count, bytes, owners } = await countFiles(roots);
    const { account, platform, uri, path, cms, version } = this.#site;
    const first = this.#databases[0];
    const since = first === undefined ? this.time : new Date(first.time);
    const manifest: Manifest = {
      format: 'salvor-point',
      version: 1,
      point: this.id,
      time: this.time.toISOString(),
      origin: this.#wanted.origin,
      reason: this.#wanted.reason,
      safety: this.#wanted.safety,
      task: this.#wanted.task,
      host: hostname(),
      account: { name: account.name, home: account.home, uid: account.uid, gid: account.gid },
      site: { uri, path, cms, version, schema: this.#wanted.schema },
      platform: { name: platform.name, root: platform.root, version: platform.version },
      files: this.#hasFiles ? { count, bytes } : null,
      moved: this.#moved.map(({ link, target, place, linked }) => ({ link, target, place, linked })),
      databases: this.#databases,
      seconds: Math.max(0, (read.getTime() - since.getTime()) / 1000),
      owners,
      tools: {
        node: process.version,
        ...Object.fromEntries(this.#databases.map((d) => [`server of ${d.name}`, d.server])),
      },
      complete: this.#wanted.complete,
      leftOut: { files: [], rows: [] },
      problems: this.problems.map(({ code, message, path: where }) => ({ code, message, path: where ?? null })),
    };
    yield serialiseManifest(manifest);
  }

  #stream(name: string): {
    readonly kind: 'stream';
    readonly name: string;
    readonly mode: number;
    readonly mtimeNs: bigint;
  } {
    return { kind: 'stream', name, mode: 0o600, mtimeNs: this.#mtimeNs };
  }

  #directory(name: string, entries: AsyncIterable<SourceEntry> | Iterable<SourceEntry>): SourceEntry {
    return { kind: 'directory', name, mode: 0o700, mtimeNs: this.#mtimeNs, entries };
  }

  get #mtimeNs(): bigint {
    return BigInt(this.time.getTime()) * 1_000_000n;
  }
}
