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
  BackupDeleteDocument,
  BackupDocument,
  DailyDocument,
  ConfirmDocument,
  DeleteDocument,
  ExportDocument,
  InitDocument,
  LsDocument,
  PointsDocument,
  PolicyDocument,
  Problem,
  RestoreDocument,
  SimulationDocument,
  StatusDocument,
  TaskCancelDocument,
  TaskLine,
  TaskState,
  TaskSummary,
  TasksDocument,
  UndoDocument,
} from '@salvor/contract';
import type { Config } from '../config.ts';
import { SalvorError } from '../errors.ts';
import { documentOfArchive, documentOfPoint } from '../points/list-points.ts';
import type { OpenPoint } from '../points/open-point.ts';
import { findUnprotectedLinks } from '../lib/beneath/hard-links.ts';
import { AuditLog } from '../lib/audit-log.ts';
import { isAlive } from '../lib/process-identity.ts';
import { loadavg } from 'node:os';
import { findAdministrator } from '../sites/administrator.ts';
import { policyOfHost, policyOfSite } from '../policies/policy-levels.ts';
import type { Account } from '../sites/account.ts';
import { resolveSite } from '../sites/resolve-site.ts';
import { findBarrier } from '../sites/settings-doubts.ts';
import { tellShared } from '../sites/shared-databases.ts';
import { type Site, siteKey } from '../sites/site.ts';
import type { TaskRow } from '../store/tables.ts';
import { openStore } from '../store/open-store.ts';
import { type ArchiveTools, archivePoint } from '../tasks/archive-point.ts';
import { type BackedUp, backUpSite, placesOf } from '../tasks/back-up-site.ts';
import { deleteBackup } from '../tasks/delete-backup.ts';
import { exportPoint } from '../tasks/export-point.ts';
import { confirmTask } from '../tasks/confirm-task.ts';
import { type DeleteSiteTools, deleteSite } from '../tasks/delete-site.ts';
import { planDelete } from '../tasks/plan-delete.ts';
import type { Journal, JournalSite } from '../tasks/journal.ts';
import { planRestore } from '../tasks/plan-restore.ts';
import { readStoredSite } from '../tasks/read-stored-site.ts';
import { type RestoreWish, readScope } from '../tasks/restore-scope.ts';
import { type RestoreTools, restoreSite } from '../tasks/restore-site.ts';
import { type TaskId, parseTaskId } from '../tasks/task-id.ts';
import type { TaskProgress, TaskRun } from '../tasks/task-run.ts';
import { undoRestore } from '../tasks/undo-restore.ts';
import { planWrite, writePoint } from '../tasks/write-point.ts';
import { ArchivePoints, configuredFor } from './archive-points.ts';
import { expireKept } from './expire-kept.ts';
import { type EnsuredRepositories, type EnsuredRepository, HostPoints } from '../points/host-points.ts';
import type { CopyName } from '../points/repositories.ts';
import type { Uptime } from './clock-watch.ts';
import { findDue } from './due.ts';
import { hostAccount } from './host-account.ts';
import { readHostZone } from '../lib/host-zone.ts';
import { runNights } from './nights.ts';
import { describePolicy, simulatePolicy } from './policy-documents.ts';
import { documentOfHost, documentOfSite, readHost } from './host-sites.ts';
import { Journals } from './journals.ts';
import { Locks } from './locks.ts';
import { openPath, readPath } from '../points/read-point.ts';
import { MeasuredRates } from './rates.ts';
import { recoverHost } from './recover.ts';
import { limitsOf } from './queue-limits.ts';
import { Queue, type WaitOptions } from './queue.ts';
import type { TaskBody, TaskRoom } from './run-task.ts';
import { documentOfTask, problemOfHung } from './task-documents.ts';
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
  /** Time since the boot, which no change of the clock moves. */
  readonly uptime: () => Uptime;
};

export type CallOptions = { readonly signal?: AbortSignal };
export type TaskCallOptions = CallOptions & {
  readonly onProgress?: (progress: TaskProgress) => void;
  /** Wait for a site that is busy, instead of `site-busy` at once. */
  readonly wait?: boolean;
  /** Told what the task waits for. */
  readonly onWait?: (why: string) => void;
};
export type BackupCall = TaskCallOptions & {
  readonly reason: string | null;
  /** How often it is tried again where its error may pass by itself. */
  readonly retries?: number;
};
export type ExportCall = TaskCallOptions & { readonly point: string | null; readonly output: string };
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
  const limits = limitsOf(policyOfHost(config.policies));
  const room: TaskRoom = {
    ...services,
    state: config.state,
    locks,
    journals: new Journals(config.state),
    log: new TaskLog(store, limits),
    limits,
    load: () => loadavg()[0] ?? 0,
    recover: () => recoverHost(room, (account) => points.unlock(account)),
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
  await room.recover();
  return new Agent(config, room, points, services.uptime, opened.move());
}

export class Agent implements AsyncDisposable {
  readonly #config: Config;
  readonly #room: TaskRoom;
  readonly #points: HostPoints;
  readonly #rates: MeasuredRates;
  readonly #queue: Queue;
  readonly #uptime: () => Uptime;
  readonly #archives: ArchivePoints;
  readonly #opened: AsyncDisposableStack;

  constructor(config: Config, room: TaskRoom, points: HostPoints, uptime: () => Uptime, opened: AsyncDisposableStack) {
    this.#config = config;
    this.#room = room;
    this.#points = points;
    this.#rates = new MeasuredRates(config.state);
    this.#queue = new Queue(room);
    this.#uptime = uptime;
    this.#archives = new ArchivePoints(config, room, points, this.#queue);
    this.#opened = opened;
  }

  /** Makes what the host lacks: one local repository and one key per account. What is there stays. */
  async init(options: CallOptions = {}): Promise<Omit<InitDocument, 'config' | 'written'>> {
    const found = await readHost(this.#config, options.signal);
    const names = found.accounts.map(({ name }) => name);
    const ensured = await this.#points.ensure(names, { signal: options.signal });
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
    await expireKept(this.#room, GRACE_HOURS, () => this.#readSites());
    const { reason } = options;
    const { task, state, result, problems } = await this.#queue.perform(
      { operation: 'backup', site: placeOf(site), of: null, wish: { reason }, attempts: (options.retries ?? 0) + 1 },
      this.#waitOptions(options),
      this.#backUp(siteKey(site), reason),
    );
    const { point, result: written, tables, archive } = result;
    return {
      task,
      state,
      point: point.manifest.point,
      archive,
      files: point.manifest.files?.count ?? 0,
      tables,
      bytesRead: written.bytesRead,
      bytesStored: written.bytesStored,
      problems,
    };
  }

  /** The site is looked up again when its turn has come: what it waited for may have changed it. */
  #backUp(key: string, reason: string | null): TaskBody<BackedUp & { readonly archive: BackupDocument['archive'] }> {
    return async (run) => {
      const { sites } = await readHost(this.#config, run.signal);
      const site = resolveSite(sites, key);
      const tools = {
        repository: await this.#points.repositoryOf(site.account.name),
        administratorOf: this.#room.administratorOf,
      };
      const backedUp = await backUpSite(site, { reason, safety: false, places: placesOf(site) }, tools, run);
      run.note(...backedUp.problems);
      run.record({ point: backedUp.point.manifest.point });
      await this.#points.remember(backedUp.point);
      return { ...backedUp, archive: await archivePoint(site, backedUp.point, this.#archiveTools(site, sites), run) };
    };
  }

  /** Newest first: what the repository holds, and archives and dumps on the disk. Of a site that is gone from the disk too. */
  async points(name: string, options: CallOptions = {}): Promise<PointsDocument> {
    const { account, uri } = await this.#findNamed(name, options.signal);
    const archives = await this.#archives.list(account, uri, options.signal);
    const listed = await this.#points.list(account, uri);
    const held = new Set(listed.map(({ row }) => row.id));
    const documents = [
      ...listed.map((point) => documentOfPoint(point, archives.find(({ id }) => id === point.row.id) ?? null)),
      ...archives.filter(({ id }) => !held.has(id)).map(documentOfArchive),
    ];
    return documents.toSorted((one, other) => (one.time < other.time ? 1 : one.time > other.time ? -1 : 0));
  }

  /** With `to` or `dryRun` nothing that anybody has is touched, and there is no task. */
  async restore(name: string, options: RestoreCall): Promise<RestoreDocument> {
    const { account, uri } = await this.#findNamed(name, options.signal);
    const point = await this.#archives.openOf(account, uri, options.point, this.#waitOptions(options));
    const site = await this.#findTarget(account, uri, point, options);
    const scope = await readScope(options, point);
    const { signal, onProgress } = this.#waitOptions(options);
    if (options.to !== null) {
      const plan = await planWrite(point, scope, options.to, { account: site.account, rates: this.#rates.read() });
      if (options.dryRun) return withoutTask(plan, []);
      const { to } = options;
      const problems = await this.#room.auditLog.for(null)('write-files', plan.target ?? to, () =>
        writePoint(point, scope, to, site.account, { signal, onProgress }),
      );
      return withoutTask(plan, problems);
    }
    if (options.dryRun) {
      const tools = await this.#restoreTools(site, options.signal);
      const { document } = await planRestore(site, point, scope, { ...tools, signal });
      return withoutTask(document, document.obstacles);
    }
    await expireKept(this.#room, GRACE_HOURS, () => this.#readSites());
    const { task, state, result, problems } = await this.#queue.perform(
      { operation: 'restore', site: placeOf(site), of: null },
      this.#waitOptions(options),
      async (run) => {
        // Looked up again when its turn has come: what it waited for may have changed the site.
        const now = await this.#findTarget(account, uri, point, options);
        const tools = await this.#restoreTools(now, run.signal);
        const restored = await restoreSite(now, point, scope, tools, run);
        return { ...restored, archive: await this.#archiveSafety(now, restored.safetyPoint, tools.sites, run) };
      },
    );
    const done = { task, state, ...result, undoneBy: null, problems };
    const { policy } = policyOfSite(this.#config.policies, { account: site.account.name, uri: site.uri });
    return result.page === 'broken' && policy.pageFailure === 'rollBack' ? await this.#rollBack(done) : done;
  }

  /** The page of the restored site is broken: what was there comes back by an undo, which keeps what is broken. */
  async #rollBack(done: RestoreDocument): Promise<RestoreDocument> {
    try {
      // Somebody may wait for the site by now: what brings it back goes first.
      const undone = await this.undo(done.task ?? '', { wait: true });
      // A page that was broken before is broken again: said once.
      const said = new Set(done.problems.map(({ message }) => message));
      const problems = [...done.problems, ...undone.problems.filter(({ message }) => !said.has(message))];
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
      graceHours: this.#graceHoursOf(original.site),
      policy: policyOfSite(this.#config.policies, original.site).policy,
      account: await this.#findAccount(original.site.account, options.signal),
    };
    const {
      task: id,
      state,
      result,
      problems,
    } = await this.#queue.perform(
      { operation: 'undo', site: original.site, of: original.task },
      this.#waitOptions(options),
      async (run) => await undoRestore(await this.#findUndoable(task), tools, run),
    );
    return { task: id, state, refreshed: result, problems };
  }

  /**
   * Ends the pin of a task's safety point and drops what the task has replaced: it can't be undone after that.
   * Throws `task-unknown` and `nothing-to-confirm` with the reason.
   */
  async confirm(name: string, options: TaskCallOptions = {}): Promise<ConfirmDocument> {
    const { row, site } = await this.#findConfirmable(name);
    const { task, state, result, problems } = await this.#queue.perform(
      { operation: 'confirm', site, of: parseTaskId(row.id) },
      this.#waitOptions(options),
      async (run) => {
        const { original, point } = await this.#findConfirmable(name);
        const tools = {
          administratorOf: this.#room.administratorOf,
          journals: this.#room.journals,
          graceHours: GRACE_HOURS,
          readSites: () => this.#readSites(),
          unpin: (pinned: string) => this.#points.unpin(row.account, pinned, run.signal),
        };
        const confirmed = await confirmTask({ original, point }, tools, run);
        if (original !== null && confirmed.isDropped) await this.#room.log.setUndoUntil(row.id, null);
        return confirmed;
      },
    );
    return { task, state, ...result, problems };
  }

  /** Takes a site away, so that `undo` can bring it back. With `dryRun` nothing is touched, and there is no task. */
  async delete(name: string, options: TaskCallOptions & { readonly dryRun: boolean }): Promise<DeleteDocument> {
    const site = await this.#findSite(name, options.signal);
    const waiting = this.#waitOptions(options);
    if (options.dryRun) {
      const { document: plan } = await planDelete(site, { ...(await this.#deleteTools(site)), signal: waiting.signal });
      const state = plan.obstacles.length === 0 ? 'succeeded' : 'warned';
      return { task: null, state, safetyPoint: null, archive: null, plan, undoUntil: null, problems: plan.obstacles };
    }
    await expireKept(this.#room, GRACE_HOURS, () => this.#readSites());
    const { task, state, result, problems } = await this.#queue.perform(
      { operation: 'delete', site: placeOf(site), of: null },
      waiting,
      async (run) => {
        const now = await this.#findSite(siteKey(site), run.signal);
        const tools = await this.#deleteTools(now);
        const deleted = await deleteSite(now, tools, run);
        return { ...deleted, archive: await this.#archiveSafety(now, deleted.safetyPoint, tools.sites, run) };
      },
    );
    return { task, state, ...result, problems };
  }

  async #deleteTools(site: Site): Promise<DeleteSiteTools> {
    return {
      administratorOf: this.#room.administratorOf,
      journals: this.#room.journals,
      staging: this.#config.staging,
      sites: await this.#readSites(),
      repository: await this.#points.repositoryOf(site.account.name),
      remember: (point) => this.#points.remember(point),
      graceHours: this.#graceHoursOf({ account: site.account.name, uri: site.uri }),
      unfinished: this.#readTasks(site).unfinished,
    };
  }

  #graceHoursOf(site: { readonly account: string; readonly uri: string }): number {
    return policyOfSite(this.#config.policies, site).policy.graceMs / 3_600_000;
  }

  async #readSites(): Promise<readonly Site[]> {
    return (await readHost(this.#config, undefined)).sites;
  }

  /** Newest first; of one site by URI or ACCOUNT/URI, also of one that is gone. */
  async tasks(wanted: {
    readonly site: string | null;
    readonly states: readonly TaskState[];
    readonly count: number;
  }): Promise<TasksDocument> {
    const slash = wanted.site?.indexOf('/') ?? -1;
    const rows = await this.#room.log.readLast({
      count: wanted.count,
      ...(wanted.site === null ? {} : { uri: wanted.site.slice(slash + 1) }),
      ...(slash < 0 ? {} : { account: wanted.site?.slice(0, slash) ?? '' }),
      ...(wanted.states.length === 0 ? {} : { states: wanted.states }),
    });
    return await Promise.all(rows.map((row) => this.#documentOf(row)));
  }

  /** How a task stands and what it said, at once and then what is new, until it has ended. Throws `task-unknown`. */
  async *watchTask(
    id: string,
    signal: AbortSignal,
  ): AsyncIterable<{ readonly task: TaskSummary; readonly lines: readonly TaskLine[] }> {
    for await (const { row, lines } of this.#queue.watch(id, signal))
      yield { task: await this.#documentOf(row), lines };
  }

  /**
   * Stops a task and waits until it has ended. One whose process is hung can't be told: then it is a problem with what
   * to do, and the task goes on. Throws `task-unknown`, `task-ended`.
   */
  async cancelTask(id: string, options: TaskCallOptions = {}): Promise<TaskCancelDocument> {
    const was = await this.#room.auditLog.for(id)('cancel-task', id, () => this.#queue.cancel(id));
    const { signal } = this.#waitOptions(options);
    if (was === 'running') options.onWait?.(`task ${id} to take back what it has begun`);
    for await (const { task } of this.watchTask(id, signal)) {
      if (task.isHung) return { task: id, was, state: task.state, problems: [problemOfHung(task)] };
      if (task.endedAt === null) continue;
      const isStopped = task.state !== 'succeeded' && task.state !== 'warned';
      const late = {
        code: 'cancelled-late',
        path: id,
        message: `it had passed its last step, and ended ${task.state}`,
      };
      return { task: id, was, state: task.state, problems: isStopped ? [] : [late] };
    }
    throw new SalvorError('task-unknown', { task: id });
  }

  /** Adds a backup that is nobody's: `runQueue` runs it, in this process or another. */
  async enqueueBackup(name: string, reason: string | null, attempts = 3): Promise<TaskId> {
    const site = await this.#findSite(name, undefined);
    return await this.#queue.enqueue({
      operation: 'backup',
      site: placeOf(site),
      of: null,
      wish: { reason },
      attempts,
    });
  }

  /** Runs the tasks that are nobody's and may begin, until none is left that may: a round of whoever serves this host. */
  async runQueue(signal: AbortSignal): Promise<void> {
    await this.#queue.runReady((row) => this.#bodyOf(row), { signal, onProgress: () => {} });
  }

  /** What a task does, from its row alone. */
  #bodyOf(row: TaskRow): TaskBody<unknown> {
    const wish = JSON.parse(row.wish ?? '{}') as { readonly reason?: string | null };
    if (row.operation === 'backup') return this.#backUp(`${row.account}/${row.uri}`, wish.reason ?? null);
    throw new Error(`a ${row.operation} is run by whoever wants it`);
  }

  async #documentOf(row: TaskRow): Promise<TaskSummary> {
    const wait = row.state === 'queued' ? await this.#queue.readWait(row.id) : null;
    const { hungAfterMs } = this.#room.limits;
    return documentOfTask(row, { at: this.#room.clock(), hungAfterMs, waitsFor: wait?.why ?? null });
  }

  /** One point as one file that was not there. Nothing else is touched, and there is no task. */
  async export(name: string, options: ExportCall): Promise<ExportDocument> {
    const { account, uri } = await this.#findNamed(name, options.signal);
    const point = await this.#archives.openOf(account, uri, options.point, this.#waitOptions(options));
    const site = await this.#findRestorable(account, uri, point, options.signal);
    const { signal, onProgress } = this.#waitOptions(options);
    const tools = {
      policy: policyOfSite(this.#config.policies, { account, uri }).policy,
      stored: await readStoredSite(point, site.account, configuredFor(this.#config, account, uri)).catch(() => null),
      clock: this.#room.clock,
      randomBytes: this.#room.randomBytes,
      signal,
      onProgress,
    };
    const written = await this.#room.auditLog.for(null)('write-archive', options.output, () =>
      exportPoint(site, point, options.output, tools),
    );
    const { path, bytes, sha256, problems } = written;
    const state = problems.length === 0 ? 'succeeded' : 'warned';
    return { task: null, state, point: point.manifest.point, archive: { path, bytes, sha256 }, problems };
  }

  /** Removes a point's archives and its snapshot. Throws `point-unknown`, `point-ambiguous`, `point-held`. */
  async deleteBackup(point: string, options: TaskCallOptions = {}): Promise<BackupDeleteDocument> {
    const { site, id } = await this.#archives.findDeletable(point, options.signal);
    const { task, state, result, problems } = await this.#queue.perform(
      { operation: 'backup-delete', site, of: null },
      this.#waitOptions(options),
      async (run) => {
        // Looked up again when its turn has come.
        const { deleted } = await this.#archives.findDeletable(id, run.signal);
        const repository = deleted.snapshot === null ? null : await this.#points.repositoryOf(site.account);
        return await deleteBackup(deleted, repository, run);
      },
    );
    return { task, state, point: id, removed: [...result], problems };
  }

  async ls(point: string, path: string, options: CallOptions = {}): Promise<LsDocument> {
    return await readPath(await this.#archives.open(point, this.#waitOptions(options)), path);
  }

  /** The file's bytes. That it is there is known before the first one is read. */
  async cat(point: string, path: string, options: CallOptions = {}): Promise<AsyncIterable<Uint8Array>> {
    return await openPath(await this.#archives.open(point, this.#waitOptions(options)), path);
  }

  /** The nightly job, now: of all accounts or of one. Throws `account-unknown`. */
  async daily({ account, ...options }: TaskCallOptions & { readonly account: string | null }): Promise<DailyDocument> {
    const { clock } = this.#room;
    return await runNights(
      {
        config: this.#config,
        points: this.#points,
        queue: this.#queue,
        clock,
        uptime: this.#uptime,
        administratorOf: this.#room.administratorOf,
      },
      { account, ...this.#waitOptions(options) },
    );
  }

  /**
   * One round of whoever serves this host: what is due is begun, one account after the other, then the tasks that are
   * nobody's. When the next job is due; null where the policy has none.
   */
  async serveRound(options: {
    readonly signal: AbortSignal;
    readonly onLine: (line: string) => void;
  }): Promise<Date | null> {
    const { signal, onLine } = options;
    const host = hostAccount();
    const accounts = [...(await this.#accounts(signal)), ...(host === null ? [] : [host.name])];
    const { clock, log } = this.#room;
    const rowsOf = (account: string): Promise<readonly TaskRow[]> =>
      log.readLast({ count: MAX_JOBS_LOOKED_AT, account, uri: '' });
    const look = { now: clock(), hostZone: readHostZone(), rowsOf };
    const { due, next } = await findDue(this.#config.policies, accounts, look);
    await expireKept(this.#room, GRACE_HOURS, () => this.#readSites());
    for (const { job, account } of due) {
      // The host's own databases are those of its accounts.
      if (account === host?.name && job === 'databases') continue;
      signal.throwIfAborted();
      onLine(`${account}: ${job} begins`);
      const room = {
        config: this.#config,
        points: this.#points,
        queue: this.#queue,
        clock,
        uptime: this.#uptime,
        administratorOf: this.#room.administratorOf,
      };
      const { accounts: nights } = await runNights(room, {
        account,
        job,
        ...this.#waitOptions({ signal, wait: true }),
      });
      for (const { state, point, problems } of nights) {
        onLine(`${account}: ${job} ${state}${point === null ? '' : `, point ${point}`}`);
        for (const { code, message } of problems) onLine(`${account}: problem ${code}: ${message}`);
      }
    }
    await this.runQueue(signal);
    return next;
  }

  /** The rules in force for the host, an account or a site, and what begins in the next `nextMs`. */
  async policy(
    of: { readonly account: string | null; readonly site: string | null },
    options: CallOptions & { readonly nextMs: number },
  ): Promise<PolicyDocument> {
    const site = of.site === null ? null : await this.#findNamed(of.site, options.signal);
    const accounts = await this.#accounts(options.signal);
    const account = site?.account ?? of.account;
    if (account !== null && !accounts.includes(account)) throw new SalvorError('account-unknown', { account });
    const shown = { account, uri: site?.uri ?? null };
    const asked = { now: this.#room.clock(), nextMs: options.nextMs };
    return describePolicy(this.#config, shown, account === null ? accounts : [account], asked);
  }

  /** What an account's policy keeps in the days to come, and what the next night would let go of. */
  async simulatePolicy(account: string, options: CallOptions & { readonly days: number }): Promise<SimulationDocument> {
    if (!(await this.#accounts(options.signal)).includes(account))
      throw new SalvorError('account-unknown', { account });
    return await simulatePolicy(this.#config, this.#points, account, { now: this.#room.clock(), days: options.days });
  }

  async status(options: CallOptions = {}): Promise<StatusDocument> {
    const found = await readHost(this.#config, options.signal);
    const tasks = await this.tasks({ site: null, states: [], count: MAX_STATUS_TASKS });
    return await readStatus(found, this.#config, this.#points, tasks);
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

  /** What a restore replaces: the point's own site, or the other one that was named. */
  async #findTarget(
    account: string,
    uri: string,
    point: OpenPoint,
    { into, signal }: Pick<RestoreCall, 'into' | 'signal'>,
  ): Promise<Site> {
    return into === null ? await this.#findRestorable(account, uri, point, signal) : await this.#findSite(into, signal);
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
      const told = remembered ?? (await this.#archives.findSite(name, found));
      if (told === null) throw error;
      return told;
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
    if (journal.confirmed !== undefined) return refuse('it was confirmed, and what it replaced is being dropped');
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

  /** A task that has ended and keeps something, or whose safety point is pinned. */
  async #findConfirmable(name: string): Promise<{
    readonly row: TaskRow;
    readonly site: JournalSite;
    readonly original: Journal | null;
    readonly point: string | null;
  }> {
    const id = parseTaskId(name);
    const row = id === null ? null : await this.#room.log.read(id);
    if (id === null || row === null) throw new SalvorError('task-unknown', { task: name });
    const refuse = (why: string): never => {
      throw new SalvorError('nothing-to-confirm', { task: name, why });
    };
    if (row.ended === null) return refuse('it has not ended');
    const original = this.#room.journals.read(id);
    if (original !== null && original.phase !== 'kept') return refuse('what it left is not finished or undone yet');
    const isPinned = row.point !== null && (await this.#points.isPinned(row.point));
    if (!isPinned && original === null) return refuse('it keeps nothing, and no point of it is pinned');
    const site = original?.site ?? { account: row.account, uri: row.uri, path: row.path ?? '', home: row.home ?? '' };
    return { row, site, original, point: isPinned ? row.point : null };
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
      graceHours: this.#graceHoursOf({ account: site.account.name, uri: site.uri }),
      rates: this.#rates.read(),
      policy: policyOfSite(this.#config.policies, { account: site.account.name, uri: site.uri }).policy,
      measure: (kind, rate) => this.#rates.add(kind, rate),
      ...this.#readTasks(site),
    };
  }

  #archiveTools(site: Site, sites: readonly Site[]): ArchiveTools {
    return {
      policy: policyOfSite(this.#config.policies, { account: site.account.name, uri: site.uri }).policy,
      sites,
      remember: (account, path, written) => this.#points.rememberArchive(account, path, written),
    };
  }

  /** Of what a task replaced, as it was at the switch; the site need not wait for it. */
  async #archiveSafety(
    site: Site,
    point: string | null,
    sites: readonly Site[],
    run: TaskRun,
  ): Promise<RestoreDocument['archive']> {
    if (point === null) return null;
    const safety = await this.#points.openOf(site.account.name, site.uri, point);
    return await archivePoint(site, safety, this.#archiveTools(site, sites), run);
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

  #waitOptions(options: TaskCallOptions): WaitOptions {
    return {
      signal: options.signal ?? new AbortController().signal,
      onProgress: options.onProgress ?? (() => {}),
      wait: options.wait ?? false,
      onWait: options.onWait ?? (() => {}),
    };
  }
}

/** What fits on a screen; `salvor tasks` lists more. */
const MAX_STATUS_TASKS = 20;

/** A job each hour, three tries of each, for a day. */
const MAX_JOBS_LOOKED_AT = 100;

/** What journals were kept for that don't say it: of before it was a setting. */
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
    archive: null,
    undoUntil: null,
    problems,
  };
}

function placeOf(site: Site): JournalSite {
  return { account: site.account.name, uri: site.uri, path: site.path, home: site.account.home };
}
