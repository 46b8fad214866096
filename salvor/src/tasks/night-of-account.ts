/**
 * One night of one account: its point in all copies, what earlier nights left behind, the third copy, then what the policy
 * keeps no longer, and a share of all data read again. Whatever fails behind the point is a problem of the night and keeps
 * nothing else from being done; the point stands.
 *
 *   back up (both copies) → remember → catch up → third copy → let go → check
 */
import type { DailyCopy, Problem } from '@salvor/contract';
import { type Repository, check, copy } from '@salvor/engine';
import type { AccountSnapshots } from '../points/account-point.ts';
import type { CopyName } from '../points/repositories.ts';
import { expireThirdCopies, writeThirdCopy } from '../points/third-copy.ts';
import type { Policy } from '../policies/settings.ts';
import { type AccountBackupWanted, type BackedUpAccount, backUpAccount } from './back-up-account.ts';
import { letGo } from './let-go.ts';
import type { TaskRun } from './task-run.ts';

export type NightWanted = Omit<AccountBackupWanted, 'repositories'> & {
  /** In the order in which they are read from; one that could not be opened says why. */
  readonly copies: readonly NightCopy[];
  /** Where the third copies lie; null where none is kept. */
  readonly thirdCopy: string | null;
  /** `YYYY-MM-DD` in the policy's zone. */
  readonly day: string;
  /** Since 1970: which share of the data it is the turn of. */
  readonly dayNumber: number;
  readonly isClockTrusted: boolean;
};

export type NightCopy = { readonly name: CopyName } & (
  | { readonly repository: Repository; readonly made: () => Promise<ReadonlyMap<string, boolean>> }
  | { readonly repository: null; readonly problem: Problem }
);

export type NightTools = {
  /** Keeps what was made and read back in a copy. */
  readonly remember: (copy: CopyName, snapshots: AccountSnapshots, isComplete: boolean) => Promise<void>;
  readonly pinned: () => Promise<ReadonlySet<string>>;
  readonly forget: (snapshots: readonly string[]) => Promise<void>;
};

export type NightDone = {
  readonly point: BackedUpAccount;
  readonly copies: readonly DailyCopy[];
  readonly thirdCopy: number;
};

type OpenNightCopy = Extract<NightCopy, { made: unknown }>;

/** Throws what kept the point from being made in any copy. */
export async function nightOfAccount(wanted: NightWanted, tools: NightTools, run: TaskRun): Promise<NightDone> {
  const open = wanted.copies.filter((each): each is OpenNightCopy => each.repository !== null);
  for (const each of wanted.copies) if (each.repository === null) run.note(each.problem);
  const repositories = open.map(({ repository }) => repository);
  const point = await backUpAccount({ ...wanted, repositories }, run);
  const isComplete = run.problems.length === 0;
  const copies = new Map(wanted.copies.map((each) => [each.name, emptyCopy(each, point)]));
  const set = (name: CopyName, change: Partial<DailyCopy>): void => {
    copies.set(name, { ...(copies.get(name) as DailyCopy), ...change });
  };
  for (const { name, repository } of open) {
    const made = point.snapshots.get(repository);
    if (made !== undefined) await tools.remember(name, made, isComplete);
  }
  for (const state of point.copies) {
    if (state.state === 'complete') continue;
    const name = open.find(({ repository }) => repository === state.repository)?.name ?? 'remote';
    run.note({
      code: state.error?.code ?? 'copy-behind',
      path: state.repository.location,
      message: `the ${name} copy is behind: ${state.error?.message ?? 'it was too slow'}`,
    });
  }
  const attempt = async <T>(name: string, body: () => Promise<T>): Promise<T | null> =>
    await attemptStep(run, name, body);

  const [first, ...others] = open;
  for (const other of others) {
    if (first === undefined) break;
    await attempt(`catch up ${other.name}`, async () => {
      const wants = ({ tags }: { readonly tags: readonly string[] }): boolean => tags.includes('salvor');
      const { copied } = await copy({
        from: first.repository,
        to: other.repository,
        wanted: wants,
        signal: run.signal,
      });
      set(other.name, { caughtUp: copied.length, state: 'complete', why: null });
    });
  }
  const thirdCopy = (await attempt('third copy', async () => await thirdCopyOf(wanted, point, run))) ?? 0;
  for (const each of open) {
    await attempt(`let go of what is old: ${each.name}`, async () => {
      const gone = await letGo(
        {
          account: wanted.account.name,
          repository: each.repository,
          policy: wanted.policy,
          waitMs: each.name === 'remote' ? wanted.policy.remoteDeletesWaitMs : 0,
          isClockTrusted: wanted.isClockTrusted,
          made: await each.made(),
          pinned: await tools.pinned(),
        },
        run,
      );
      run.note(...gone.problems);
      await tools.forget(gone.forgotten);
      set(each.name, { forgotten: gone.forgotten.length, bytesFreed: Math.max(0, gone.bytesFreed) });
    });
    await attempt(`check ${each.name}`, async () => {
      const checked = await check(each.repository, {
        readData: shareOf(wanted.policy, wanted.dayNumber),
        workers: wanted.policy.workers,
        signal: run.signal,
      });
      for (const { code, message, path } of checked.errors)
        run.note({ code, path: path ?? each.repository.location, message: `${each.name}: ${message}` });
      set(each.name, { bytesChecked: checked.bytesRead });
    });
  }
  return { point, copies: [...copies.values()], thirdCopy };
}

async function thirdCopyOf(wanted: NightWanted, point: BackedUpAccount, run: TaskRun): Promise<number> {
  const [from] = [...point.snapshots];
  if (wanted.thirdCopy === null || from === undefined) return 0;
  const [repository, snapshots] = from;
  const place = { directory: wanted.thirdCopy, account: wanted.account.name };
  const { files } = await writeThirdCopy(repository, snapshots, { ...place, day: wanted.day, signal: run.signal });
  if (wanted.isClockTrusted) {
    const { problems } = expireThirdCopies(place, { now: run.clock(), keepMs: wanted.policy.keepThirdCopyMs });
    run.note(...problems);
  }
  return files.length;
}

/** What fails here is named, and the next step begins; a night that is cancelled ends. */
async function attemptStep<T>(run: TaskRun, name: string, body: () => Promise<T>): Promise<T | null> {
  try {
    return await run.step(name, body);
  } catch (error) {
    if (run.signal.aborted) throw error;
    const code =
      error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'night-failed';
    run.note({ code, message: `${name}: ${error instanceof Error ? error.message : String(error)}` });
    return null;
  }
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

const DAY_MS = 86_400_000;

/** All data within the policy's time, an equal share each night. */
function shareOf(
  { checkAllMs }: Pick<Policy, 'checkAllMs'>,
  dayNumber: number,
): { kind: 'part'; part: number; of: number } {
  const of = Math.max(1, Math.floor(checkAllMs / DAY_MS));
  return { kind: 'part', part: (dayNumber % of) + 1, of };
}
