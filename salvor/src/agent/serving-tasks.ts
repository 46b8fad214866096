/** How one site is served: switched off and on again, and whether it works. Each is a task under its site's lock. */
import type { AvailabilityDocument, VerifyDocument } from '@salvor/contract';
import type { OpenPoint } from '../points/open-point.ts';
import { policyOfSite } from '../policies/policy-levels.ts';
import type { LivingAegir } from '../sites/find-aegir.ts';
import { type Site, siteKey } from '../sites/site.ts';
import { handOver } from '../tasks/hand-over.ts';
import { planAvailability } from '../tasks/plan-availability.ts';
import { proveSite } from '../tasks/prove-site.ts';
import { type SwitchAvailabilityTools, type Switched, switchAvailability } from '../tasks/switch-availability.ts';
import { askedOf, judgeBeside, tellBeside } from './beside-aegir.ts';
import type { TaskRun } from '../tasks/task-run.ts';
import { type TaskCallOptions, waitOptions } from './calls.ts';
import { type SiteTasksRoom, placeOf } from './site-tasks.ts';

export type ServingRoom = Pick<SiteTasksRoom, 'config' | 'room' | 'points' | 'queue' | 'sites' | 'kept'>;

export class ServingTasks {
  readonly #in: ServingRoom;

  constructor(room: ServingRoom) {
    this.#in = room;
  }

  /**
   * Switches a site off or on. One that is so already is left alone, and there is no task; with `dryRun` neither. Throws
   * `availability-obstructed` and `virtual-host-refused`.
   */
  async switch(
    name: string,
    wanted: 'off' | 'on',
    options: TaskCallOptions & { readonly dryRun: boolean },
  ): Promise<AvailabilityDocument> {
    const { room, queue, sites } = this.#in;
    const site = await sites.find(name, options.signal);
    const operation = wanted === 'off' ? 'disable' : 'enable';
    const { document } = await planAvailability(site, wanted, this.#tools(site), room.say);
    const plan = tellBeside(document, askedOf(operation, site), this.#in.config, await sites.all());
    const isSo = document.places.length === 0 && document.obstacles.length === 0;
    if (isSo) return { task: null, state: 'succeeded', plan: document, page: null, undoUntil: null, problems: [] };
    if (options.dryRun) {
      const problems = plan.obstacles;
      const state = problems.length === 0 ? 'succeeded' : 'warned';
      return { task: null, state, plan, page: null, undoUntil: null, problems };
    }
    const { task, state, result, problems } = await queue.perform(
      { operation, site: placeOf(site), of: null },
      waitOptions(options),
      async (run) => {
        const now = await sites.find(siteKey(site), run.signal);
        const aegir = judgeBeside(askedOf(operation, now), this.#in.config, await sites.all());
        return aegir === null
          ? await switchAvailability(now, wanted, this.#tools(now), run)
          : await this.#byAegir(now, operation, plan, aegir, run);
      },
    );
    return { task, state, ...result, problems };
  }

  /** Whether a site works and keeps private what is. One that does not makes the document's state `failed`, and nothing is thrown. */
  async verify(name: string, options: TaskCallOptions): Promise<VerifyDocument> {
    const { config, room, queue, sites } = this.#in;
    const site = await sites.find(name, options.signal);
    const { task, state, result, problems } = await queue.perform(
      { operation: 'verify', site: placeOf(site), of: null },
      waitOptions(options),
      async (run) => {
        const now = await sites.find(siteKey(site), run.signal);
        const { policy } = policyOfSite(config.policies, { account: now.account.name, uri: now.uri });
        return await proveSite(now, { policy, administratorOf: room.administratorOf }, run);
      },
    );
    return { task, state, proof: result, problems };
  }

  async #byAegir(
    site: Site,
    operation: 'disable' | 'enable',
    plan: Switched['plan'],
    aegir: LivingAegir,
    run: TaskRun,
  ): Promise<Switched> {
    const { points, room, sites } = this.#in;
    const { problem, ...place } = await points.repositories.openForNew(site.account.name);
    if (problem !== null) run.note(problem);
    const tools = {
      policy: this.#tools(site).policy,
      aegir,
      administratorOf: room.administratorOf,
      ...place,
      remember: (point: OpenPoint) => points.remember(point),
      readSites: () => sites.all(),
    };
    await handOver(site, { operation, uri: site.uri, platform: null }, tools, run);
    return { plan, page: null, undoUntil: null };
  }

  #tools(site: Site): SwitchAvailabilityTools {
    const { config, room, kept } = this.#in;
    const { policy } = policyOfSite(config.policies, { account: site.account.name, uri: site.uri });
    return {
      policy,
      unfinished: kept.ofSite(site).unfinished,
      journals: room.journals,
      administratorOf: room.administratorOf,
      staging: config.staging,
      graceHours: policy.graceMs / 3_600_000,
    };
  }
}
