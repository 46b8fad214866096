/**
 * Points of a host that may lie in a repository, or in an archive or a dump on its disk: which one is meant, and that one
 * of the disk is unpacked into the repository by a task of its own before it is looked into. Once: as long as neither it
 * nor the settings of its site change, what came out of it is used again.
 */
import { hash } from 'node:crypto';
import { lstatSync } from 'node:fs';
import type { Config } from '../config.ts';
import { SalvorError } from '../errors.ts';
import type { FoundArchive } from '../points/archive-catalogue.ts';
import type { HostPoints } from '../points/host-points.ts';
import type { OpenPoint } from '../points/open-point.ts';
import type { Account } from '../sites/account.ts';
import type { FoundSites } from '../sites/find-sites.ts';
import type { Site } from '../sites/site.ts';
import { type Configured, readUnpackedSite } from '../tasks/read-stored-site.ts';
import { type UnpackTools, type UnpackedAbout, unpackPoint } from '../tasks/unpack-point.ts';
import { readHost } from './host-sites.ts';
import type { Queue, WaitOptions } from './queue.ts';
import type { TaskRoom } from './run-task.ts';

/** Fewer letters of an id would name another point tomorrow. */
const MIN_PREFIX = 4;

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
  async openOf(account: string, uri: string, prefix: string | null, options: WaitOptions): Promise<OpenPoint> {
    const host = await readHost(this.#config, options.signal);
    const archives = await this.#listIn(host, account, uri);
    if (prefix === null) return await this.#openNewest(account, uri, host, archives, options);
    const found = archives.filter(({ id }) => id.startsWith(prefix));
    if (found.length === 0) return await this.#points.openOf(account, uri, prefix);
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
  async open(prefix: string, options: WaitOptions): Promise<OpenPoint> {
    const host = await readHost(this.#config, options.signal);
    const names = host.accounts.map(({ name }) => name);
    const archives: FoundArchive[] = [];
    for (const account of host.accounts) archives.push(...(await this.#points.listArchives(account, host.sites)));
    const found = archives.filter(({ id, uri }) => uri !== null && id.startsWith(prefix));
    if (found.length === 0) return await this.#points.open(prefix, names);
    const listed: { id: string; origin: string; account: string; uri: string }[] = [];
    for (const account of new Set(found.map((one) => one.account)))
      listed.push(
        ...(await this.#points.listAll(account)).points.map(({ row }) => row).filter(({ id }) => id.startsWith(prefix)),
      );
    return await this.#openOnly(prefix, host, found, listed, options);
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
  ): Promise<OpenPoint> {
    try {
      return await this.#points.openOf(account, uri, null);
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
  ): Promise<OpenPoint> {
    if (prefix.length < MIN_PREFIX) throw new SalvorError('point-unknown', { point: prefix, where: 'this host' });
    const ids = new Set([...archives.map(({ id }) => id), ...rows.map(({ id }) => id)]);
    const [archive] = archives;
    if (ids.size > 1 || archive === undefined) throw new SalvorError('point-ambiguous', { point: prefix });
    const stored = rows.find(({ origin }) => origin !== 'archive' && origin !== 'dump');
    if (stored !== undefined) return await this.#points.openOf(stored.account, stored.uri, archive.id);
    return await this.#unpack(archive, archive.uri ?? '', host, options);
  }

  async #unpack(archive: FoundArchive, uri: string, host: FoundSites, options: WaitOptions): Promise<OpenPoint> {
    const account = host.accounts.find(({ name }) => name === archive.account);
    if (account === undefined) throw new SalvorError('site-unknown', { site: `${archive.account}/${uri}`, near: [] });
    const known = host.sites.find((site) => this.#isOf(site, archive, uri));
    const live = known !== undefined && known.problems.length === 0 ? known : null;
    const site = live ?? known ?? lostSite(archive, account, uri);
    const source = sourceOf(archive, live);
    const before = await this.#points.openUnpacked(account.name, archive.id, source);
    if (before !== null) return before;
    const { result } = await this.#queue.perform(
      {
        operation: 'unpack',
        site: { account: account.name, uri: site.uri, path: site.path, home: account.home },
        of: null,
      },
      options,
      async (run) => {
        const tools = await this.#toolsOf(site, host, live !== null, source);
        const point = await unpackPoint(site, archive, tools, run);
        run.record({ point: point.manifest.point });
        await this.#points.remember(point);
        await this.#points.forgetUnpacked(account.name, point, run.signal);
        return point;
      },
    );
    return result;
  }

  #isOf(site: Site, archive: FoundArchive, uri: string): boolean {
    return site.account.name === archive.account && (site.uri === uri || site.aliases.includes(uri));
  }

  async #toolsOf(site: Site, host: FoundSites, isLive: boolean, source: string): Promise<UnpackTools> {
    const { account } = site;
    const near = [site, ...host.sites.filter((other) => other.account.name === account.name)];
    const { socket } = this.#config.mariadb;
    return {
      repository: await this.#points.repositoryOf(account.name),
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
    const configured: Configured = {
      override: this.#config.sites[`${account.name}/${uri}`] ?? this.#config.sites[uri],
      defaultSocket: this.#config.mariadb.socket ?? undefined,
    };
    const platform = { ...site.platform, ...(isLive ? {} : about.platform) };
    const path = isLive ? site.path : (about.path ?? site.path);
    return readUnpackedSite(
      directory,
      { site: { uri, path, version: about.version ?? version }, platform },
      account,
      configured,
    );
  }
}

/** A site that is gone, as its archive tells of it. Throws `site-unsupported` where it does not say where the site lay. */
function lostSite({ look, file, origin }: FoundArchive, account: Account, uri: string): Site {
  const path = look.about?.site.path ?? (look.platform === null ? null : `${look.platform.root}/sites/${uri}`);
  if (path === null || origin === 'dump')
    throw new SalvorError('site-unsupported', {
      site: `${account.name}/${uri}`,
      why: `there is no such site, and ${file.path} does not say where it lay`,
    });
  const { name = '', root = '' } = look.platform ?? {};
  const cms = look.about?.site.cms ?? 'drupal';
  return {
    uri,
    account,
    platform: { name, root, cms, version: null },
    path,
    cms,
    version: look.about?.site.version ?? null,
    settings: `${path}/settings.php`,
    aliases: [],
    enabled: null,
    isNetwork: false,
    movedOut: [],
    holds: [],
    databases: [],
    problems: [],
  };
}

/** What a point of an archive depends on: the file, and the log-ins that the site has. */
function sourceOf({ file }: FoundArchive, live: Site | null): string {
  const settings = live === null ? null : lstatSync(live.settings, { bigint: true, throwIfNoEntry: false });
  const site = live?.databases.map(({ name, login, prefix }) => [name, login.user, login.address, prefix]) ?? null;
  const of = [file.path, file.bytes, String(file.mtimeNs), live?.path ?? null, site, String(settings?.mtimeNs ?? '')];
  return hash('sha256', JSON.stringify(of)).slice(0, 32);
}
