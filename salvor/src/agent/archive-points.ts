/**
 * Points of a host that may lie in a repository, or in an archive or a dump on its disk: which one is meant, and that one
 * of the disk is unpacked into the repository by a task of its own before it is looked into. Once: as long as neither it
 * nor the settings of its site change, what came out of it is used again.
 */
import { bareSite } from '../sites/bare-site.ts';
import { hash } from 'node:crypto';
import { lstatSync } from 'node:fs';
import type { Config } from '../config.ts';
import { SalvorError } from '../errors.ts';
import type { FoundArchive } from '../points/archive-catalogue.ts';
import type { HostPoints } from '../points/host-points.ts';
import { type EitherCopy, onlyCopy } from '../points/either-copy.ts';
import type { ListedPoint } from '../points/listed-point.ts';
import { openWanted, openWantedOf } from '../points/open-wanted.ts';
import type { CopyName } from '../points/repositories.ts';
import type { Account } from '../sites/account.ts';
import type { FoundSites } from '../sites/find-sites.ts';
import type { Platform, Site } from '../sites/site.ts';
import type { DeletedBackup } from '../tasks/delete-backup.ts';
import type { JournalSite } from '../tasks/journal.ts';
import { type Configured, readUnpackedSite } from '../tasks/read-stored-site.ts';
import { type UnpackTools, type UnpackedAbout, unpackPoint } from '../tasks/unpack-point.ts';
import { readHost } from './host-sites.ts';
import type { Queue, WaitOptions } from './queue.ts';
import type { TaskRoom } from './run-task.ts';

type SiteName = { readonly account: string; readonly uri: string };

/** Fewer letters of an id would name another point tomorrow. */
const MIN_PREFIX = 4;

/** A point that somebody wants to delete, and what it is made of. */
export type Deletable = {
  readonly id: string;
  readonly site: JournalSite;
  readonly time: string;
  /** Whether the remote repository has it too. */
  readonly isRemote: boolean;
  readonly deleted: DeletedBackup;
  /** Why it must stay: reasons of `point-held`. */
  readonly held: readonly string[];
};

export class ArchivePoints {
  readonly #config: Config;
  readonly #room: TaskRoom;
  readonly #points: HostPoints;
  readonly #queue: Queue;

  constructor(config: Config, room: TaskRoom, points: HostPoints, queue: Queue) {
    this.#config = config;
    this.#room = room;
    this.#points = points;
    this.#queue = queue;
  }

  /** Archives and dumps of a site on the disk, newest first; of several with one content the newest. */
  async list(account: string, uri: string, signal: AbortSignal | undefined): Promise<readonly FoundArchive[]> {
    return await this.#listIn(await readHost(this.#config, signal), account, uri);
  }

  /** The point of one site that is meant; null for the newest that is complete and not a safety point. Throws `point-missing` too. */
  async openOf(
    { account, uri }: SiteName,
    { prefix, from }: { readonly prefix: string | null; readonly from: CopyName | null },
    options: WaitOptions,
  ): Promise<EitherCopy> {
    if (from !== null) return await openWantedOf(this.#points, { account, uri }, { prefix, from });
    const host = await readHost(this.#config, options.signal);
    const archives = await this.#listIn(host, account, uri);
    if (prefix === null) return await this.#openNewest(account, uri, host, archives, options);
    const found = archives.filter(({ id }) => id.startsWith(prefix));
    if (found.length === 0) return await openWantedOf(this.#points, { account, uri }, { prefix, from });
    const listed = (await this.#points.list(account, uri)).filter(({ row }) => row.id.startsWith(prefix));
    return await this.#openOnly(
      prefix,
      host,
      found,
      listed.map(({ row }) => row),
      options,
    );
  }

  /** The point that is meant, whichever site it is of. Throws `point-unknown`, `point-ambiguous`. */
  async open(prefix: string, from: CopyName | null, options: WaitOptions): Promise<EitherCopy> {
    const host = await readHost(this.#config, options.signal);
    const names = host.accounts.map(({ name }) => name);
    if (from !== null) return await openWanted(this.#points, names, { prefix, from });
    const archives: FoundArchive[] = [];
    for (const account of host.accounts) archives.push(...(await this.#points.listArchives(account, host.sites)));
    const found = archives.filter(({ id, uri }) => uri !== null && id.startsWith(prefix));
    if (found.length === 0) return await openWanted(this.#points, names, { prefix, from });
    const listed: { id: string; origin: string; account: string; uri: string }[] = [];
    for (const account of new Set(found.map((one) => one.account)))
      listed.push(
        ...(await this.#points.listAll(account)).points.map(({ row }) => row).filter(({ id }) => id.startsWith(prefix)),
      );
    return await this.#openOnly(prefix, host, found, listed, options);
  }

  /** A site that only archives on the disk tell of, by URI or ACCOUNT/URI; null where none does, or more than one. */
  async findSite(name: string, host: FoundSites): Promise<SiteName | null> {
    const found = new Map<string, SiteName>();
    for (const account of host.accounts)
      for (const { uri } of await this.#points.listArchives(account, host.sites))
        if (uri !== null && (uri === name || `${account.name}/${uri}` === name))
          found.set(account.name, { account: account.name, uri });
    const [only] = found.values();
    return only !== undefined && found.size === 1 ? only : null;
  }

  /**
   * What a point that somebody wants to delete is made of. Throws `point-unknown`, `point-ambiguous`, and `point-held` for one
   * that must stay: pinned, a part of a night's point of its account, or the newest whole one that its site has.
   */
  async findDeletable(prefix: string, signal: AbortSignal | undefined): Promise<Deletable> {
    const found = await this.judgeDeletable(prefix, signal);
    const [why] = found.held;
    if (why !== undefined) throw new SalvorError('point-held', { point: found.id, why });
    return found;
  }

  /** The same, with why it must stay. Throws `point-unknown`, `point-ambiguous`. */
  async judgeDeletable(prefix: string, signal: AbortSignal | undefined): Promise<Deletable> {
    const host = await readHost(this.#config, signal);
    const found = new Map<
      string,
      { account: Account; uri: string; archives: FoundArchive[]; listed: ListedPoint | null }
    >();
    for (const account of host.accounts) {
      const archives = await this.#points.listArchives(account, host.sites);
      for (const archive of archives.filter(({ id, uri }) => uri !== null && id.startsWith(prefix))) {
        const one = found.get(archive.id) ?? { account, uri: archive.uri ?? '', archives: [], listed: null };
        one.archives.push(archive);
        found.set(archive.id, one);
      }
      if (!this.#points.isKnown(account.name)) continue;
      for (const listed of (await this.#points.listAll(account.name)).points.filter(({ row }) =>
        row.id.startsWith(prefix),
      )) {
        const { id, uri } = listed.row;
        found.set(id, { account, uri, archives: found.get(id)?.archives ?? [], listed });
      }
    }
    const [only] = found;
    if (only === undefined || prefix.length < MIN_PREFIX)
      throw new SalvorError('point-unknown', { point: prefix, where: 'this host' });
    if (found.size > 1) throw new SalvorError('point-ambiguous', { point: prefix });
    const [id, { account, uri, archives, listed }] = only;
    const held = listed === null ? [] : await this.#findHeld(listed);
    const live = host.sites.find((site) => site.account.name === account.name && site.uri === uri);
    const site = { account: account.name, uri, path: live?.path ?? account.home, home: account.home };
    const stored = listed?.stored.get('local');
    const snapshot = stored?.kind === 'site' ? stored.snapshot.id : null;
    const time = listed?.row.time ?? archives[0]?.time ?? '';
    const isRemote = listed?.copies.includes('remote') === true;
    return { id, site, time, isRemote, deleted: { id, account, archives, snapshot }, held };
  }

  async #findHeld({ row, stored }: ListedPoint): Promise<readonly string[]> {
    const held: string[] = [];
    if (row.pinned === 1) held.push('it is pinned: what a task replaced is in it, and nobody has confirmed the task');
    const local = stored.get('local');
    if (local === undefined) held.push('only the remote copy has it, and it goes from there when the rules say');
    if (local?.kind === 'account')
      held.push('it is a part of the night’s point of its account, and goes when the rules say');
    if (row.safety === 1 || row.complete === 0) return held;
    const others = (await this.#points.list(row.account, row.uri)).filter(
      (other) => other.row.complete === 1 && other.row.safety === 0,
    );
    if (others[0]?.row.id === row.id) held.push('it is the newest whole point of its site');
    return held;
  }

  async #listIn({ accounts, sites }: FoundSites, account: string, uri: string): Promise<readonly FoundArchive[]> {
    const owner = accounts.find(({ name }) => name === account);
    if (owner === undefined) return [];
    const site = sites.find((one) => one.uri === uri && one.account.name === account);
    const names = new Set([uri, ...(site?.aliases ?? [])]);
    const found = (await this.#points.listArchives(owner, sites)).filter((archive) => names.has(archive.uri ?? ''));
    return found.filter(({ id }, index) => found.findIndex((other) => other.id === id) === index);
  }

  /** What the repository has goes before what has to be unpacked. */
  async #openNewest(
    account: string,
    uri: string,
    host: FoundSites,
    archives: readonly FoundArchive[],
    options: WaitOptions,
  ): Promise<EitherCopy> {
    try {
      return await openWantedOf(this.#points, { account, uri }, { prefix: null, from: null });
    } catch (error) {
      const newest = archives.find(({ look, origin }) => look.problems.length === 0 && origin === 'archive');
      if (!(error instanceof SalvorError) || error.code !== 'point-missing' || newest === undefined) throw error;
      return await this.#unpack(newest, uri, host, options);
    }
  }

  async #openOnly(
    prefix: string,
    host: FoundSites,
    archives: readonly FoundArchive[],
    rows: readonly { readonly id: string; readonly origin: string; readonly account: string; readonly uri: string }[],
    options: WaitOptions,
  ): Promise<EitherCopy> {
    if (prefix.length < MIN_PREFIX) throw new SalvorError('point-unknown', { point: prefix, where: 'this host' });
    const ids = new Set([...archives.map(({ id }) => id), ...rows.map(({ id }) => id)]);
    const [archive] = archives;
    if (ids.size > 1 || archive === undefined) throw new SalvorError('point-ambiguous', { point: prefix });
    const stored = rows.find(({ origin }) => origin !== 'archive' && origin !== 'dump');
    if (stored !== undefined) return await openWantedOf(this.#points, stored, { prefix: archive.id, from: null });
    return await this.#unpack(archive, archive.uri ?? '', host, options);
  }

  async #unpack(archive: FoundArchive, uri: string, host: FoundSites, options: WaitOptions): Promise<EitherCopy> {
    const account = host.accounts.find(({ name }) => name === archive.account);
    if (account === undefined) throw new SalvorError('site-unknown', { site: `${archive.account}/${uri}`, near: [] });
    const known = host.sites.find((site) => this.#isOf(site, archive, uri));
    const live = known !== undefined && known.problems.length === 0 ? known : null;
    const site = live ?? known ?? lostSite(archive, account, uri);
    const source = sourceOf(archive, live);
    const before = await this.#points.openUnpacked(account.name, archive.id, source);
    if (before !== null) return onlyCopy(before, account.name);
    const { result } = await this.#queue.perform(
      {
        operation: 'unpack',
        site: { account: account.name, uri: site.uri, path: site.path, home: account.home },
        of: null,
      },
      options,
      async (run) => {
        const { repository, problem } = await this.#points.repositories.openForNew(account.name);
        if (problem !== null) run.note(problem);
        const tools = { ...this.#toolsOf(site, host, live !== null, source), repository };
        const point = await unpackPoint(site, archive, tools, run);
        run.record({ point: point.manifest.point });
        await this.#points.remember(point);
        await this.#points.forgetUnpacked(account.name, point, run.signal).catch((error: unknown) => {
          // Something else is at work on the repository: the newer one counts, and the rules take the older.
          run.say(`an older one of the same archive stays: ${error instanceof Error ? error.message : String(error)}`);
        });
        return point;
      },
    );
    return onlyCopy(result, account.name);
  }

  #isOf(site: Site, archive: FoundArchive, uri: string): boolean {
    return site.account.name === archive.account && (site.uri === uri || site.aliases.includes(uri));
  }

  #toolsOf(site: Site, host: FoundSites, isLive: boolean, source: string): Omit<UnpackTools, 'repository'> {
    const { account } = site;
    const near = [site, ...host.sites.filter((other) => other.account.name === account.name)];
    const { socket } = this.#config.mariadb;
    return {
      administratorOf: this.#room.administratorOf,
      staging: this.#config.staging,
      source,
      isLive,
      server:
        near.flatMap(({ databases }) => databases.filter(({ engine }) => engine === 'mariadb'))[0]?.login.address ??
        (socket === null ? null : { socket }),
      readUnpacked: (directory, about) => this.#readUnpacked(directory, about, site, isLive),
    };
  }

  #readUnpacked(directory: string, about: UnpackedAbout, site: Site, isLive: boolean): Site {
    const { account, uri, version } = site;
    const platform = { ...site.platform, ...(isLive ? {} : about.platform) };
    const path = isLive ? site.path : (about.path ?? site.path);
    return readUnpackedSite(
      directory,
      { site: { uri, path, version: about.version ?? version }, platform },
      account,
      configuredFor(this.#config, account.name, uri),
    );
  }
}

/** What the hoster says of a site's databases. */
export function configuredFor({ sites, mariadb }: Config, account: string, uri: string): Configured {
  return { override: sites[`${account}/${uri}`] ?? sites[uri], defaultSocket: mariadb.socket ?? undefined };
}

/** A site that is gone, as its archive tells of it; the platform has no root where that is not known yet. Throws `site-unsupported`. */
function lostSite({ look, file, origin }: FoundArchive, account: Account, uri: string): Site {
  if (origin === 'dump')
    throw new SalvorError('site-unsupported', {
      site: `${account.name}/${uri}`,
      why: `there is no such site, and ${file.path} is a dump, which does not say where it lay`,
    });
  // What was not seen within the bounds of a look is told when all of it is unpacked.
  const told = look.about?.site.path ?? (look.platform === null ? null : `${look.platform.root}/sites/${uri}`);
  const path = told ?? `${account.home}/${uri}`;
  const { name = '', root = '' } = look.platform ?? {};
  const cms = look.about?.site.cms ?? 'drupal';
  const platform: Platform = { name, root, cms, version: null };
  return bareSite({ uri, account, platform, path, version: look.about?.site.version ?? null });
}

/** What a point of an archive depends on: the file, and the log-ins that the site has. */
function sourceOf({ file }: FoundArchive, live: Site | null): string {
  const settings = live === null ? null : lstatSync(live.settings, { bigint: true, throwIfNoEntry: false });
  const site = live?.databases.map(({ name, login, prefix }) => [name, login.user, login.address, prefix]) ?? null;
  const of = [file.path, file.bytes, String(file.mtimeNs), live?.path ?? null, site, String(settings?.mtimeNs ?? '')];
  return hash('sha256', JSON.stringify(of)).slice(0, 32);
}
