/**
 * Makes a point of an archive or a dump that lies in a home: unpacked beside, its dumps loaded into scratch databases,
 * and what came out stored in the account's repository as any point is. From then on it is looked into and restored like
 * all others. What it was made by is foreign data until then.
 *
 *   staging ← files · scratch databases ← dumps → settings of the site that is there → captured → both removed
 *
 * Whose settings the point has: those of the archive where they name the databases and the log-in that the site has
 * now; else the site's own, because Aegir gives a site another database with each restore and ours hold no password.
 */
import { lstatSync, readdirSync, renameSync, statfsSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Problem } from '@salvor/contract';
import type { Repository } from '@salvor/engine';
import { type ArchiveAbout, DRUSHRC_NAME } from '../archives/archive-manifest.ts';
import { partsOfForeignDump } from '../archives/foreign-dump.ts';
import type { SafeMember } from '../archives/guard-members.ts';
import { DEFAULT_LIMITS } from '../archives/limits.ts';
import { type ArchiveEntry, openArchive } from '../archives/open-archive.ts';
import { readDrushrcFacts } from '../archives/read-drushrc.ts';
import { sitePartOf } from '../archives/site-export.ts';
import { unpackArchive } from '../archives/unpack-archive.ts';
import type { ServerAddress } from '../databases/mariadb/connect.ts';
import { loadDump } from '../databases/mariadb/load.ts';
import { probeDatabase } from '../databases/mariadb/probe.ts';
import { type Scratch, createScratch, dropScratch } from '../databases/mariadb/scratch.ts';
import { SalvorError } from '../errors.ts';
import { openSpot } from '../lib/beneath/spot.ts';
import { readFileAt } from '../lib/beneath/read-file.ts';
import type { FoundArchive } from '../points/archive-catalogue.ts';
import { type CaptureMoved, capturePoint } from '../points/capture-point.ts';
import type { CaptureDatabase } from '../points/dump-entries.ts';
import type { OpenPoint } from '../points/open-point.ts';
import { isBeneath } from '../sites/read-beneath.ts';
import { type Site, type SiteDatabase, siteKey } from '../sites/site.ts';
import type { ScratchDatabase } from './journal.ts';
import { type HostIds, ownerOfMember, readHostIds } from './member-owner.ts';
import { sortMovedOut } from './moved-out.ts';
import { scratchDatabase, scratchName } from './scratch-names.ts';
import { locateStaging, makeStaging, removeStaging } from './staging.ts';
import type { SwitchTools } from './switch-site.ts';
import type { TaskRun } from './task-run.ts';
import { takeSettings } from './take-settings.ts';

/** Of what is free: the rest is for whoever else writes there meanwhile. */
const SHARE_OF_DISK = 0.9;

export type UnpackTools = Pick<SwitchTools, 'administratorOf'> & {
  readonly repository: Repository;
  /** The hoster's staging directory; null for the site's own mount. */
  readonly staging: string | null;
  /** Says of what the point was made, so that it is made once. */
  readonly source: string;
  /** Whether the site is there, with settings that can be read; else it is the one that the archive tells of. */
  readonly isLive: boolean;
  /** Of the site's databases; null where there is none. */
  readonly server: ServerAddress | null;
  /** The site as settings in a directory say that it is. */
  readonly readUnpacked: (directory: string, about: UnpackedAbout) => Site;
};

/** What an archive says of its site. */
export type UnpackedAbout = {
  readonly platform: { readonly name: string; readonly root: string } | null;
  readonly path: string | null;
  readonly version: string | null;
};

/** Throws what reading, unpacking and loading throw; then nothing is left but what recovery removes. */
export async function unpackPoint(
  site: Site,
  archive: FoundArchive,
  tools: UnpackTools,
  run: TaskRun,
): Promise<OpenPoint> {
  const refused = archive.look.problems.find(({ code }) => code === 'archive-unsupported');
  if (refused !== undefined)
    throw new SalvorError('archive-unsupported', { archive: archive.file.path, why: refused.message });
  const unpacking = new Unpacking(site, archive, tools, run);
  const staging = locateStaging(dirname(site.path), site.account.name, run.id, tools.staging);
  run.record({ stagings: [staging] });
  await makeStaging(staging);
  await run.step('unpack', () => run.audit('unpack-archive', archive.file.path, () => unpacking.unpack(staging)));
  const point = await run.step('store', () => unpacking.store(staging));
  await removeStaging(staging);
  await unpacking.dropScratch();
  run.record({ stagings: [], scratchDatabases: [] });
  return point;
}

type Loaded = { readonly database: string | null; readonly scratch: Scratch; readonly made: ScratchDatabase };

class Unpacking {
  readonly #site: Site;
  readonly #archive: FoundArchive;
  readonly #tools: UnpackTools;
  readonly #run: TaskRun;
  readonly #problems: Problem[] = [];
  readonly #loaded: Loaded[] = [];
  readonly #ids: HostIds;
  #about: ArchiveAbout | null = null;

  constructor(site: Site, archive: FoundArchive, tools: UnpackTools, run: TaskRun) {
    this.#site = site;
    this.#archive = archive;
    this.#tools = tools;
    this.#run = run;
    this.#ids = readHostIds(site.account);
  }

  async unpack(staging: string): Promise<void> {
    const entries = this.#entries(staging);
    const onDump = (database: string | null, content: AsyncIterable<Uint8Array>): Promise<void> =>
      this.#load(database, content);
    if (this.#archive.origin === 'dump') {
      for await (const entry of entries) if (entry.kind === 'dump') await onDump(entry.database, entry.content);
      return;
    }
    await unpackArchive(entries, {
      directory: join(staging, 'archive'),
      root: staging,
      ownerOf: (member) => ownerOfMember(member, this.#ids),
      onDump,
    });
  }

  async store(staging: string): Promise<OpenPoint> {
    const { look, file } = this.#archive;
    const directory = join(staging, 'archive');
    const hasFiles = this.#archive.origin === 'archive';
    const moved = hasFiles ? this.#moveOut(directory, staging) : [];
    const site = hasFiles ? await this.#siteOf(directory) : this.#site;
    const databases: CaptureDatabase[] = [];
    for (const [index, { database, scratch }] of this.#loaded.entries()) {
      const known = databaseOf(site, database, index);
      if (known === undefined) {
        const message = `the site has no database for ${database ?? 'it'}: that dump was left out`;
        this.#problems.push({ code: 'database-not-of-site', message, path: file.path });
        continue;
      }
      const facts = await probeDatabase(scratch.login, scratch.database, { signal: this.#run.signal });
      if (facts.tables.length === 0) throw new SalvorError('dump-empty', { database: known.name, user: 'its loader' });
      databases.push({ database: known, facts, readFrom: { login: scratch.login, name: scratch.database } });
    }
    const { point, problems } = await capturePoint(
      site,
      {
        reason: look.description,
        origin: this.#archive.origin,
        task: this.#run.id,
        safety: false,
        path: directory,
        movedOut: moved,
        databases,
        schema: null,
        complete: true,
        problems: this.#problems,
        of: { id: this.#archive.id, time: new Date(this.#archive.time), source: this.#tools.source },
      },
      {
        repository: this.#tools.repository,
        scratch: this.#run.scratch,
        clock: this.#run.clock,
        randomBytes: this.#run.randomBytes,
        signal: this.#run.signal,
        onProgress: (progress) => this.#run.progress({ ...progress, bytesTotal: null }),
      },
    );
    for (const { code, message } of problems) this.#run.say(`of the archive: ${code}: ${message}`);
    return point;
  }

  async dropScratch(): Promise<void> {
    for (const { made } of this.#loaded) {
      const admin = await this.#tools.administratorOf(made.server, this.#site.account.home);
      await this.#run.audit('drop-database', `database ${made.name}`, () =>
        dropScratch(admin, { database: made.name, user: made.user }),
      );
    }
  }

  async *#entries(staging: string): AsyncGenerator<ArchiveEntry> {
    const { file } = this.#archive;
    using spot = openSpot(file.home, file.path);
    // Sites live on this disk too: an archive that would leave them nothing is refused before it has taken all.
    const { bavail, bsize, ffree, files } = statfsSync(staging);
    const maxBytes = Math.floor(SHARE_OF_DISK * bavail * bsize);
    // A file system without a fixed number of files says that it has none.
    const maxMembers = files === 0 ? DEFAULT_LIMITS.maxMembers : Math.floor(SHARE_OF_DISK * ffree);
    const entries = openArchive(readFileAt(spot), {
      name: file.path,
      limits: {
        ...DEFAULT_LIMITS,
        maxBytes: Math.min(DEFAULT_LIMITS.maxBytes, maxBytes),
        maxMembers: Math.min(DEFAULT_LIMITS.maxMembers, maxMembers),
      },
      signal: this.#run.signal,
      onProblem: (problem) => this.#problems.push(problem),
    });
    const isExport = this.#archive.look.kind === 'site-export';
    for await (const entry of isExport ? sitePartOf(entries, file.path) : entries) {
      if (entry.kind === 'about') this.#about = entry.about;
      else if (entry.kind !== 'member' || !isAdded(entry.member, this.#about)) yield entry;
    }
  }

  async #load(database: string | null, content: AsyncIterable<Uint8Array>): Promise<void> {
    const { account } = this.#site;
    const { server } = this.#tools;
    if (server === null)
      throw new SalvorError('site-unsupported', {
        site: siteKey(this.#site),
        why: 'its settings name no database server',
      });
    const name = scratchName(this.#run.id, 'new', this.#loaded.length);
    const made = scratchDatabase(server, name);
    this.#run.record({ scratchDatabases: [...this.#loaded.map((loaded) => loaded.made), made] });
    const admin = await this.#tools.administratorOf(server, account.home);
    const scratch = await this.#run.audit('create-database', `database ${name}`, () =>
      createScratch(admin, {
        name,
        user: name,
        password: Buffer.from(this.#run.randomBytes(24)).toString('base64url'),
        charset: 'utf8mb4',
        collation: 'utf8mb4_general_ci',
        signal: this.#run.signal,
      }),
    );
    this.#loaded.push({ database, scratch, made });
    await this.#run.audit('load-dump', `database ${name}`, () =>
      loadDump(scratch, partsOfForeignDump(content, database ?? 'database.sql'), {
        defaultsDirectory: this.#run.scratch,
        admin,
        signal: this.#run.signal,
      }),
    );
  }

  /** Directories that lie in the archive where the site has links: they get out of its way, as in any point. */
  #moveOut(directory: string, staging: string): readonly CaptureMoved[] {
    const { account } = this.#site;
    const links = this.#tools.isLive
      ? sortMovedOut(this.#site).followed
      : (this.#about?.moved ?? [])
          .filter(({ target }) => isBeneath(target, account.home))
          .map(({ path, target }) => ({ link: path, target }));
    return links.flatMap(({ link, target }, index) => {
      const at = join(directory, link);
      if (lstatSync(at, { throwIfNoEntry: false })?.isDirectory() !== true) return [];
      const path = join(staging, `moved-${index}`);
      renameSync(at, path);
      symlinkSync(target, at);
      return [{ link, target, linked: true, path }];
    });
  }

  /** The site that the point is of. */
  async #siteOf(directory: string): Promise<Site> {
    const told = await this.#aboutUnpacked(directory);
    if (!this.#tools.isLive && this.#site.platform.root === '' && told.platform === null)
      throw new SalvorError('site-unsupported', {
        site: siteKey(this.#site),
        why: `there is no such site, and ${this.#archive.file.path} does not say where it lay`,
      });
    const unpacked = this.#tools.readUnpacked(directory, told);
    if (!this.#tools.isLive) return unpacked;
    if (told.platform === null) this.#problems.push(this.#nameUnknown(unpacked));
    const taken = takeSettings(this.#site, unpacked, directory, (written) => this.#tools.readUnpacked(written, told));
    if (taken !== null) this.#problems.push(taken);
    const { platform, version } = this.#site;
    return {
      ...this.#site,
      platform: told.platform === null ? platform : { ...platform, ...told.platform, version: null },
      version: told.version ?? version,
    };
  }

  /** What an archive without a manifest of ours and without Aegir's `drushrc.php` leaves open. */
  #nameUnknown({ databases }: Site): Problem {
    const { databases: own, platform } = this.#site;
    const whose =
      databases.length > 0 ? '' : `, nor what its database was called: its dump is taken for that of ${own[0]?.name}`;
    const message = `it does not say on which platform and core the site lay then${whose}; it is restored on ${platform.root}, where the site lies now`;
    return { code: 'archive-says-little', message, path: this.#archive.file.path };
  }

  async #aboutUnpacked(directory: string): Promise<UnpackedAbout> {
    const about = this.#about;
    if (about !== null) return { platform: about.platform, path: about.site.path, version: about.site.version };
    const drushrc = readdirSync(directory).includes('drushrc.php')
      ? readDrushrcFacts(await collect(directory, 'drushrc.php'))
      : null;
    const platform = drushrc?.root == null ? null : { name: drushrc.platform ?? '', root: drushrc.root };
    const path = drushrc?.sitePath ?? (platform === null ? null : `${platform.root}/sites/${this.#site.uri}`);
    return { platform, path, version: drushrc?.coreVersion ?? null };
  }
}

/** By name; the first dump of all is the site's own database. */
function databaseOf({ databases }: Site, name: string | null, index: number): SiteDatabase | undefined {
  return name === null
    ? databases[0]
    : (databases.find((database) => database.name === name) ?? (index === 0 ? databases[0] : undefined));
}

/** What whoever made an archive has put into it, and the site did not have. */
function isAdded({ path, type, size, mtimeNs }: SafeMember, about: ArchiveAbout | null): boolean {
  if (type !== 'file') return false;
  // BOA puts it where tar is to leave a directory's content out, and takes it away again.
  if (size === 0 && /(?:^|\/)exclude\.tag$/.test(path)) return true;
  // Ours, for Aegir, has the time of the point to the millisecond.
  return about !== null && path === DRUSHRC_NAME && mtimeNs === BigInt(Date.parse(about.time)) * 1_000_000n;
}

async function collect(directory: string, name: string): Promise<Buffer> {
  using spot = openSpot(directory, join(directory, name));
  const pieces: Buffer[] = [];
  for await (const bytes of readFileAt(spot)) pieces.push(bytes);
  return Buffer.concat(pieces);
}
