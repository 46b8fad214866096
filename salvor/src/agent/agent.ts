/**
 * The agent of one host: what the command line, and later the hub and the doors, ask for. Owns which site, which
 * repository and which point is meant, and that every task runs under its lock, with its journal; the tasks
 * themselves are in `tasks/`.
 *
 *   open: store → what a crash left is finished or undone → ready
 *   each call: sites from disk → repository of the account → task → document
 *
 * Knows nothing of terminals and prints nothing.
 */
import { basename } from 'node:path';
import type {
  AllSitesDocument,
  BackupDocument,
  InitDocument,
  LsDocument,
  PointsDocument,
  Problem,
  RestoreDocument,
  StatusDocument,
  UndoDocument,
} from '@salvor/contract';
import type { Config } from '../config.ts';
import { SalvorError } from '../errors.ts';
import { documentOfPoint } from '../points/list-points.ts';
import type { OpenPoint } from '../points/open-point.ts';
import { findUnprotectedLinks } from '../lib/beneath/hard-links.ts';
import { AuditLog } from '../lib/audit-log.ts';
import { isAlive } from '../lib/process-identity.ts';
import { findAdministrator } from '../sites/administrator.ts';
import { policyOfSite } from '../policies/policy-levels.ts';
import type { Account } from '../sites/account.ts';
import { resolveSite } from '../sites/resolve-site.ts';
import { type Site, siteKey } from '../sites/site.ts';
import { openStore } from '../store/open-store.ts';
import { backUpSite, placesOf } from '../tasks/back-up-site.ts';
import type { Journal, JournalSite } from '../tasks/journal.ts';
import { planRestore } from '../tasks/plan-restore.ts';
import { readStoredSite } from '../tasks/read-stored-site.ts';
import { type RestoreWish, readScope } from '../tasks/restore-scope.ts';
import { type RestoreTools, restoreSite } from '../tasks/restore-site.ts';
import { parseTaskId } from '../tasks/task-id.ts';
import type { TaskProgress } from '../tasks/task-run.ts';
import { undoRestore } from '../tasks/undo-restore.ts';
import { planWrite, writePoint } from '../tasks/write-point.ts';
import { expireKept } from './expire-kept.ts';
import { type EnsuredRepositories, type EnsuredRepository, HostPoints } from '../points/host-points.ts';
import type { CopyName } from '../points/repositories.ts';
import { documentOfHost, documentOfSite, readHost } from './host-sites.ts';
import { Journals } from './journals.ts';
import { Locks } from './locks.ts';
import { openPath, readPath } from '../points/read-point.ts';
import { MeasuredRates } from './rates.ts';
import { recoverHost } from './recover.ts';
import { type TaskRoom, runTask } from './run-task.ts';
import { readStatus } from './status.ts';
import { TaskLog } from './task-log.ts';

export type AgentServices = {
  readonly clock: () => Date;
  /** From 0 up to and without 1. */
  readonly random: () => number;
  readonly randomBytes: (count: number) => Uint8Array;
  /** Who asks, for the audit log. */
  readonly who: string;
  /** Each line that a task says. */
  readonly say: (line: string) => void;
};

export type CallOptions = { readonly signal?: AbortSignal };
export type TaskCallOptions = CallOptions & { readonly onProgress?: (progress: TaskProgress) => void };
export type BackupCall = TaskCallOptions & { readonly reason: string | null };
export type RestoreCall = TaskCallOptions &
  RestoreWish & {
    /** An id or its beginning; null for the newest complete point that is not a safety point. */
    readonly point: string | null;
    /** An empty or missing directory to write into instead of the site. */
    readonly to: string | null;
    /** Another site of the account, by URI or ACCOUNT/URI, that gets what the point holds. */
    readonly into: string | null;
    readonly dryRun: boolean;
  };

/**
 * Opens the agent of a host and finishes or undoes what a crash left. Only what could not be is told to the call
 * that meets it: a site whose recovery waits for its database server does not keep others from being backed up.
 */
export async function openAgent(config: Config, services: AgentServices): Promise<Agent> {
  await using opened = new AsyncDisposableStack();
  const store = opened.use(await openStore(config.state));
  const locks = opened.use(new Locks(config.state));
  const room: TaskRoom = {
    ...services,
    state: config.state,
    locks,
    journals: new Journals(config.state),
    log: new TaskLog(store),
    auditLog: new AuditLog(config.state, services),
    administratorOf: (server, home) =>
      findAdministrator({
        homes: [home],
        server,
        optionFile: config.mariadb.defaultsFile ?? undefined,
        defaultSocket: config.mariadb.socket ?? undefined,
      }),
  };
  const points = opened.use(new HostPoints(config, store));
  await recoverHost(room, (account) => points.unlock(account));
  return new Agent(config, room, points, opened.move());
}

export class Agent implements AsyncDisposable {
  readonly #config: Config;
  readonly #room: TaskRoom;
  readonly #points: HostPoints;
  readonly #rates: MeasuredRates;
  readonly #opened: AsyncDisposableStack;

  constructor(config: Config, room: TaskRoom, points: HostPoints, opened: AsyncDisposableStack) {
    this.#config = config;
    this.#room = room;
    this.#points = points;
    this.#rates = new MeasuredRates(config.state);
    this.#opened = opened;
  }

  /** Makes what the host lacks: one local repository and one key per account. What is there stays. */
  async init(options: CallOptions = {}): Promise<Omit<InitDocument, 'config' | 'written'>> {
    const found = await readHost(this.#config, options.signal);
    const names = found.accounts.map(({ name }) => name);
    const ensured = await this.#points.ensure(names, options.signal);
    const madeOf = (name: string, copy: CopyName): EnsuredRepository | null =>
      ensured.repositories.find((made) => made.account === name && made.copy === copy) ?? null;
    const accounts = found.accounts.flatMap(({ name, home }) => {
      const local = madeOf(name, 'local');
      const remote = madeOf(name, 'remote');
      if (local === null) return [];
      const { keyFile } = local;
      return [
        { name, home, repository: placeOfRepository(local), remote: remote && placeOfRepository(remote), keyFile },
      ];
    });
    const problems = [...found.problems, ...ensured.problems, ...findUnprotectedLinks()];
    const recoveryKit = accounts.length === 0 ? null : this.#writeKit(ensured, problems);
    return {
      stateDirectory: this.#config.state,
      recoveryKit,
      accounts,
      sites: found.sites.map(documentOfSite),
      notSites: found.notSites,
      problems,
    };
  }

  /** Everything that the search met: accounts, sites, and what looks like one and is none. */
  async sites(options: CallOptions = {}): Promise<AllSitesDocument> {
    return documentOfHost(await readHost(this.#config, options.signal));
  }

  async backup(name: string, options: BackupCall): Promise<BackupDocument> {
    const site = await this.#findSite(name, options.signal);
    const repository = await this.#points.repositoryOf(site.account.name);
    await expireKept(this.#room, GRACE_HOURS);
    const { task, state, result, problems } = await runTask(
      this.#room,
      { operation: 'backup', site: placeOf(site), of: null, ...this.#taskOptions(options) },
      async (run) => {
        const wanted = { reason: options.reason, safety: false, places: placesOf(site) };
        const tools = { repository, administratorOf: this.#room.administratorOf };
        const backedUp = await backUpSite(site, wanted, tools, run);
        run.note(...backedUp.problems);
        run.record({ point: backedUp.point.manifest.point });
        await this.#points.remember(backedUp.point);
        return backedUp;
      },
    );
    const { point, result: written, tables } = result;
    return {
      task,
      state,
      point: point.manifest.point,
      archive: null,
      files: point.manifest.files?.count ?? 0,
      tables,
      bytesRead: written.bytesRead,
      bytesStored: written.bytesStored,
      problems,
    };
  }

  /** Newest first. Of a site that is gone from the disk too. */
  async points(name: string, options: CallOptions = {}): Promise<PointsDocument> {
    const { account, uri } = await this.#findNamed(name, options.signal);
    return (await this.#points.list(account, uri)).map(documentOfPoint);
  }

  /** With `to` or `dryRun` nothing that anybody has is touched, and there is no task. */
  async restore(name: string, options: RestoreCall): Promise<RestoreDocument> {
    const { account, uri } = await this.#findNamed(name, options.signal);
    const point = await this.#points.openOf(account, uri, options.point);
    const site =
      options.into === null
        ? await this.#findRestorable(account, uri, point, options.signal)
        : await this.#findSite(options.into, options.signal);
    const scope = await readScope(options, point);
    const { signal, onProgress } = this.#taskOptions(options);
    if (options.to !== null) {
      const plan = await planWrite(point, scope, options.to, { account: site.account, rates: this.#rates.read() });
      if (options.dryRun) return withoutTask(plan, []);
      const { to } = options;
      const problems = await this.#room.auditLog.for(null)('write-files', plan.target ?? to, () =>
        writePoint(point, scope, to, site.account, { signal, onProgress }),
      );
      return withoutTask(plan, problems);
    }
    const tools = await this.#restoreTools(site, options.signal);
    if (options.dryRun) {
      const { document } = await planRestore(site, point, scope, { ...tools, signal });
      return withoutTask(document, document.obstacles);
    }
    await expireKept(this.#room, GRACE_HOURS);
    const { task, state, result, problems } = await runTask(
      this.#room,
      { operation: 'restore', site: placeOf(site), of: null, signal, onProgress },
      async (run) => await restoreSite(site, point, scope, tools, run),
    );
    const done = { task, state, ...result, undoneBy: null, problems };
    return result.page === 'broken' && tools.policy.pageFailure === 'rollBack' ? await this.#rollBack(done) : done;
  }

  /** The page of the restored site is broken: what was there comes back by an undo, which keeps what is broken. */
  async #rollBack(done: RestoreDocument): Promise<RestoreDocument> {
    try {
      const undone = await this.undo(done.task ?? '');
      const problems = [...done.problems, ...undone.problems];
      return { ...done, state: 'rolled-back', undoneBy: undone.task, undoUntil: null, problems };
    } catch (error) {
      const message = `what was there could not be switched back: ${error instanceof Error ? error.message : String(error)}`;
      return { ...done, problems: [...done.problems, { code: 'roll-back-failed', message }] };
    }
  }

  /** Switches back what a task has switched. Throws `task-unknown` and `nothing-to-undo` with the reason. */
  async undo(task: string, options: TaskCallOptions = {}): Promise<UndoDocument> {
    const original = await this.#findUndoable(task);
    const key = `${original.site.account}/${original.site.uri}`;
    const tools = {
      administratorOf: this.#room.administratorOf,
      journals: this.#room.journals,
      readSite: () => this.#findSite(key, undefined),
      graceHours: GRACE_HOURS,
      policy: policyOfSite(this.#config.policies, original.site).policy,
      account: await this.#findAccount(original.site.account, options.signal),
    };
    const {
      task: id,
      state,
      result,
      problems,
    } = await runTask(
      this.#room,
      { operation: 'undo', site: original.site, of: original.task, ...this.#taskOptions(options) },
      async (run) => await undoRestore(original, tools, run),
    );
    return { task: id, state, refreshed: result, problems };
  }

  async ls(point: string, path: string, options: CallOptions = {}): Promise<LsDocument> {
    return await readPath(await this.#points.open(point, await this.#accounts(options.signal)), path);
  }

  /** The file's bytes. That it is there is known before the first one is read. */
  async cat(point: string, path: string, options: CallOptions = {}): Promise<AsyncIterable<Uint8Array>> {
    return await openPath(await this.#points.open(point, await this.#accounts(options.signal)), path);
  }

  async status(options: CallOptions = {}): Promise<StatusDocument> {
    return await readStatus(await readHost(this.#config, options.signal), this.#config, this.#points, this.#room.log);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened.disposeAsync();
  }

  /** Without it the repositories are as good as they were: what keeps it from being written is a problem. */
  #writeKit({ repositories }: EnsuredRepositories, problems: Problem[]): string | null {
    try {
      return this.#points.writeKit(repositories, this.#room.clock());
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      problems.push({ code: 'recovery-kit-unwritten', path: this.#config.state, message });
      return null;
    }
  }

  async #findSite(name: string, signal: AbortSignal | undefined): Promise<Site> {
    return resolveSite((await readHost(this.#config, signal)).sites, name);
  }

  /** The site as it is on disk; where it is gone or its settings can't be read, as the point remembers it. */
  async #findRestorable(
    account: string,
    uri: string,
    point: OpenPoint,
    signal: AbortSignal | undefined,
  ): Promise<Site> {
    const found = await readHost(this.#config, signal);
    const live = found.sites.find((site) => site.uri === uri && site.account.name === account);
    if (live !== undefined && live.problems.length === 0) return live;
    const owner = found.accounts.find((candidate) => candidate.name === account);
    if (owner === undefined) throw new SalvorError('site-unknown', { site: `${account}/${uri}`, near: [] });
    const stored = await readStoredSite(point, owner, {
      override: this.#config.sites[`${account}/${uri}`] ?? this.#config.sites[uri],
      defaultSocket: this.#config.mariadb.socket ?? undefined,
    });
    if (live === undefined) return stored;
    // Its own place, and the log-in of the point: the restored settings are what the site will use.
    return stored.problems.length === 0 ? { ...live, databases: stored.databases } : live;
  }

  /** A site on disk, or one that only points remember. */
  async #findNamed(name: string, signal: AbortSignal | undefined): Promise<{ account: string; uri: string }> {
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
      if (remembered === null) throw error;
      return remembered;
    }
  }

  /** The journal of a task that stands: the last one of its site, or one that only undos came after. */
  async #findUndoable(name: string): Promise<Journal> {
    const task = parseTaskId(name);
    const row = task === null ? null : await this.#room.log.read(task);
    const journal = task === null ? null : this.#room.journals.read(task);
    if (journal === null && row === null) throw new SalvorError('task-unknown', { task: name });
    const refuse = (why: string): never => {
      throw new SalvorError('nothing-to-undo', { task: name, why });
    };
    if (journal === null) return refuse(this.#explainGone(row?.operation ?? '', row?.state ?? ''));
    if (journal.phase !== 'kept') return refuse('it has not ended');
    const { account, uri } = journal.site;
    const newer = this.#room.journals
      .list()
      .filter((other) => other.site.account === account && other.site.uri === uri && other.phase === 'kept')
      .filter((other) => other.task > journal.task);
    const inTheWay = newer.find((other) => other.operation !== 'undo' || journal.operation === 'undo');
    return inTheWay === undefined
      ? journal
      : refuse(`task ${inTheWay.task} has switched the site since; undo that one first`);
  }

  #explainGone(operation: string, state: string): string {
    if (operation === 'backup') return 'a backup changes nothing';
    if (state !== 'succeeded' && state !== 'warned') return `it ended ${state} and changed nothing`;
    return 'it was undone already, or what it replaced is not kept any more';
  }

  async #findAccount(name: string, signal: AbortSignal | undefined): Promise<Account | null> {
    const { accounts } = await readHost(this.#config, signal);
    return accounts.find((account) => account.name === name) ?? null;
  }

  async #accounts(signal: AbortSignal | undefined): Promise<readonly string[]> {
    return (await readHost(this.#config, signal)).accounts.map((account) => account.name);
  }

  async #restoreTools(site: Site, signal: AbortSignal | undefined): Promise<RestoreTools> {
    const { sites } = await readHost(this.#config, signal);
    return {
      administratorOf: this.#room.administratorOf,
      journals: this.#room.journals,
      staging: this.#config.staging,
      sites,
      repository: await this.#points.repositoryOf(site.account.name),
      remember: (point) => this.#points.remember(point),
      readSite: () => this.#findSite(siteKey(site), undefined),
      graceHours: GRACE_HOURS,
      rates: this.#rates.read(),
      policy: policyOfSite(this.#config.policies, { account: site.account.name, uri: site.uri }).policy,
      measure: (kind, rate) => this.#rates.add(kind, rate),
      ...this.#readTasks(site),
    };
  }

  /** A task that lives has its site's lock: of this site only those are meant that recovery has given up for now. */
  #readTasks(site: Site): { known: ReadonlySet<string>; unfinished: readonly string[] } {
    const journals = this.#room.journals.list();
    const unfinished = journals.filter(
      ({ phase, process, site: { account, uri } }) =>
        phase !== 'kept' && !isAlive(process) && account === site.account.name && uri === site.uri,
    );
    // What an undo keeps lies where its restore has put it.
    const known = journals.flatMap(({ task, stagings }) => [task, ...stagings.map((path) => basename(path))]);
    return { known: new Set(known), unfinished: unfinished.map(({ task }) => task) };
  }

  #taskOptions(options: TaskCallOptions): { signal: AbortSignal; onProgress: (progress: TaskProgress) => void } {
    return { signal: options.signal ?? new AbortController().signal, onProgress: options.onProgress ?? (() => {}) };
  }
}

/** Of the standard policy: how long what a task switched out can be switched back. */
const GRACE_HOURS = 72;

function placeOfRepository({ url, id, created }: EnsuredRepository): { url: string; id: string; created: boolean } {
  return { url, id, created };
}

function withoutTask(plan: RestoreDocument['plan'], problems: readonly Problem[]): RestoreDocument {
  const state = problems.length === 0 ? 'succeeded' : 'warned';
  return {
    task: null,
    state,
    safetyPoint: null,
    plan,
    refreshed: [],
    changedMeanwhile: null,
    page: null,
    undoneBy: null,
    undoUntil: null,
    problems,
  };
}

function placeOf(site: Site): JournalSite {
  return { account: site.account.name, uri: site.uri, path: site.path, home: site.account.home };
}
