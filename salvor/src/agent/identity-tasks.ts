/**
 * What gives a site another name or place: looked up, its turn waited for, looked up again, done, and told. Each has its
 * site's lock and that of the name that it takes.
 */
import type { IdentityDocument, Problem } from '@salvor/contract';
import { policyOfSite } from '../policies/policy-levels.ts';
import { siteAt } from '../sites/resolve-site.ts';
import { type Site, siteKey } from '../sites/site.ts';
import type { NewSiteTools } from '../tasks/build-new-site.ts';
import { type Identified, cloneSite } from '../tasks/clone-site.ts';
import { type HandOverTools, handOver } from '../tasks/hand-over.ts';
import { type IdentityWish, planIdentity } from '../tasks/plan-identity.ts';
import { relocateSite } from '../tasks/relocate-site.ts';
import { readUnpackedSite } from '../tasks/read-stored-site.ts';
import type { TaskRun } from '../tasks/task-run.ts';
import { askedOf, judgeBeside, tellBeside } from './beside-aegir.ts';
import { configuredFor } from './archive-points.ts';
import { type TaskCallOptions, waitOptions } from './calls.ts';
import { readHost } from './host-sites.ts';
import type { SiteTasks, SiteTasksRoom } from './site-tasks.ts';
import { previewOf } from './task-documents.ts';

export type IdentityCall = TaskCallOptions & {
  /** Null where it keeps the one that it has. */
  readonly newUri: string | null;
  /** Name or root of another platform of the account; null for its own. */
  readonly platform: string | null;
  readonly mask: boolean;
  /** Whether a site that moves keeps its database and log-in, instead of getting new ones; a clone never does. */
  readonly keepDatabase?: boolean;
  readonly dryRun: boolean;
};

type Recipe = (site: Site, wish: IdentityWish, tools: NewSiteTools, run: TaskRun) => Promise<Identified>;

export class IdentityTasks {
  readonly #in: SiteTasksRoom;
  readonly #siteTasks: SiteTasks;

  constructor(room: SiteTasksRoom, siteTasks: SiteTasks) {
    this.#in = room;
    this.#siteTasks = siteTasks;
  }

  async clone(name: string, options: IdentityCall): Promise<IdentityDocument> {
    return await this.#perform('clone', name, options, cloneSite);
  }

  async rename(name: string, options: IdentityCall): Promise<IdentityDocument> {
    return await this.#perform('rename', name, options, relocateSite);
  }

  async migrate(name: string, options: IdentityCall): Promise<IdentityDocument> {
    return await this.#perform('migrate', name, options, relocateSite);
  }

  async #perform(
    operation: IdentityWish['operation'],
    name: string,
    options: IdentityCall,
    recipe: Recipe,
  ): Promise<IdentityDocument> {
    const { sites, queue, room } = this.#in;
    const site = await sites.find(name, options.signal);
    const waiting = waitOptions(options);
    const { newUri, platform, mask: masked, keepDatabase = false } = options;
    const newDatabase = operation !== 'clone' && !keepDatabase;
    const wish: IdentityWish = { operation, newUri, platform, masked, newDatabase, isPreview: options.dryRun };
    if (options.dryRun) {
      const tools = await this.#tools(site, waiting.signal, () => {});
      const { document } = await planIdentity(site, wish, { ...tools, say: room.say, signal: waiting.signal });
      const plan = tellBeside(
        document,
        askedOf(operation, site, rootOf(platform, tools)),
        this.#in.config,
        tools.sites,
      );
      return previewOf(plan);
    }
    await this.#siteTasks.expireKept();
    const key = siteKey(site);
    const place = { account: site.account.name, uri: site.uri, path: site.path, home: site.account.home };
    const { task, state, result, problems } = await queue.perform(
      { operation, site: place, of: null, wish: { newUri, platform } },
      waiting,
      async (run) => {
        using held = new DisposableStack();
        if (newUri !== null && newUri !== site.uri)
          held.use(room.locks.lockSite({ account: site.account.name, uri: newUri }, run.id));
        // Looked up again when its turn has come: what it waited for may have changed the site.
        const now = await sites.find(key, run.signal);
        const tools = await this.#tools(now, run.signal, (problem) => run.note(problem));
        const aegir = judgeBeside(askedOf(operation, now, rootOf(platform, tools)), this.#in.config, tools.sites);
        const done =
          aegir === null
            ? await recipe(now, wish, tools, run)
            : await this.#byAegir(now, wish, { ...tools, aegir }, run);
        const archive = await this.#siteTasks.archiveSafety(now, done.safetyPoint, tools.sites, run);
        return { ...done, archive };
      },
    );
    return { task, state, ...result, problems };
  }

  /** Its own commands do it: nothing is kept for `undo`, and what it rewrote is not known. */
  async #byAegir(
    site: Site,
    wish: IdentityWish,
    tools: NewSiteTools & Pick<HandOverTools, 'aegir'>,
    run: TaskRun,
  ): Promise<Identified> {
    const { document: plan, platform } = await planIdentity(site, wish, {
      ...tools,
      say: (line) => run.say(line),
      signal: run.signal,
    });
    const { operation, newUri } = wish;
    const handed = { operation, uri: newUri ?? site.uri, platform: wish.platform === null ? null : platform.root };
    const readSites = (): Promise<readonly Site[]> => this.#in.sites.all();
    const { safetyPoint } = await handOver(site, handed, { ...tools, readSites }, run);
    return { safetyPoint, plan, rewritten: [], page: null, undoUntil: null };
  }

  /** `tell`: what is wrong with the copy that its safety point would go to first. */
  async #tools(site: Site, signal: AbortSignal, tell: (problem: Problem) => void): Promise<NewSiteTools> {
    const { config, room, points, kept } = this.#in;
    const { problem, ...place } = await points.repositories.openForNew(site.account.name);
    if (problem !== null) tell(problem);
    const { sites, platforms } = await readHost(config, signal);
    const { account, uri } = site;
    const of = { account: account.name, uri };
    return {
      sites,
      platforms,
      administratorOf: room.administratorOf,
      journals: room.journals,
      override: configuredFor(config, account.name, uri).override,
      ...kept.ofSite(site),
      rates: this.#siteTasks.rates(),
      policy: policyOfSite(config.policies, of).policy,
      ...place,
      remember: (point) => points.remember(point),
      staging: config.staging,
      graceHours: this.#siteTasks.graceHoursOf(of),
      defaultSocket: config.mariadb.socket ?? undefined,
      readBuilt: (directory, built) =>
        readUnpackedSite(
          directory,
          { site: { uri: built.uri, path: built.path, version: built.version }, platform: built.platform },
          account,
          configuredFor(config, account.name, built.uri),
        ),
      readSite: async (path) => siteAt((await readHost(config, undefined)).sites, path),
    };
  }
}

function rootOf(wanted: string | null, { platforms }: Pick<NewSiteTools, 'platforms'>): string | null {
  return platforms.find(({ name, root }) => name === wanted || root === wanted)?.root ?? null;
}
