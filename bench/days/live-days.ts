/**
 * Fourteen days of a few sites on a real server, kept in three ways side by side: in our repository, in one of stock
 * restic's from the same dumps and files, and as Aegir keeps them, an archive per site and day.
 *
 *   per day: rows and files change → each database is dumped once: into our repository and, part by part, into files
 *            → restic backs these files up → then both forget what is older than the policy says, and prune
 *
 * Databases are kept for 14 days and files for 7, each in a repository of its own, so that what files take does not
 * hide what databases take. What counts is all that lies on the disk: packs, trees, index and snapshots. At the end
 * restic reads every byte of all of them, and the newest dumps that come out of both are compared.
 */
import { hash } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream, mkdirSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { constants, zstdCompressSync } from 'node:zlib';
import { backup, listSnapshots, openLocalStorage, openRepository } from '@salvor/engine';
import type { Repository as OpenRepository, SourceEntry } from '@salvor/engine';
import { Random } from '../../demo/random.ts';
import { type MariaDbServer, openMariaDb } from '../../demo/mariadb-server.ts';
import { dumpDatabase } from '../../salvor/src/databases/mariadb/dump.ts';
import { probeDatabase } from '../../salvor/src/databases/mariadb/probe.ts';
import { chooseDumpCut, cutsOfTags, tagOfCut } from '../../salvor/src/points/dump-cut.ts';
import { THIRD_COPY_LEVEL } from '../../salvor/src/points/third-copy.ts';
import { Prose } from '../databases/prose.ts';
import { type Mix, SiteDatabase } from '../databases/site-database.ts';
import { runCommand } from '../measure/run-command.ts';
import { restic, salvor } from '../programs.ts';
import type { Command, Repository, Side } from '../programs.ts';
import { checkRepository, freshRepository } from '../rows/repositories.ts';
import type { RowContext } from '../rows/rows.ts';
import { requireEqual } from '../trees/describe-tree.ts';
import { SiteFiles } from './site-files.ts';

/** Bytes on the disk. */
export type StoredDays = {
  readonly databases: Readonly<Record<Side, number>>;
  readonly files: Readonly<Record<Side, number>>;
  /** All archives of all days. */
  readonly archives: number;
  /** The compressed dumps that are kept besides, a week of them: nobody else keeps such. */
  readonly thirdCopies: number;
  /** What was backed up on the last day. */
  readonly lastDay: {
    readonly parts: number;
    readonly dumpBytes: number;
    readonly files: number;
    readonly fileBytes: number;
  };
  readonly sites: number;
  readonly days: number;
};

const DAYS = 14;
const FILE_DAYS = 7;
const THIRD_COPY_DAYS = 7;
/** Nodes of each site: a large one and some small ones, as hosts have them. */
const NODES = [6000, 2500, 1000, 400, 150];
const SEED = 20_260_801;
const FIRST_NIGHT = Date.UTC(2026, 0, 1, 2);
const DAY_MS = 86_400_000;

type Site = { readonly database: SiteDatabase; readonly files: SiteFiles };
type Sides = Readonly<Record<Side, Repository>>;

/** Throws where a repository is not sound, or the two do not hold the same. */
export async function liveDays(mix: Mix, context: RowContext): Promise<StoredDays> {
  const place = join(context.place.work, `days-${mix}`);
  mkdirSync(place);
  await using server = await openMariaDb();
  const sites = await makeSites(place, server, context.scale);
  const nights = await Nights.open(mix, place, server, sites, context);
  for (let day = 0; day < DAYS; day++) {
    context.signal.throwIfAborted();
    if (day > 0) {
      for (const { database, files } of sites) {
        await database.live(mix);
        files.live();
      }
    }
    await nights.keep(new Date(FIRST_NIGHT + day * DAY_MS));
    context.say(`Databases, ${mix}: day ${day + 1} of ${DAYS}`);
  }
  return await nights.measure();
}

async function makeSites(place: string, server: MariaDbServer, scale: number): Promise<readonly Site[]> {
  const random = new Random(SEED);
  const prose = new Prose(random.fork('prose'));
  const sites: Site[] = [];
  for (const [at, full] of NODES.entries()) {
    const nodes = Math.max(20, Math.round(full * scale));
    const name = `site_${at}`;
    const database = new SiteDatabase(server, name, random.fork(`rows ${at}`), prose);
    const files = new SiteFiles(join(place, 'sites', name), random.fork(`files ${at}`), prose);
    await database.fill(nodes);
    files.fill(nodes);
    sites.push({ database, files });
  }
  return sites;
}

class Nights {
  readonly #place: string;
  readonly #server: MariaDbServer;
  readonly #sites: readonly Site[];
  readonly #databases: Sides;
  readonly #files: Sides;
  /** Ours, opened once: what opening costs is not measured here. */
  readonly #opened: { readonly databases: OpenRepository; readonly files: OpenRepository };
  readonly #context: RowContext;
  #archives = 0;
  readonly #thirdCopies: number[] = [];

  private constructor(
    place: string,
    server: MariaDbServer,
    sites: readonly Site[],
    repositories: { readonly databases: Sides; readonly files: Sides },
    opened: { readonly databases: OpenRepository; readonly files: OpenRepository },
    context: RowContext,
  ) {
    this.#place = place;
    this.#server = server;
    this.#sites = sites;
    this.#databases = repositories.databases;
    this.#files = repositories.files;
    this.#opened = opened;
    this.#context = context;
  }

  static async open(
    mix: Mix,
    place: string,
    server: MariaDbServer,
    sites: readonly Site[],
    context: RowContext,
  ): Promise<Nights> {
    const make = async (of: string): Promise<Sides> => ({
      ours: await freshRepository(`${mix}-${of}-ours`, context),
      peer: await freshRepository(`${mix}-${of}-peer`, context),
    });
    const open = async ({ ours }: Sides): Promise<OpenRepository> => {
      const text = readFileSync(ours.passwordFile, 'utf8').trim();
      return openRepository(openLocalStorage(ours.directory), { kind: 'password', text });
    };
    const [databases, files] = [await make('databases'), await make('files')];
    const opened = { databases: await open(databases), files: await open(files) };
    return new Nights(place, server, sites, { databases, files }, opened, context);
  }

  async keep(time: Date): Promise<void> {
    rmSync(this.#dumpsPath, { recursive: true, force: true });
    for (const { database } of this.#sites) await this.#keepDatabase(database.name, time);
    const source: SourceEntry = { kind: 'tree', name: 'sites', path: this.#filesPath };
    await this.#backUp(this.#opened.files, source, this.#filesPath, time, []);
    const at = time.toISOString().slice(0, 19).replace('T', ' ');
    const flags = ['--host', 'bench', '--time', at];
    await this.#run(restic(this.#databases.peer, 'backup', ...flags, this.#dumpsPath));
    await this.#run(restic(this.#files.peer, 'backup', ...flags, this.#filesPath));
    for (const site of this.#sites) this.#archives += await this.#archive(site);
    this.#thirdCopies.push(this.#packDumps());
  }

  /** Bytes of a day's third copy: each dump compressed as a whole, as the nightly job does it. */
  #packDumps(): number {
    return this.#sites.reduce((sum, { database }) => {
      const parts = [...filesBelow(join(this.#dumpsPath, database.name))].toSorted();
      const params = { [constants.ZSTD_c_compressionLevel]: THIRD_COPY_LEVEL };
      return sum + zstdCompressSync(Buffer.concat(parts.map((path) => readFileSync(path))), { params }).length;
    }, 0);
  }

  async measure(): Promise<StoredDays> {
    await this.#thinOut(this.#databases, DAYS);
    await this.#thinOut(this.#files, FILE_DAYS);
    for (const { ours, peer } of [this.#databases, this.#files]) {
      for (const repository of [ours, peer]) await checkRepository(repository, this.#context, 'all data');
    }
    await this.#compareNewest();
    const [parts, files] = [[...filesBelow(this.#dumpsPath)], [...filesBelow(this.#filesPath)]];
    return {
      databases: sizesOf(this.#databases),
      files: sizesOf(this.#files),
      archives: this.#archives,
      thirdCopies: this.#thirdCopies.slice(-THIRD_COPY_DAYS).reduce((sum, bytes) => sum + bytes, 0),
      lastDay: { parts: parts.length, dumpBytes: sumOf(parts), files: files.length, fileBytes: sumOf(files) },
      sites: this.#sites.length,
      days: DAYS,
    };
  }

  get #dumpsPath(): string {
    return join(this.#place, 'databases');
  }

  get #filesPath(): string {
    return join(this.#place, 'sites');
  }

  /** As a point is made: table by table, straight from the dump. On the way the parts are written into files for restic. */
  async #keepDatabase(name: string, time: Date): Promise<void> {
    const repository = this.#opened.databases;
    const facts = await probeDatabase(this.#server.rootLogin, name);
    const bytes = facts.tables.reduce((sum, table) => sum + table.approximateDataBytes, 0);
    const cut = chooseDumpCut(cutsOfTags((await listSnapshots(repository)).snapshots), name, bytes);
    const tables: SourceEntry = { kind: 'directory', name, entries: this.#dump(name, cut.cutBytes) };
    const source: SourceEntry = { kind: 'directory', name: 'databases', entries: [tables] };
    await this.#backUp(repository, source, `/databases/${name}`, time, [`site:${name}`, tagOfCut(cut)]);
  }

  async *#dump(database: string, cutBytes: number): AsyncGenerator<SourceEntry> {
    const directory = join(this.#dumpsPath, database);
    mkdirSync(directory, { recursive: true });
    const defaultsDirectory = join(this.#place, 'clients');
    for await (const part of dumpDatabase(this.#server.rootLogin, database, { defaultsDirectory, cutBytes })) {
      const open = async function* (): AsyncGenerator<Uint8Array> {
        const copy = createWriteStream(join(directory, part.file));
        for await (const piece of part.bytes) {
          if (!copy.write(piece)) await once(copy, 'drain');
          yield piece;
        }
        copy.end();
        await once(copy, 'close');
      };
      yield { kind: 'stream', name: part.file, cut: part.kind === 'table' ? 'given' : 'content', open };
    }
  }

  async #backUp(
    repository: OpenRepository,
    source: SourceEntry,
    path: string,
    time: Date,
    tags: readonly string[],
  ): Promise<void> {
    const { signal } = this.#context;
    await backup({ repositories: [repository], source: [source], paths: [path], host: 'bench', time, tags, signal });
  }

  /** As Aegir makes one: the site's directory with the dump in it, by tar and gzip. Its bytes. */
  async #archive({ database, files }: Site): Promise<number> {
    const dump = join(files.path, 'database.sql');
    const archive = join(this.#place, 'archive.tar.gz');
    const login = ['--no-defaults', '--user=root', `--socket=${this.#server.socket}`];
    await this.#run([
      'mariadb-dump',
      ...login,
      '--single-transaction',
      '--quick',
      `--result-file=${dump}`,
      database.name,
    ]);
    await this.#run(['tar', '--create', '--gzip', '--file', archive, '--directory', files.path, '.']);
    const { size } = statSync(archive);
    for (const path of [dump, archive]) rmSync(path);
    return size;
  }

  async #thinOut({ ours, peer }: Sides, days: number): Promise<void> {
    const rules = ['--keep-within', `${days - 1}d1h`];
    // All that is not needed goes, so that no side is measured with what it would sweep the next time.
    const limits = ['--max-unused', '0'];
    await this.#run(restic(peer, 'forget', ...rules));
    await this.#run(restic(peer, 'prune', ...limits));
    await this.#run(salvor(ours, 'forget', '--yes', ...rules));
    await this.#run(salvor(ours, 'prune', '--yes', ...limits));
  }

  /** Restic brings the newest dumps back out of both repositories: the files that it was given. */
  async #compareNewest(): Promise<void> {
    const given = contentsOf(this.#dumpsPath);
    const { ours, peer } = this.#databases;
    const target = join(this.#place, 'restored');
    for (const { database } of this.#sites)
      await this.#run(restic(ours, 'restore', 'latest', '--tag', `site:${database.name}`, '--target', target));
    requireEqual(given, contentsOf(join(target, 'databases')), 'the newest dumps out of ours');
    rmSync(target, { recursive: true });
    await this.#run(restic(peer, 'restore', 'latest', '--target', target));
    requireEqual(given, contentsOf(join(target, this.#dumpsPath)), "the newest dumps out of restic's");
    rmSync(target, { recursive: true });
  }

  async #run(command: Command): Promise<void> {
    await runCommand(command, { work: this.#context.place.work, signal: this.#context.signal });
  }
}

function* filesBelow(directory: string): Generator<string> {
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) yield join(entry.parentPath, entry.name);
}

function sumOf(paths: Iterable<string>): number {
  return [...paths].reduce((sum, path) => sum + statSync(path).size, 0);
}

function sizesOf({ ours, peer }: Sides): Readonly<Record<Side, number>> {
  return { ours: sumOf(filesBelow(ours.directory)), peer: sumOf(filesBelow(peer.directory)) };
}

function contentsOf(directory: string): ReadonlyMap<string, string> {
  return new Map(
    filesBelow(directory).map((path) => [path.slice(directory.length), hash('sha256', readFileSync(path))]),
  );
}
