/**
 * One account of a lost host, on a machine that lacks it: users → homes; and, when all accounts' homes are there and the database
 * servers have their users, the databases of each site. What went before and was killed is not done twice.
 */
import type { Problem, RecoverAccount, RecoverDocument } from '@salvor/contract';
import type { Config } from '../config.ts';
import { SalvorError } from '../errors.ts';
import { codeOf } from '../lib/errno.ts';
import { openSitePoint } from '../points/account-point.ts';
import type { AccountSite } from '../points/account-manifest.ts';
import { type Night, chooseNight } from '../points/choose-night.ts';
import type { HostPoints } from '../points/host-points.ts';
import type { OpenPoint } from '../points/open-point.ts';
import { policyOfAccount, policyOfSite } from '../policies/policy-levels.ts';
import type { Site } from '../sites/site.ts';
import { recoverDatabases } from '../tasks/recover-databases.ts';
import { type RecoveredTree, identify, judgePlace, recoverHome, recoverWithin } from '../tasks/recover-home.ts';
import { makeUsers } from '../tasks/recover-users.ts';
import type { TaskProgress } from '../tasks/task-run.ts';
import { readHost } from './host-sites.ts';
import type { KeptTasks } from './kept-tasks.ts';
import type { PlannedAccount } from './plan-recovery.ts';
import type { Queue } from './queue.ts';
import { MeasuredRates } from './rates.ts';
import type { RecoveryJournalFile } from './recovery-journal.ts';
import type { TaskRoom } from './run-task.ts';

export type RecoverAccountRoom = {
  readonly config: Config;
  readonly room: TaskRoom;
  readonly points: HostPoints;
  readonly queue: Queue;
  readonly kept: KeptTasks;
  readonly journal: RecoveryJournalFile;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: TaskProgress) => void;
};

type RecoverSite = RecoverAccount['sites'][number];
type LocalNight = { readonly night: Night; readonly repository: OpenPoint['repository'] };
type MutableSite = { -readonly [Key in keyof RecoverSite]: RecoverSite[Key] };

export class AccountRecovery {
  readonly #plan: PlannedAccount;
  readonly #room: RecoverAccountRoom;
  readonly #problems: Problem[] = [];
  readonly #sites: MutableSite[];
  #files = 0;
  #bytes = 0;
  #users: readonly string[] = [];
  #homes: RecoverAccount['homes'];
  #hasFailed = false;

  constructor(plan: PlannedAccount, room: RecoverAccountRoom) {
    this.#plan = plan;
    this.#room = room;
    this.#homes = plan.homes;
    this.#sites = plan.sites.map(({ uri }) => ({ uri, state: 'planned', databases: [], tables: 0, problems: [] }));
  }

  get name(): string {
    return this.#plan.name;
  }

  /** Users and homes, out of the local repository. Never throws but where it is stopped: what went wrong is in `document`. */
  async restoreFiles(): Promise<void> {
    await this.#attempt(async () => {
      const { users, name, night } = this.#plan;
      const taken = this.#homes.find(({ state }) => state === 'taken');
      if (taken !== undefined) throw new SalvorError('place-taken', { path: taken.path });
      this.#room.journal.begin(name, night.point);
      await this.#room.room.auditLog.for(null)('set-owners', `users of ${name}`, () =>
        makeUsers(users, this.#room.signal),
      );
      this.#users = users.users.map((user) => user.name);
      const local = await this.#night();
      const wanted = new Set(this.#plan.sites.map(({ uri }) => uri));
      const manifests = new Map<string, OpenPoint['manifest']>();
      for (const site of night.manifest.sites) manifests.set(site.uri, (await this.#openPoint(local, site)).manifest);
      const without = new Set(
        [...manifests].filter(([uri]) => !wanted.has(uri)).map(([, manifest]) => manifest.site.path),
      );
      for (const { path } of this.#homes) await this.#restoreHome(path, without, local);
      for (const [uri, { site }] of manifests) if (wanted.has(uri)) await this.#restoreLeftOut(site.path, local);
    });
  }

  /** The databases of its sites: `found` are all sites of this machine, now that the homes are there. */
  async restoreDatabases(found: readonly Site[]): Promise<void> {
    if (this.#hasFailed) return;
    await this.#attempt(async () => {
      const local = await this.#night();
      for (const stored of this.#plan.sites) {
        const told = this.#sites.find(({ uri }) => uri === stored.uri);
        if (told === undefined) continue;
        this.#room.signal.throwIfAborted();
        try {
          await this.#restoreSite(stored, local, found, told);
        } catch (error) {
          this.#room.signal.throwIfAborted();
          told.state = 'failed';
          told.problems = [...told.problems, asProblem(error, `${this.name}/${stored.uri}`)];
        }
      }
    });
  }

  document(): RecoverAccount {
    const { night } = this.#plan;
    const states = new Set(this.#sites.map(({ state }) => state));
    const isWarned = this.#problems.length > 0 || states.has('failed') || states.has('warned');
    return {
      account: this.name,
      state: this.#hasFailed ? 'failed' : isWarned ? 'warned' : states.has('planned') ? 'planned' : 'succeeded',
      point: night.point,
      time: night.time,
      users: [...this.#users],
      homes: this.#homes,
      files: this.#files,
      bytes: this.#bytes,
      sites: this.#sites,
      problems: this.#problems,
    };
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#room.signal.throwIfAborted();
      this.#hasFailed = true;
      this.#problems.push(asProblem(error, this.name));
    }
  }

  /** The same night in the local repository, where it was brought. */
  async #night(): Promise<LocalNight> {
    const { points, room } = this.#room;
    const { point } = this.#plan.night;
    const repository = await points.repositories.open(this.name);
    const night = await chooseNight(repository, { now: room.clock(), made: new Set(), point });
    if (night === null)
      throw new SalvorError('recovery-point-missing', { account: this.name, url: repository.location });
    return { night, repository };
  }

  async #openPoint({ night, repository }: LocalNight, site: AccountSite): Promise<OpenPoint> {
    return await openSitePoint(repository, night.snapshots, site);
  }

  async #restoreHome(path: string, without: ReadonlySet<string>, local: LocalNight): Promise<void> {
    const placed = this.#room.journal.of(this.name)?.places[path];
    if (placed === undefined || identify(path) !== placed)
      await this.#restoreTree(path, local, without, (options) => recoverHome(path, options));
    this.#homes = this.#homes.map((home) => (home.path === path ? { path, state: 'recovered' } : home));
  }

  /** A site that an earlier recovery, of other sites, has left out of its home. */
  async #restoreLeftOut(path: string, local: LocalNight): Promise<void> {
    const home = this.#homes.find((one) => path.startsWith(`${one.path}/`));
    if (home === undefined || judgePlace(path) === 'taken') return;
    await this.#restoreTree(path, local, new Set(), (options) => recoverWithin(home.path, path, options));
  }

  async #restoreTree(
    path: string,
    { night, repository }: LocalNight,
    without: ReadonlySet<string>,
    restore: (options: Parameters<typeof recoverHome>[1]) => Promise<RecoveredTree>,
  ): Promise<void> {
    const { config, room, journal, signal, onProgress } = this.#room;
    const { files: snapshot } = night.snapshots;
    if (snapshot === null)
      throw new SalvorError('recovery-point-missing', { account: this.name, url: repository.location });
    const { workers } = policyOfAccount(config.policies, this.name).policy;
    const built = await room.auditLog.for(null)('restore-files', path, () =>
      restore({
        repository,
        snapshot,
        without,
        workers,
        signal,
        onProgress: ({ files, bytes }) =>
          onProgress({ step: path, files, bytes, filesTotal: null, bytesTotal: null, current: '' }),
        onPlacing: (identity) => journal.place(this.name, path, identity),
      }),
    );
    this.#files += built.files;
    this.#bytes += built.bytes;
    this.#problems.push(...built.problems.map(({ code, message, path: at }) => ({ code, message, path: at })));
  }

  async #restoreSite(stored: AccountSite, local: LocalNight, found: readonly Site[], told: MutableSite): Promise<void> {
    const { config, room, queue, kept, journal, signal, onProgress } = this.#room;
    const site = found.find(({ uri, account }) => uri === stored.uri && account.name === this.name);
    if (site === undefined) throw new SalvorError('site-unknown', { site: `${this.name}/${stored.uri}` });
    const point = await this.#openPoint(local, stored);
    const { databases, complete, problems } = point.manifest;
    const inPart = this.#plan.heldInPart.get(stored.uri);
    if (!complete) told.problems = problems.map(({ code, message, path }) => ({ code, message, path }));
    if (inPart !== undefined) told.problems = [...told.problems, inPart];
    if (databases.length > 0 && journal.of(this.name)?.sites[stored.uri] !== 'done') {
      journal.site(this.name, stored.uri, 'begun');
      const place = { account: this.name, uri: stored.uri, path: site.path, home: site.account.home };
      const tools = {
        administratorOf: room.administratorOf,
        staging: config.staging,
        sites: found,
        rates: new MeasuredRates(config.state).read(),
        policy: policyOfSite(config.policies, place).policy,
        ...kept.ofSite(site),
        readSite: async (): Promise<Site> => {
          const { sites } = await readHost(config, undefined);
          return sites.find(({ uri, account }) => uri === site.uri && account.name === this.name) ?? site;
        },
      };
      const outcome = await queue.perform(
        { operation: 'restore', site: place, of: null },
        { signal, onProgress, wait: true, onWait: () => {} },
        (run) => recoverDatabases(site, point, tools, run),
      );
      told.databases = [...outcome.result.databases];
      told.tables = outcome.result.tables;
      told.problems = [...told.problems, ...outcome.problems];
    }
    journal.site(this.name, stored.uri, 'done');
    told.state = told.problems.length === 0 ? 'succeeded' : 'warned';
  }
}

/** What a document says of a part that failed. */
export function asProblem(error: unknown, path: string): RecoverDocument['problems'][number] {
  return {
    code: codeOf(error) ?? 'recovery-failed',
    path,
    message: error instanceof Error ? error.message : String(error),
  };
}
