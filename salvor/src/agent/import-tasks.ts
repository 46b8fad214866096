/** An archive becomes a site of this host: which file, account and platform are meant, and its task under the new name's lock. */
import type { IdentityDocument } from '@salvor/contract';
import { SalvorError } from '../errors.ts';
import { type FoundArchive, lookAtArchive } from '../points/archive-catalogue.ts';
import { policyOfSite } from '../policies/policy-levels.ts';
import { homeAround } from '../sites/account.ts';
import type { FoundSites } from '../sites/find-sites.ts';
import { siteAt } from '../sites/resolve-site.ts';
import type { Site } from '../sites/site.ts';
import { type Identified, requireUnobstructed } from '../tasks/clone-site.ts';
import { type HandOverTools, handOver } from '../tasks/hand-over.ts';
import { type ImportTools, importSite } from '../tasks/import-site.ts';
import { type ImportWish, planImport } from '../tasks/plan-import.ts';
import { readUnpackedSite } from '../tasks/read-stored-site.ts';
import { configuredFor } from './archive-points.ts';
import { type AskedTask, judgeBeside, tellBeside } from './beside-aegir.ts';
import { type TaskCallOptions, waitOptions } from './calls.ts';
import { readHost } from './host-sites.ts';
import { previewOf } from './task-documents.ts';
import type { TaskRun } from '../tasks/task-run.ts';
import type { SiteTasks, SiteTasksRoom } from './site-tasks.ts';

export type ImportCall = TaskCallOptions & {
  /** An archive anywhere on the host, absolute. */
  readonly file: string;
  readonly uri: string;
  /** Name or root. */
  readonly platform: string;
  /** Null for the one that has the platform. */
  readonly account: string | null;
  readonly mask: boolean;
  readonly despiteMissing: boolean;
  readonly dryRun: boolean;
};

export class ImportTasks {
  readonly #in: SiteTasksRoom;
  readonly #siteTasks: SiteTasks;

  constructor(room: SiteTasksRoom, siteTasks: SiteTasks) {
    this.#in = room;
    this.#siteTasks = siteTasks;
  }

  /** Throws `archive-unknown`, `account-unknown`, `platform-unknown`, `platform-ambiguous`, and what the task throws. */
  async import(call: ImportCall): Promise<IdentityDocument> {
    const { config, queue } = this.#in;
    const waiting = waitOptions(call);
    const host = await readHost(config, waiting.signal);
    const wish = chooseWish(call, host);
    const { account, uri, platform } = wish;
    const asked: AskedTask = { operation: 'import', account, uri, platform: platform.root };
    const archive = await lookAtArchive(account.name, call.file);
    if (call.dryRun) {
      const { policy } = policyOfSite(config.policies, { account: account.name, uri });
      const tools = { sites: host.sites, policy, say: this.#in.room.say };
      const { document } = await planImport(archive, wish, tools);
      const plan = tellBeside(document, asked, config, host.sites);
      return previewOf(plan);
    }
    // What is refused is refused at once; whether it is handed over is asked again when its turn has come.
    judgeBeside(asked, config, host.sites);
    await this.#siteTasks.expireKept();
    const path = `${platform.root}/sites/${uri}`;
    const { task, state, result, problems } = await queue.perform(
      { operation: 'import', site: { account: account.name, uri, path, home: account.home }, of: null },
      waiting,
      async (run) => {
        // Looked up again when its turn has come.
        const now = await readHost(config, run.signal);
        const wishNow = chooseWish(call, now);
        const tools = await this.#tools(wishNow, now, run);
        const aegir = judgeBeside(asked, config, now.sites);
        return aegir === null
          ? await importSite(archive, wishNow, tools, run)
          : await this.#byAegir(archive, wishNow, { ...tools, aegir }, run);
      },
    );
    return { task, state, ...result, archive: null, problems };
  }

  /** Its own commands make the site of the archive: what they rewrite is not known, and nothing is kept for `undo`. */
  async #byAegir(
    archive: FoundArchive,
    wish: ImportWish,
    tools: ImportTools & Pick<HandOverTools, 'aegir'>,
    run: TaskRun,
  ): Promise<Identified> {
    const planned = await planImport(archive, wish, { ...tools, say: (line) => run.say(line) });
    requireUnobstructed(planned, { operation: 'import' });
    const handed = { operation: 'import', uri: wish.uri, platform: wish.platform.root, archive: archive.file.path };
    const readSites = (): Promise<readonly Site[]> => this.#in.sites.all();
    const { safetyPoint } = await handOver(planned.empty, handed, { ...tools, readSites }, run);
    return { safetyPoint, plan: planned.document, rewritten: [], page: null, undoUntil: null };
  }

  async #tools({ account, uri }: ImportWish, { sites, platforms }: FoundSites, run: TaskRun): Promise<ImportTools> {
    const { config, room, points } = this.#in;
    const { problem, ...place } = await points.repositories.openForNew(account.name);
    if (problem !== null) run.note(problem);
    const of = { account: account.name, uri };
    const configured = configuredFor(config, account.name, uri);
    const read: ImportTools['readUnpacked'] = (directory, site) =>
      readUnpackedSite(
        directory,
        { site: { uri: site.uri, path: site.path, version: site.version }, platform: site.platform },
        account,
        configured,
      );
    return {
      sites,
      platforms,
      administratorOf: room.administratorOf,
      journals: room.journals,
      override: configured.override,
      unfinished: [],
      known: new Set(),
      rates: this.#siteTasks.rates(),
      policy: policyOfSite(config.policies, of).policy,
      ...place,
      remember: (point) => points.remember(point),
      staging: config.staging,
      graceHours: this.#siteTasks.graceHoursOf(of),
      defaultSocket: config.mariadb.socket ?? undefined,
      server: serverOf(account.name, sites, config.mariadb.socket),
      readUnpacked: read,
      readBuilt: read,
      readSite: async (path) => siteAt((await readHost(config, undefined)).sites, path),
    };
  }
}

/** The server of the account's other sites, else the host's own. */
function serverOf(account: string, sites: FoundSites['sites'], socket: string | null): ImportTools['server'] {
  const near = [...sites.filter((site) => site.account.name === account), ...sites];
  const known = near.flatMap(({ databases }) => databases.filter(({ engine }) => engine === 'mariadb'));
  return known[0]?.login.address ?? { socket: socket ?? DEBIAN_SOCKET };
}

const DEBIAN_SOCKET = '/run/mysqld/mysqld.sock';

function chooseWish(call: ImportCall, { accounts, platforms }: FoundSites): ImportWish {
  const { uri, mask: masked, despiteMissing } = call;
  if (call.account !== null && !accounts.some(({ name }) => name === call.account))
    throw new SalvorError('account-unknown', { account: call.account });
  const found = accounts
    .filter(({ name }) => call.account === null || name === call.account)
    .flatMap((account) =>
      platforms
        .filter(({ name, root }) => name === call.platform || root === call.platform)
        .filter(({ root }) => homeAround(account, root) !== null)
        .map((platform) => ({ account, platform })),
    );
  const [only] = found;
  if (only === undefined) {
    const known = platforms.map(({ name }) => name).join(', ');
    throw new SalvorError('platform-unknown', { platform: call.platform, known });
  }
  if (found.length > 1)
    throw new SalvorError('platform-ambiguous', {
      platform: call.platform,
      found: found.map(({ account, platform }) => `${account.name}: ${platform.root}`).join(', '),
    });
  return { ...only, uri, masked, despiteMissing };
}
