/**
 * One night of one account: its point in all copies, what earlier nights left behind, the third copy, then what the policy
 * keeps no longer, and a share of all data read again. Whatever fails behind the point is a problem of the night and keeps
 * nothing else from being done; the point stands.
 *
 *   back up (both copies) → remember → catch up → third copy → let go → check → list what is there
 */
import type { DailyCopy, Problem } from '@salvor/contract';
import { type Repository, type Snapshot, check, copy, findSnapshot } from '@salvor/engine';
import type { CopyName } from '../points/repositories.ts';
import { type CheckedShares, nextShare } from '../points/checked-shares.ts';
import { expireThirdCopies, writeThirdCopy } from '../points/third-copy.ts';
import { unlivedSince as unlivedOf } from '../policies/lived-time.ts';
import type { StepName } from '../policies/task-steps.ts';
import { type AccountBackupWanted, type BackedUpAccount, backUpAccount } from './back-up-account.ts';
import { type NightClock, letGo } from './let-go.ts';
import type { TaskRun } from './task-run.ts';
import { codeOf } from '../lib/errno.ts';

export type NightWanted = Omit<AccountBackupWanted, 'repositories'> & {
  /** In the order in which they are read from; one that could not be opened says why. */
  readonly copies: readonly NightCopy[];
  /** Where the third copies lie; null where none is kept. */
  readonly thirdCopy: string | null;
  /** `YYYY-MM-DD` in the policy's zone. */
  readonly day: string;
  readonly clock: NightClock;
};

export type NightCopy = { readonly name: CopyName } & (
  | { readonly repository: Repository; readonly made: () => Promise<ReadonlyMap<string, boolean>> }
  | { readonly repository: null; readonly problem: Problem }
);

export type NightTools = {
  /** Keeps what was made and read back in a copy, or brought over from one. */
  readonly remember: (
    copy: CopyName,
    made: readonly { readonly snapshot: Snapshot; readonly isComplete: boolean }[],
  ) => Promise<void>;
  /** Points that nothing may remove, by id or tag. */
  readonly held: () => Promise<ReadonlySet<string>>;
  readonly forget: (snapshots: readonly string[]) => Promise<void>;
  /** Which share of a copy's data was read last: it is the turn of the next one. */
  readonly shares: CheckedShares;
  /** Brings what is known of a copy up to date. */
  readonly list: (copy: CopyName) => Promise<void>;
};

export type NightDone = {
  readonly point: BackedUpAccount;
  readonly copies: readonly DailyCopy[];
  readonly thirdCopy: number;
};

type OpenNightCopy = Extract<NightCopy, { made: unknown }>;

/** Throws what kept the point from being made in any copy. */
export async function nightOfAccount(wanted: NightWanted, tools: NightTools, run: TaskRun): Promise<NightDone> {
  return await new Night(wanted, tools, run).run();
}

class Night {
  readonly #wanted: NightWanted;
  readonly #tools: NightTools;
  readonly #run: TaskRun;
  readonly #open: readonly OpenNightCopy[];
  readonly #copies = new Map<CopyName, DailyCopy>();

  constructor(wanted: NightWanted, tools: NightTools, run: TaskRun) {
    this.#wanted = wanted;
    this.#tools = tools;
    this.#run = run;
    this.#open = wanted.copies.filter((each): each is OpenNightCopy => each.repository !== null);
  }

  async run(): Promise<NightDone> {
    for (const each of this.#wanted.copies) if (each.repository === null) this.#run.note(each.problem);
    const repositories = this.#open.map(({ repository }) => repository);
    const point = await backUpAccount({ ...this.#wanted, repositories }, this.#run);
    await this.#remember(point);
    // What was left behind, and what is old, is the night's business.
    if (this.#wanted.holds === 'databases') return { point, copies: [...this.#copies.values()], thirdCopy: 0 };
    const [first, ...others] = this.#open;
    for (const other of others)
      if (first !== undefined) await this.#attempt('catch up', other.name, () => this.#catchUp(first, other));
    const thirdCopy = (await this.#attempt('third copy', null, () => thirdCopyOf(this.#wanted, point, this.#run))) ?? 0;
    for (const each of this.#open) {
      await this.#attempt('let go of what is old', each.name, () => this.#letGo(each));
      await this.#attempt('check', each.name, () => this.#check(each));
      await this.#list(each);
    }
    return { point, copies: [...this.#copies.values()], thirdCopy };
  }

  async #remember(point: BackedUpAccount): Promise<void> {
    for (const each of this.#wanted.copies) this.#copies.set(each.name, emptyCopy(each, point));
    for (const { name, repository } of this.#open) {
      const made = point.snapshots.get(repository);
      const snapshots = [made?.files ?? null, made?.databases ?? null].filter((snapshot) => snapshot !== null);
      await this.#tools.remember(
        name,
        snapshots.map((snapshot) => ({ snapshot, isComplete: point.isComplete })),
      );
    }
    for (const { repository, state, error } of point.copies) {
      if (state === 'complete') continue;
      const name = this.#open.find((each) => each.repository === repository)?.name ?? 'remote';
      const message = `the ${name} copy is behind: ${error?.message ?? 'it was too slow'}`;
      this.#run.note({ code: error?.code ?? 'copy-behind', path: repository.location, message });
    }
  }

  /** What earlier nights and tasks have put into the first copy alone. */
  async #catchUp(first: OpenNightCopy, other: OpenNightCopy): Promise<void> {
    const { copied } = await copy({
      from: first.repository,
      to: other.repository,
      wanted: ({ tags }) => tags.includes('salvor'),
      signal: this.#run.signal,
    });
    const made = await first.made();
    const there = await Promise.all(
      copied
        .filter(({ from }) => made.has(from))
        .map(async ({ from, to }) => ({
          snapshot: await findSnapshot(other.repository, to),
          isComplete: made.get(from) === true,
        })),
    );
    await this.#tools.remember(other.name, there);
    this.#set(other.name, { caughtUp: copied.length, state: 'complete', why: null });
  }

  async #letGo({ name, repository, made }: OpenNightCopy): Promise<void> {
    const { account, policy, clock } = this.#wanted;
    const rules = {
      account: account.name,
      policy,
      waitMs: name === 'remote' ? policy.remoteDeletesWaitMs : 0,
      clock,
      made: await made(),
      held: await this.#tools.held(),
    };
    const gone = await letGo({ ...rules, repository }, this.#run);
    this.#run.note(...gone.problems);
    await this.#tools.forget(gone.forgotten);
    this.#set(name, { forgotten: gone.forgotten.length, bytesFreed: Math.max(0, gone.bytesFreed) });
  }

  async #check({ name, repository }: OpenNightCopy): Promise<void> {
    const { account, policy } = this.#wanted;
    const { shares } = this.#tools;
    const readData = nextShare(policy.checkAllMs, shares.lastOf(account.name, name));
    const checked = await check(repository, { readData, workers: policy.workers, signal: this.#run.signal });
    for (const { code, message, path } of checked.errors)
      this.#run.note({ code, path: path ?? repository.location, message: `${name}: ${message}` });
    this.#set(name, { bytesChecked: checked.bytesRead });
    shares.remember(account.name, name, readData.part);
  }

  #set(name: CopyName, change: Partial<DailyCopy>): void {
    const before = this.#copies.get(name);
    if (before !== undefined) this.#copies.set(name, { ...before, ...change });
  }

  /** No step of its own: what is in the copies now is what whoever looks at points is told until the next night. */
  async #list({ name }: OpenNightCopy): Promise<void> {
    try {
      await this.#tools.list(name);
    } catch (error) {
      this.#noteFailure(`list (${name})`, error);
    }
  }

  /** What fails here is named, and the next step begins; a night that is cancelled ends. */
  async #attempt<T>(name: StepName, of: string | null, body: () => Promise<T>): Promise<T | null> {
    try {
      return await this.#run.step(name, body, of);
    } catch (error) {
      this.#noteFailure(of === null ? name : `${name} (${of})`, error);
      return null;
    }
  }

  #noteFailure(what: string, error: unknown): void {
    if (this.#run.signal.aborted) throw error;
    const code = codeOf(error) ?? 'night-failed';
    this.#run.note({ code, message: `${what}: ${error instanceof Error ? error.message : String(error)}` });
  }
}

async function thirdCopyOf(wanted: NightWanted, point: BackedUpAccount, run: TaskRun): Promise<number> {
  const [from] = [...point.snapshots];
  if (wanted.thirdCopy === null || from === undefined) return 0;
  const [repository, snapshots] = from;
  const place = { directory: wanted.thirdCopy, account: wanted.account.name };
  const { files } = await writeThirdCopy(repository, snapshots, { ...place, day: wanted.day, signal: run.signal });
  const { clock, policy, day } = wanted;
  if (clock.isTrusted) {
    const unlivedSince = (time: Date): number => unlivedOf(clock, time, run.clock());
    const { problems } = expireThirdCopies(place, { day, keepMs: policy.keepThirdCopyMs, unlivedSince });
    run.note(...problems);
  }
  return files.length;
}

function emptyCopy(each: NightCopy, point: BackedUpAccount): DailyCopy {
  const state = each.repository === null ? null : point.copies.find(({ repository }) => repository === each.repository);
  const isComplete = state?.state === 'complete';
  const why = each.repository === null ? each.problem.message : (state?.error?.message ?? null);
  return {
    copy: each.name,
    state: isComplete ? 'complete' : 'behind',
    why: isComplete ? null : why,
    caughtUp: 0,
    forgotten: 0,
    bytesFreed: 0,
    bytesChecked: 0,
  };
}
