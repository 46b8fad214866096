/**
 * Takes back what a restore has switched, or what an undo has: the parts change places once more, just as fast, and
 * what they replace is kept in turn. Nothing is built and nothing is read from a repository.
 */
import { existsSync } from 'node:fs';
import type { Problem } from '@salvor/contract';
import { SalvorError } from '../errors.ts';
import type { Policy } from '../policies/settings.ts';
import type { Account } from '../sites/account.ts';
import { isKeptClosed } from '../sites/kept-closed.ts';
import type { Site } from '../sites/site.ts';
import { followSwitch, reloadPhp } from './follow-switch.ts';
import { type Journal, isMaking, siteAfter, switchingTo } from './journal.ts';
import { closeSite, openSite, planMaintenance } from './maintenance.ts';
import { type RecoveryTools, keep } from './recover-task.ts';
import { findChangedIn, refreshTimes } from './refresh-php.ts';
import { WRITTEN_BY_OTHERS, isNothingKept, judgeKept, tellChangedHosts } from './plan-undo.ts';
import { scratchName } from './scratch-names.ts';
import { type SwitchTools, makeSwitch, planSwitchBack } from './switch-site.ts';
import { followAvailability, isOfAvailability, keepingSiteTime } from './switch-availability.ts';
import type { TaskRun } from './task-run.ts';

export type UndoTools = Pick<RecoveryTools, 'journals' | 'administratorOf'> & {
  readonly readSite: () => Promise<Site>;
  readonly graceHours: number;
  readonly policy: Policy;
  /** Whose site it is; null where the host has none of that name any more. */
  readonly account: Account | null;
};

/** Throws `nothing-to-undo` where it is too late, before anything is touched. Returns the PHP files that got a new time. */
export async function undoRestore(original: Journal, tools: UndoTools, run: TaskRun): Promise<readonly string[]> {
  const done = original.switch;
  if (original.phase !== 'kept' || done === null) throw impossible(original, 'it has switched nothing');
  const { home } = original.site;
  const now = siteAfter(original);
  const isServing = isOfAvailability(original);
  const switching: SwitchTools = {
    administratorOf: tools.administratorOf,
    say: (line) => run.say(line),
    audit: run.audit,
  };
  const back = await run.step('plan', async () => {
    const [why] = judgeKept(done);
    if (why !== undefined) throw impossible(original, why);
    const name = (index: number): string => scratchName(run.id, 'old', index);
    const planned = await planSwitchBack(done, home, name, switching);
    // A virtual host that was written since is somebody else's.
    if (isNothingKept(done)) throw impossible(original, WRITTEN_BY_OTHERS);
    run.note(...tellChangedHosts(done));
    run.record({
      scratchDatabases: planned.tables.map(({ server, plan }) => ({ server, name: plan.old, user: plan.old })),
      // A clone's database is emptied now; one that an undo had emptied is the site's again.
      drops: original.made ?? [],
      made: original.drops ?? [],
      ...(original.target === undefined || isMaking(original.operation) ? {} : { target: original.site }),
    });
    return planned;
  });
  const changed = await run.step('compare PHP files', () => findChangedIn(back.moves, run.signal));

  // As in a restore: journal (1), parts (2), journal (3).
  await run.commit('switch', async () => {
    for (const files of changed) refreshTimes(files, run.clock());
    const isClosing = tools.policy.maintenance && !isServing && !isKeptClosed(now.path);
    const maintenance = isClosing ? planMaintenance(now.path) : null;
    run.record({ ...switchingTo(back, tools.graceHours, run.clock()), maintenance }); // (1)
    closeSite(run.journal, run.clock(), run);
    const makeBack = (): Promise<readonly Problem[]> => makeSwitch(back, home, switching);
    run.note(...(isServing ? await keepingSiteTime(original.site, makeBack) : await makeBack())); // (2)
    openSite(run.journal);
    run.record({ phase: 'switched' }); // (3)
  });
  if (isServing) await followServing(original, tools, run);
  else await followContent(original, tools, run);
  const kept = await run.commit('keep', () => keep(run.journal, { ...tools, ...switching, clock: run.clock }));
  run.record(kept.journal);
  return changed.flatMap(({ shown }) => shown);
}

/** Of a task that had switched the site off or on: a visitor sees what he saw before. */
async function followServing({ site }: Journal, tools: UndoTools, run: TaskRun): Promise<void> {
  const { enabled } = await tools.readSite();
  await run.commit('ask the page', () => followAvailability(site.uri, enabled === false ? 'off' : 'on', tools, run));
}

async function followContent(original: Journal, tools: UndoTools, run: TaskRun): Promise<void> {
  const now = siteAfter(original);
  await reloadPhp(tools, run);
  const { account: accountName, uri, path } = isMaking(original.operation) ? now : original.site;
  const place = {
    operation: 'undo',
    account: tools.account,
    accountName,
    uri,
    path,
    platform: null,
    cms: null,
  } as const;
  // A clone that was taken back is no site any more.
  if (existsSync(path)) await followSwitch(place, tools, run);
}

function impossible(original: Journal, why: string): SalvorError {
  return new SalvorError('nothing-to-undo', { task: original.task, why });
}
