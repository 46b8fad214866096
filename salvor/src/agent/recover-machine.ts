/**
 * Brings a lost host back on another machine, out of its recovery kit and one place that holds its repositories:
 *
 *   plan → is there room? → configuration and keys → each account: its night into the local repository → users, homes
 *   → users of the database servers → databases of each site → all other points → catalogue → a new kit
 *
 * Nothing in a repository is removed, and nothing on this machine is written over. Each step finds out what an earlier run did,
 * so that one that was killed is called again and goes on. (What a crash of single tasks leaves is `recover.ts`.)
 */
import type { AdoptedPlaces } from '../write-config.ts';
import {
  existsSync,
  copyFileSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Problem, RecoverDocument } from '@salvor/contract';
import type { Config } from '../config.ts';
import { SalvorError } from '../errors.ts';
import { makeDirectories } from '../lib/make-directories.ts';
import { writeDurably } from '../lib/write-durably.ts';
import { adoptRepository } from '../points/adopt-repository.ts';
import type { HostPoints } from '../points/host-points.ts';
import { defaultPlace, writeLogin } from '../points/kit-places.ts';
import type { RecoveryKit } from '../points/recovery-kit.ts';
import { recoveryKeyFileOf } from '../points/recovery-key.ts';
import { type CopyName, copiesOf, hasRepository, listMade, repositoryUrlOf } from '../points/repositories.ts';
import { writeRecoveryKit } from '../points/write-recovery-kit.ts';
import { policyOfHost } from '../policies/policy-levels.ts';
import { bringOver } from '../tasks/bring-over.ts';
import type { TaskProgress } from '../tasks/task-run.ts';
import { HOST_ACCOUNT } from './host-account.ts';
import { readHost } from './host-sites.ts';
import { KeptTasks } from './kept-tasks.ts';
import { type AgentServices, openTaskRoom } from './open-task-room.ts';
import { type PlannedAccount, type RecoveryPlan, type RecoveryScope, planRecovery } from './plan-recovery.ts';
import { Queue } from './queue.ts';
import { rebuildCatalogue } from './rebuild-catalogue.ts';
import { AccountRecovery, asProblem } from './recover-account.ts';
import { recoverDatabaseUsers, restoreHostFiles } from './recover-host-parts.ts';
import { RecoveryJournalFile } from './recovery-journal.ts';
import { findTightDisks, requireSpace } from './recovery-space.ts';
import type { TaskRoom } from './run-task.ts';

export type RecoverWanted = RecoveryScope & {
  readonly kit: RecoveryKit;
  /** Null for the remote place where the kit names one. */
  readonly from: CopyName | null;
  /** Configuration, keys and catalogue alone. */
  readonly only: 'configuration' | null;
  readonly dryRun: boolean;
};

export type RecoverTools = AgentServices & {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: TaskProgress) => void;
  /**
   * The configuration that is there, else `saved` with what this machine lacks changed, else one made of the change; written
   * where `change` is given.
   */
  readonly configure: (saved: string | null, change: AdoptedPlaces | null) => { config: Config; written: boolean };
};

/**
 * Throws `recovery-key-refused`, `machine-in-use`, `account-unknown`, `site-unknown`, `site-busy`, `recovery-space-missing`: then
 * nothing was changed.
 */
export async function recoverMachine(wanted: RecoverWanted, tools: RecoverTools): Promise<RecoverDocument> {
  await using opened = new AsyncDisposableStack();
  sweepKilled();
  const directory = mkdtempSync(join(tmpdir(), `salvor-recovery-${process.pid}-`));
  opened.defer(() => rmSync(directory, { recursive: true, force: true }));
  const from = wanted.from ?? defaultPlace(wanted.kit);
  const plan = await planRecovery({
    ...wanted,
    from,
    directory,
    journal: (record) => {
      const { state } = tools.configure(record?.configuration ?? null, null).config;
      requireFree(state, wanted.kit);
      return new RecoveryJournalFile(state);
    },
    now: tools.clock(),
    signal: tools.signal,
  });
  const saved = plan.record?.configuration ?? null;
  const intended = tools.configure(saved, null);
  const { config } = intended;
  const tight = wanted.only === null ? await findTightDisks(config, plan.accounts, tools.signal) : [];
  if (wanted.dryRun) return documentOf(wanted, { ...plan, problems: [...plan.problems, ...tight] }, intended);
  requireSpace(tight);
  const remote = wanted.kit.places.find(({ copy }) => copy === 'remote');
  const login = remote === undefined ? null : writeLogin(remote.login, join(config.state, 'remote-login'));
  const configured = tools.configure(saved, {
    homes: plan.accounts.flatMap(({ night }) => night.manifest.homes),
    local: wanted.kit.places.find(({ copy }) => copy === 'local')?.url ?? null,
    remote: remote === undefined || login === null ? null : { url: remote.url, ...login },
  });
  return await new MachineRecovery(wanted, plan, configured, tools).run();
}

/** What recoveries that were killed have left: the kit's log-in is in it. */
function sweepKilled(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = /^salvor-recovery-(\d+)-/.exec(name)?.[1];
    const path = join(tmpdir(), name);
    const isOurs = lstatSync(path, { throwIfNoEntry: false })?.uid === process.getuid?.();
    if (pid !== undefined && isOurs && !existsSync(`/proc/${pid}`)) rmSync(path, { recursive: true, force: true });
  }
}

/** A state with another recovery key is another host's, which lives. */
function requireFree(state: string, { recoveryKey }: RecoveryKit): void {
  const file = recoveryKeyFileOf(state);
  if (existsSync(file) && readFileSync(file, 'utf8').trim() !== recoveryKey)
    throw new SalvorError('machine-in-use', { file });
}

class MachineRecovery {
  readonly #wanted: RecoverWanted;
  readonly #plan: RecoveryPlan;
  readonly #config: Config;
  readonly #written: boolean;
  readonly #tools: RecoverTools;
  readonly #problems: Problem[];

  constructor(
    wanted: RecoverWanted,
    plan: RecoveryPlan,
    { config, written }: { readonly config: Config; readonly written: boolean },
    tools: RecoverTools,
  ) {
    this.#wanted = wanted;
    this.#plan = plan;
    this.#config = config;
    this.#written = written;
    this.#tools = tools;
    this.#problems = [...plan.problems];
  }

  async run(): Promise<RecoverDocument> {
    this.#tell('configuration and keys');
    this.#placeState();
    await using resources = new AsyncDisposableStack();
    const { room: ordinary, points, opened } = await openTaskRoom(this.#config, this.#tools);
    resources.use(opened);
    // What the hooks call may not be there yet.
    const room: TaskRoom = { ...ordinary, hooksOf: () => null };
    resources.use(room.locks.lockSite({ account: HOST_ACCOUNT, uri: 'recovery' }, 'recover'));
    const accounts = this.#wanted.only === 'configuration' ? [] : this.#plan.accounts;
    for (const name of [HOST_ACCOUNT, ...this.#plan.names]) await this.#adopt(name, points);
    const recoveries = await this.#restore(accounts, room, points);
    await this.#bringRest(points);
    this.#tell('files of the host');
    const hostFiles =
      this.#plan.record === null
        ? null
        : await this.#attempt('host files', () => restoreHostFiles(this.#config, points));
    return {
      ...documentOf(this.#wanted, this.#plan, { config: this.#config, written: this.#written }),
      ...(await this.#finish(points)),
      hostFiles,
      databaseUsers: recoveries.users,
      ...(accounts.length === 0 ? {} : { accounts: recoveries.done.map((each) => each.document()) }),
      ...outcomeOf(recoveries.done, this.#problems),
    };
  }

  /** The recovery key, and the list of tasks and of what was made, as the lost agent had it. */
  #placeState(): void {
    const { state } = this.#config;
    makeDirectories(state, 0o700);
    const file = recoveryKeyFileOf(state);
    makeDirectories(dirname(file), 0o700);
    if (!existsSync(file)) writeDurably(file, `${this.#wanted.kit.recoveryKey}\n`, 0o600);
    const store = join(state, 'salvor.sqlite');
    const saved = this.#plan.record?.store ?? null;
    if (saved === null || existsSync(store)) return;
    copyFileSync(saved, `${store}.new`);
    renameSync(`${store}.new`, store);
  }

  /** Keys of this machine in both copies; a local repository is made where there is none, cut like the other. */
  async #adopt(account: string, points: HostPoints): Promise<void> {
    const { recoveryKey } = this.#wanted.kit;
    const { signal } = this.#tools;
    this.#tell(`keys of ${account}`);
    const isLocalThere = hasRepository(this.#config, account);
    for (const copy of copiesOf(this.#config).toReversed()) {
      if (copy === 'local' && !isLocalThere) continue;
      const url = repositoryUrlOf(this.#config, account, copy);
      await this.#attempt(url, () => adoptRepository(this.#config, account, copy, { recoveryKey, signal }));
    }
    if (!isLocalThere && copiesOf(this.#config).includes('remote'))
      await this.#attempt(account, () => points.repositories.makeLike(account, 'local'));
  }

  async #restore(
    accounts: readonly PlannedAccount[],
    room: TaskRoom,
    points: HostPoints,
  ): Promise<{ readonly done: readonly AccountRecovery[]; readonly users: readonly string[] }> {
    const { signal, onProgress } = this.#tools;
    const config = this.#config;
    const journal = new RecoveryJournalFile(config.state);
    const queue = new Queue(room);
    const kept = new KeptTasks(room, points);
    const shared = { config, room, points, queue, kept, journal, signal, onProgress };
    const recoveries = accounts.map((account) => new AccountRecovery(account, shared));
    for (const [index, { name, night }] of accounts.entries()) {
      signal.throwIfAborted();
      if (this.#plan.from === 'remote')
        await this.#attempt(name, () => this.#bring(name, points, ({ tags }) => tags.includes(`point:${night.point}`)));
      await recoveries[index]?.restoreFiles();
    }
    if (accounts.length === 0) return { done: [], users: [] };
    const { sites } = await readHost(config, signal);
    this.#tell('users of the database servers');
    const users = await recoverDatabaseUsers(
      { config, sites, accounts, record: this.#plan.record, isAll: this.#isAll() },
      { administratorOf: room.administratorOf, signal, onProblem: (problem) => this.#problems.push(problem) },
    );
    for (const recovery of recoveries) {
      this.#tell(`databases of ${recovery.name}`);
      await recovery.restoreDatabases(sites);
    }
    await users.finish();
    return { done: recoveries, users: users.made };
  }

  #isAll(): boolean {
    return this.#wanted.account === null && this.#wanted.site === null;
  }

  /** What is older than the night: the sites are there by now. */
  async #bringRest(points: HostPoints): Promise<void> {
    for (const name of [HOST_ACCOUNT, ...this.#plan.names]) {
      if (this.#plan.from === 'remote') await this.#attempt(name, () => this.#bring(name, points, () => true));
    }
  }

  async #bring(
    account: string,
    points: HostPoints,
    isWanted: Parameters<typeof bringOver>[2]['isWanted'],
  ): Promise<void> {
    const from = await points.repositories.open(account, 'remote');
    const to = await points.repositories.open(account, 'local');
    const { workers } = policyOfHost(this.#config.policies);
    await bringOver(from, to, {
      isWanted,
      workers,
      signal: this.#tools.signal,
      onProgress: (blobs) => this.#tell(`points of ${account}: ${blobs} pieces`),
    });
  }

  /** Catalogue and kit. */
  async #finish(points: HostPoints): Promise<Pick<RecoverDocument, 'points'>> {
    const { clock, signal } = this.#tools;
    this.#tell('catalogue');
    const made = this.#plan.record?.made ?? new Set<string>();
    const known = { made: made.size === 0 ? null : made, now: clock(), signal };
    const rebuilt = await rebuildCatalogue(this.#config, points, await readHost(this.#config, signal), known);
    this.#problems.push(...rebuilt.problems);
    const repositories = copiesOf(this.#config).flatMap((copy) => listMade(this.#config, copy));
    this.#tell('recovery kit');
    const kit = { host: hostname(), date: clock(), recoveryKey: this.#wanted.kit.recoveryKey, repositories };
    await this.#attempt(this.#config.state, async () => writeRecoveryKit(this.#config, kit));
    return { points: rebuilt.points };
  }

  /** What fails here is named, and the next step begins; a recovery that is stopped ends. */
  async #attempt<T>(path: string, work: () => Promise<T>): Promise<T | null> {
    try {
      return await work();
    } catch (error) {
      this.#tools.signal.throwIfAborted();
      const problem = asProblem(error, path);
      // A place that does not answer is told once, not for each step.
      if (!this.#problems.some(({ code, path: at }) => code === problem.code && at === path))
        this.#problems.push(problem);
      return null;
    }
  }

  #tell(step: string): void {
    this.#tools.onProgress({ step, files: 0, bytes: 0, filesTotal: null, bytesTotal: null, current: '' });
  }
}

function documentOf(
  wanted: RecoverWanted,
  plan: RecoveryPlan,
  { config, written }: { readonly config: Config; readonly written: boolean },
): RecoverDocument {
  const accounts = plan.accounts.map(
    ({ name, night, users, homes, sites, heldInPart }): RecoverDocument['accounts'][number] => ({
      account: name,
      state: 'planned',
      point: night.point,
      time: night.time,
      users: users.users.map((user) => user.name),
      homes,
      files: 0,
      bytes: 0,
      sites: sites.map(({ uri, databases }) => ({
        uri,
        state: 'planned',
        databases: Object.keys(databases),
        tables: 0,
        problems: [heldInPart.get(uri)].filter((problem) => problem !== undefined),
      })),
      problems: [
        ...users.obstacles,
        ...homes
          .filter(({ state }) => state === 'taken')
          .map(({ path }) => asProblem(new SalvorError('place-taken', { path }), path)),
      ],
    }),
  );
  const hasProblems = ({ problems }: { readonly problems: readonly Problem[] }): boolean => problems.length > 0;
  const isHindered = hasProblems(plan) || accounts.some((each) => hasProblems(each) || each.sites.some(hasProblems));
  return {
    state: isHindered ? 'warned' : 'succeeded',
    dryRun: wanted.dryRun,
    host: wanted.kit.host,
    from: plan.from,
    config: config.file,
    written,
    recorded: plan.record?.time ?? null,
    hostFiles: null,
    databaseUsers: [],
    accounts,
    points: 0,
    problems: [...plan.problems],
  };
}

/** Failed where nothing of what was asked for is there. */
function outcomeOf(
  done: readonly AccountRecovery[],
  problems: readonly Problem[],
): Pick<RecoverDocument, 'state' | 'problems'> {
  const states = done.map((each) => each.document().state);
  const isFailed = states.length > 0 && states.every((state) => state === 'failed');
  const isWarned = problems.length > 0 || states.some((state) => state !== 'succeeded');
  return { state: isFailed ? 'failed' : isWarned ? 'warned' : 'succeeded', problems: [...problems] };
}
