/** Which site, account and repository's site is meant: on disk first, then what points and archives remember. */
import type { Config } from '../config.ts';
import { SalvorError } from '../errors.ts';
import type { HostPoints } from '../points/host-points.ts';
import type { OpenPoint } from '../points/open-point.ts';
import type { Account } from '../sites/account.ts';
import { resolveSite } from '../sites/resolve-site.ts';
import { findBarrier } from '../sites/settings-doubts.ts';
import { tellShared } from '../sites/shared-databases.ts';
import type { Site } from '../sites/site.ts';
import { readStoredSite } from '../tasks/read-stored-site.ts';
import { type ArchivePoints, configuredFor } from './archive-points.ts';
import type { RestoreCall } from './calls.ts';
import { readHost } from './host-sites.ts';

export class SiteFinder {
  readonly #config: Config;
  readonly #points: HostPoints;
  readonly #archives: ArchivePoints;

  constructor(config: Config, points: HostPoints, archives: ArchivePoints) {
    this.#config = config;
    this.#points = points;
    this.#archives = archives;
  }

  /** All that are on disk now. */
  async all(signal?: AbortSignal): Promise<readonly Site[]> {
    return (await readHost(this.#config, signal)).sites;
  }

  /** By URI or ACCOUNT/URI. Throws `site-unknown` and `site-ambiguous`. */
  async find(name: string, signal: AbortSignal | undefined): Promise<Site> {
    return resolveSite((await readHost(this.#config, signal)).sites, name);
  }

  /** What a restore replaces: the point's own site, or the other one that was named. */
  async target(
    account: string,
    uri: string,
    point: OpenPoint,
    { into, signal }: Pick<RestoreCall, 'into' | 'signal'>,
  ): Promise<Site> {
    return into === null ? await this.restorable(account, uri, point, signal) : await this.find(into, signal);
  }

  /** The site as it is on disk; where it is gone or its settings can't be read, as the point remembers it. */
  async restorable(account: string, uri: string, point: OpenPoint, signal: AbortSignal | undefined): Promise<Site> {
    const found = await readHost(this.#config, signal);
    const live = found.sites.find((site) => site.uri === uri && site.account.name === account);
    if (live !== undefined && findBarrier(live) === null) return live;
    const owner = found.accounts.find((candidate) => candidate.name === account);
    if (owner === undefined) throw new SalvorError('site-unknown', { site: `${account}/${uri}`, near: [] });
    const stored = await readStoredSite(point, owner, configuredFor(this.#config, account, uri));
    // Its own place, and the log-in of the point: the restored settings are what the site will use.
    const site = live === undefined ? stored : { ...live, databases: stored.databases };
    if (live !== undefined && findBarrier(stored) !== null) return live;
    const others = found.sites.filter((other) => other !== live);
    return tellShared([site, ...others], this.#config.mariadb.socket ?? undefined)[0] ?? site;
  }

  /** A site on disk, or one that only points or archives remember. */
  async named(name: string, signal: AbortSignal | undefined): Promise<{ account: string; uri: string }> {
    const found = await readHost(this.#config, signal);
    try {
      const site = resolveSite(found.sites, name);
      return { account: site.account.name, uri: site.uri };
    } catch (error) {
      if (!(error instanceof SalvorError) || error.code !== 'site-unknown') throw error;
      const remembered = await this.#points.findSite(
        name,
        found.accounts.map((account) => account.name),
      );
      const told = remembered ?? (await this.#archives.findSite(name, found));
      if (told === null) throw error;
      return told;
    }
  }

  async account(name: string, signal: AbortSignal | undefined): Promise<Account | null> {
    const { accounts } = await readHost(this.#config, signal);
    return accounts.find((account) => account.name === name) ?? null;
  }

  async accountNames(signal: AbortSignal | undefined): Promise<readonly string[]> {
    return (await readHost(this.#config, signal)).accounts.map((account) => account.name);
  }
}
