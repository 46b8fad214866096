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
import type {
  AllSitesDocument,
  AvailabilityDocument,
  BackupDeleteDocument,
  BackupDocument,
  BackupPlanDocument,
  DailyDocument,
  ConfirmDocument,
  DeleteDocument,
  DoctorDocument,
  ExportDocument,
  IdentityDocument,
  InitDocument,
  KeysRotateDocument,
  LsDocument,
  PointsDocument,
  PolicyDocument,
  RecoverCopiesDocument,
  RestoreDocument,
  SimulationDocument,
  StatusDocument,
  TaskCancelDocument,
  TasksDocument,
  UndoDocument,
  VerifyDocument,
} from '@salvor/contract';
import type { Config } from '../config.ts';
import { SalvorError } from '../errors.ts';
import { documentOfArchive, documentOfPoint } from '../points/listed-point.ts';
import { type TaskId } from '../tasks/task-id.ts';
import { ArchivePoints } from './archive-points.ts';
import type { HostPoints } from '../points/host-points.ts';
import type { Uptime } from './clock-watch.ts';
import { examineHost } from './doctor/examine-host.ts';
import { HOST_ACCOUNT } from './host-account.ts';
import { type PolicyLevels, policyOfHost } from '../policies/policy-levels.ts';
import { recoverCopies } from './recover-copies.ts';
import { runNights } from './nights.ts';
import { tellForget } from './preview-forget.ts';
import { describePolicy, simulatePolicy } from './policy-documents.ts';
import { documentOfHost, readHost } from './host-sites.ts';
import { initHost } from './init-host.ts';
import { openPath, readPath } from '../points/read-point.ts';
import { Queue } from './queue.ts';
import { type RebuiltCatalogue, rebuildCatalogue } from './rebuild-catalogue.ts';
import { type RotateWanted, rotateHostKeys } from './rotate-keys.ts';
import type { TaskRow } from '../store/tables.ts';
import type { TaskBody, TaskRoom } from './run-task.ts';
import { readStatus } from './status.ts';
import {
  type BackupCall,
  type DeleteCall,
  type CallOptions,
  type ExportCall,
  type PlannedCallOptions,
  type FromCopy,
  type RestoreCall,
  type TaskCallOptions,
  waitOptions,
} from './calls.ts';
import { type AgentServices, openTaskRoom } from './open-task-room.ts';
import { SiteFinder } from './find-site.ts';
import { HostTasks } from './host-tasks.ts';
import { type IdentityCall, IdentityTasks } from './identity-tasks.ts';
import { KeptTasks } from './kept-tasks.ts';
import { type NightsRoom } from './nights.ts';
import { serveRound } from './serve-round.ts';
import { type ImportCall, ImportTasks } from './import-tasks.ts';
import { ServingTasks } from './serving-tasks.ts';
import { PointTasks } from './point-tasks.ts';
import { RestoreTasks } from './restore-tasks.ts';
import { SiteTasks } from './site-tasks.ts';
import { TaskPreviews } from './task-previews.ts';

/**
 * Opens the agent of a host and finishes or undoes what a crash left. Only what could not be is told to the call
 * that meets it: a site whose recovery waits for its database server does not keep others from being backed up.
 */
export async function openAgent(config: Config, services: AgentServices): Promise<Agent> {
  const { room, points, opened } = await openTaskRoom(config, services);
  return new Agent(config, room, points, services.uptime, opened);
}

export class Agent implements AsyncDisposable {
  readonly #config: Config;
  readonly #room: TaskRoom;
  readonly #points: HostPoints;
  readonly #queue: Queue;
  readonly #uptime: () => Uptime;
  readonly #archives: ArchivePoints;
  readonly #sites: SiteFinder;
  readonly #tasks: HostTasks;
  readonly #siteTasks: SiteTasks;
  readonly #previews: TaskPreviews;
  readonly #pointTasks: PointTasks;
  readonly #restores: RestoreTasks;
  readonly #identities: IdentityTasks;
  readonly #imports: ImportTasks;
  readonly #serving: ServingTasks;
  readonly #opened: AsyncDisposableStack;

  constructor(config: Config, room: TaskRoom, points: HostPoints, uptime: () => Uptime, opened: AsyncDisposableStack) {
    const queue = new Queue(room);
    const archives = new ArchivePoints(config, room, points, queue);
    const sites = new SiteFinder(config, points, archives);
    const kept = new KeptTasks(room, points);
    this.#config = config;
    this.#room = room;
    this.#points = points;
    this.#queue = queue;
    this.#uptime = uptime;
    this.#archives = archives;
    this.#sites = sites;
    this.#tasks = new HostTasks(room, queue);
    const siteRoom = { config, room, points, queue, archives, sites, kept };
    this.#siteTasks = new SiteTasks(siteRoom);
    this.#previews = new TaskPreviews(siteRoom, this.#siteTasks);
    this.#pointTasks = new PointTasks(siteRoom);
    this.#restores = new RestoreTasks(siteRoom, this.#siteTasks);
    this.#identities = new IdentityTasks(siteRoom, this.#siteTasks);
    this.#imports = new ImportTasks(siteRoom, this.#siteTasks);
    this.#serving = new ServingTasks(siteRoom);
    this.#opened = opened;
  }

  /** Makes what the host lacks: one local repository and one key per account. What is there stays. */
  async init(options: CallOptions = {}): Promise<Omit<InitDocument, 'config' | 'written'>> {
    return await initHost(this.#config, this.#points, this.#room.clock, options.signal);
  }

  /** Everything that the search met: accounts, sites, and what looks like one and is none. */
  async sites(options: CallOptions = {}): Promise<AllSitesDocument> {
    return documentOfHost(await readHost(this.#config, options.signal));
  }

  async backup(name: string, options: BackupCall): Promise<BackupDocument> {
    return await this.#siteTasks.backup(name, options);
  }

  /** What a backup would take, and what is in its way. Nothing is written, and there is no task. */
  async planBackup(name: string, options: CallOptions = {}): Promise<BackupPlanDocument> {
    return await this.#previews.backup(name, options);
  }

  /** With `to` or `dryRun` nothing that anybody has is touched, and there is no task. */
  async restore(name: string, options: RestoreCall): Promise<RestoreDocument> {
    return await this.#restores.restore(name, options);
  }

  /** Switches back what a task has switched. Throws `task-unknown` and `nothing-to-undo` with the reason. */
  async undo(task: string, options: PlannedCallOptions = {}): Promise<UndoDocument> {
    return await (options.dryRun === true ? this.#previews : this.#siteTasks).undo(task, options);
  }

  /** Ends what a task keeps for `undo`, and its safety point's pin. Throws `task-unknown` and `nothing-to-confirm`. */
  async confirm(task: string, options: PlannedCallOptions = {}): Promise<ConfirmDocument> {
    return await (options.dryRun === true ? this.#previews : this.#siteTasks).confirm(task, options);
  }

  /** Takes a site away, so that `undo` can bring it back. With `dryRun` nothing is touched, and there is no task. */
  async delete(name: string, options: DeleteCall): Promise<DeleteDocument> {
    return await this.#siteTasks.delete(name, options);
  }

  /** Makes a second site of one. With `dryRun` nothing is touched, and there is no task. */
  async clone(name: string, options: IdentityCall): Promise<IdentityDocument> {
    return await this.#identities.clone(name, options);
  }

  /** Makes a new site of an archive. With `dryRun` nothing is touched, and there is no task. */
  async import(call: ImportCall): Promise<IdentityDocument> {
    return await this.#imports.import(call);
  }

  /** Switches a site off or on. One that is so already is left alone, and with `dryRun` nothing is touched: there is no task. */
  async switchSite(
    name: string,
    wanted: 'off' | 'on',
    options: TaskCallOptions & { readonly dryRun: boolean },
  ): Promise<AvailabilityDocument> {
    return await this.#serving.switch(name, wanted, options);
  }

  /** Gives a site another name. With `dryRun` nothing is touched, and there is no task. */
  async rename(name: string, options: IdentityCall): Promise<IdentityDocument> {
    return await this.#identities.rename(name, options);
  }

  /** Moves a site to another platform of its account, also under another name. The same holds of `dryRun`. */
  async migrate(name: string, options: IdentityCall): Promise<IdentityDocument> {
    return await this.#identities.migrate(name, options);
  }

  /** Whether a site works, and keeps private what is: `failed` in the document where it does not. */
  async verify(name: string, options: TaskCallOptions = {}): Promise<VerifyDocument> {
    return await this.#serving.verify(name, options);
  }

  /** Adds a backup that is nobody's: `runQueue` runs it, in this process or another. */
  async enqueueBackup(name: string, reason: string | null, attempts = 3): Promise<TaskId> {
    return await this.#siteTasks.enqueueBackup(name, reason, attempts);
  }

  /** Runs the tasks that are nobody's and may begin, until none is left that may. */
  async runQueue(signal: AbortSignal): Promise<void> {
    const bodyOf = (row: TaskRow): TaskBody<unknown> =>
      this.#siteTasks.bodyOf(row, (wish) => this.#restores.restoringLeft(wish));
    await this.#queue.runReady(bodyOf, { signal, onProgress: () => {} });
  }

  /** Newest first; of one site by URI or ACCOUNT/URI, also of one that is gone. */
  async tasks(wanted: Parameters<HostTasks['list']>[0]): Promise<TasksDocument> {
    return await this.#tasks.list(wanted);
  }

  /** How a task stands and what it said, at once and then what is new, until it has ended. Throws `task-unknown`. */
  watchTask(id: string, signal: AbortSignal): ReturnType<HostTasks['watch']> {
    return this.#tasks.watch(id, signal);
  }

  /** Stops a task and waits until it has ended. Throws `task-unknown`, `task-ended`. */
  async cancelTask(id: string, options: TaskCallOptions = {}): Promise<TaskCancelDocument> {
    return await this.#tasks.cancel(id, options);
  }

  /** Newest first: what the repositories hold, and archives and dumps on the disk. Of a site that is gone from the disk too. */
  async points(name: string, options: CallOptions = {}): Promise<PointsDocument> {
    const { account, uri } = await this.#sites.named(name, options.signal);
    const archives = await this.#archives.list(account, uri, options.signal);
    const { points: all, problems } = await this.#points.listAll(account);
    for (const problem of problems) options.onProblem?.(problem);
    const listed = all.filter(({ row }) => row.uri === uri);
    const held = new Set(listed.map(({ row }) => row.id));
    const documents = [
      ...listed.map((point) => documentOfPoint(point, archives.find(({ id }) => id === point.row.id) ?? null)),
      ...archives.filter(({ id }) => !held.has(id)).map(documentOfArchive),
    ];
    return documents.toSorted((one, other) => (one.time < other.time ? 1 : one.time > other.time ? -1 : 0));
  }

  /** One point as one file that was not there. With `dryRun` nothing is written, and there is no task. */
  async export(name: string, options: ExportCall): Promise<ExportDocument> {
    return await this.#pointTasks.export(name, options);
  }

  /** Removes a point's archives and its snapshot. Throws `point-unknown`, `point-ambiguous`, `point-held`. */
  async deleteBackup(point: string, options: PlannedCallOptions = {}): Promise<BackupDeleteDocument> {
    return await this.#pointTasks.deleteBackup(point, options);
  }

  async ls(point: string, path: string, options: CallOptions & FromCopy = {}): Promise<LsDocument> {
    const source = await this.#archives.open(point, options.from ?? null, waitOptions(options));
    const entries = await source.read((open) => readPath(open, path));
    for (const problem of source.problems) options.onProblem?.(problem);
    return entries;
  }

  /** The file's bytes. That it is there is known before the first one is read. */
  async cat(point: string, path: string, options: CallOptions & FromCopy = {}): Promise<AsyncIterable<Uint8Array>> {
    const source = await this.#archives.open(point, options.from ?? null, waitOptions(options));
    return await openPath(source, path, options.onProblem ?? (() => {}));
  }

  /** The nightly job, now: of all accounts or of one. Throws `account-unknown`. */
  async daily({ account, ...options }: TaskCallOptions & { readonly account: string | null }): Promise<DailyDocument> {
    return await runNights(this.#nights(), { account, ...waitOptions(options) });
  }

  /** One round of whoever serves this host. */
  async serveRound(options: { readonly signal: AbortSignal; readonly onLine: (line: string) => void }): Promise<void> {
    const room = {
      ...this.#nights(),
      sites: this.#sites,
      tasks: this.#siteTasks,
      runQueue: (signal: AbortSignal) => this.runQueue(signal),
    };
    await serveRound(room, options);
  }

  #nights(): NightsRoom {
    const { clock, administratorOf, log, journals } = this.#room;
    return {
      config: this.#config,
      points: this.#points,
      queue: this.#queue,
      log,
      journals,
      clock,
      uptime: this.#uptime,
      administratorOf,
    };
  }

  /** The rules in force for the host, an account or a site, and what begins in the next `nextMs`. */
  async policy(
    of: { readonly account: string | null; readonly site: string | null },
    options: CallOptions & { readonly nextMs: number },
  ): Promise<PolicyDocument> {
    const site = of.site === null ? null : await this.#sites.named(of.site, options.signal);
    const accounts = await this.#sites.accountNames(options.signal);
    const account = site?.account ?? of.account;
    if (account !== null && !accounts.includes(account)) throw new SalvorError('account-unknown', { account });
    const shown = { account, uri: site?.uri ?? null };
    const asked = { now: this.#room.clock(), nextMs: options.nextMs };
    return describePolicy(this.#config, shown, account === null ? accounts : [account], asked);
  }

  /** What an account's policy keeps in the days to come, and what the next night would let go of. */
  async simulatePolicy(account: string, options: CallOptions & { readonly days: number }): Promise<SimulationDocument> {
    if (!(await this.#sites.accountNames(options.signal)).includes(account))
      throw new SalvorError('account-unknown', { account });
    const asked = { now: this.#room.clock(), uptime: this.#uptime(), days: options.days };
    return await simulatePolicy(this.#config, this.#points, account, asked);
  }

  /** Of accounts that keep less than by the rules of before, what the next night lets go of: a line each. */
  async tellForget(before: PolicyLevels): Promise<readonly string[]> {
    const accounts = [...(await this.#sites.accountNames(undefined)), HOST_ACCOUNT];
    const room = { config: this.#config, points: this.#points, now: this.#room.clock(), uptime: this.#uptime() };
    return await tellForget(before, accounts, room);
  }

  /** The catalogue out of repositories and disk, where it was lost. */
  async rebuildCatalogue({ signal = new AbortController().signal }: CallOptions = {}): Promise<RebuiltCatalogue> {
    const options = { made: null, now: this.#room.clock(), signal };
    return await rebuildCatalogue(this.#config, this.#points, await readHost(this.#config, signal), options);
  }

  /** Repositories that are gone, out of the other copy. Throws `account-unknown`, `remote-unnamed`, `site-busy`. */
  async recoverCopies(
    account: string | null,
    { signal = new AbortController().signal, onProgress }: TaskCallOptions = {},
  ): Promise<RecoverCopiesDocument> {
    using _ = this.#room.locks.lockSite({ account: HOST_ACCOUNT, uri: 'recovery' }, 'recover');
    const { workers } = policyOfHost(this.#config.policies);
    const onStep = stepTeller(onProgress);
    return await recoverCopies(this.#config, this.#points, {
      account,
      workers,
      clock: this.#room.clock,
      signal,
      onStep,
    });
  }

  /** New keys of the repositories of one account or all; with `recovery` a new recovery key and kit. Throws `account-unknown`. */
  async rotateKeys(
    wanted: Pick<RotateWanted, 'account' | 'recovery'>,
    { signal, onProgress }: TaskCallOptions = {},
  ): Promise<KeysRotateDocument> {
    const onStep = stepTeller(onProgress);
    return await rotateHostKeys(this.#config, { ...wanted, signal, clock: this.#room.clock, onStep });
  }

  async status(options: CallOptions = {}): Promise<StatusDocument> {
    const found = await readHost(this.#config, options.signal);
    const tasks = await this.#tasks.list({ site: null, states: [], count: MAX_STATUS_TASKS });
    return await readStatus({ ...this.#room, config: this.#config, points: this.#points }, found, tasks);
  }

  /** Whether all is in order with this installation, and what to do where it is not. Changes nothing. */
  async doctor(options: CallOptions = {}): Promise<DoctorDocument> {
    const room = { ...this.#room, config: this.#config, points: this.#points, uptime: this.#uptime };
    return await examineHost(room, await readHost(this.#config, options.signal), options.signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened.disposeAsync();
  }
}

/** Of what is not counted: what it does just now. */
function stepTeller(onProgress: TaskCallOptions['onProgress']): (step: string) => void {
  return (step) => onProgress?.({ step, files: 0, bytes: 0, filesTotal: null, bytesTotal: null, current: '' });
}

/** What fits on a screen; `salvor tasks` lists more. */
const MAX_STATUS_TASKS = 20;
