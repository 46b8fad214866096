/**
 * Asked before a task begins with a site: whether it may, beside an Aegir that runs on this host. What reads a site, or
 * brings it back as it was, waits for what Aegir does with it; what changes which sites there are is Aegir's own.
 */
import type { PlannedHook, Problem } from '@salvor/contract';
import type { Config } from '../config.ts';
import { SalvorError } from '../errors.ts';
import { policyOfSite } from '../policies/policy-levels.ts';
import type { Policy } from '../policies/settings.ts';
import { type SteppedOperation, listHooks } from '../policies/task-steps.ts';
import type { Account } from '../sites/account.ts';
import { type LivingAegir, findAegir, isPlatformOfAegir, isSiteOfAegir } from '../sites/find-aegir.ts';
import type { Site } from '../sites/site.ts';
import { waitForAegir } from '../tasks/aegir-tasks.ts';
import type { TaskRun } from '../tasks/task-run.ts';

/** Who and what a task is about. */
export type AskedTask = {
  readonly operation: SteppedOperation;
  readonly account: Account;
  /** Of the site that there is; of an import the one that there will be. */
  readonly uri: string;
  /** Root of the platform that the site comes to; null where it stays. */
  readonly platform: string | null;
};

export function askedOf(
  operation: SteppedOperation,
  { account, uri }: Pick<Site, 'account' | 'uri'>,
  platform: string | null = null,
): AskedTask {
  return { operation, account, uri, platform };
}

/** They change which sites there are, where, or by which name. */
const OF_IDENTITY = new Set(['clone', 'migrate', 'rename', 'delete', 'import', 'disable', 'enable']);

/**
 * Null where the task is ours to do. Else the Aegir that the policy's command hands it to (`tasks/hand-over.ts`).
 * Throws `aegir-owns-site` where it is Aegir's and no command is named. Waits for nothing.
 */
export function judgeBeside(asked: AskedTask, config: Config, sites: readonly Site[]): LivingAegir | null {
  if (!OF_IDENTITY.has(asked.operation)) return null;
  const aegir = findOwner(asked, config, sites);
  if (aegir === null) return null;
  if (policyOf(asked, config).aegirCommand !== null) return aegir;
  const { operation, account, uri } = asked;
  throw new SalvorError('aegir-owns-site', { operation, site: `${account.name}/${uri}`, panel: aegir.panel.uri });
}

/** What of a plan is said otherwise beside an Aegir. */
type Told = {
  readonly obstacles: readonly Problem[];
  readonly notes: readonly Problem[];
  readonly hooks: readonly PlannedHook[];
};

/** The plan with what beside an Aegir becomes of the task. */
export function tellBeside<P extends Told>(plan: P, asked: AskedTask, config: Config, sites: readonly Site[]): P {
  const path = `${asked.account.name}/${asked.uri}`;
  try {
    if (judgeBeside(asked, config, sites) === null) return plan;
    const message =
      'the command of the policy (aegir.command) has Aegir do it: undo can’t take it back, the safety point can';
    const hooks = listHooks(policyOf(asked, config), asked.operation, { isHandedOver: true });
    return { ...plan, hooks, notes: [...plan.notes, { code: 'handed-over', message, path }] };
  } catch (error) {
    if (!(error instanceof SalvorError)) throw error;
    return { ...plan, obstacles: [...plan.obstacles, { code: error.code, message: error.message, path }] };
  }
}

/** In the turn of a backup or restore: returns when Aegir does nothing with the site. Throws `aegir-busy`. */
export async function waitBeside(
  asked: AskedTask,
  config: Config,
  sites: readonly Site[],
  run: Pick<TaskRun, 'say' | 'signal' | 'note'>,
): Promise<void> {
  const aegir = findOwner(asked, config, sites);
  if (aegir === null) return;
  const { aegirWaitMs: withinMs } = policyOf(asked, config);
  const { problem } = await waitForAegir(aegir, asked.uri, {
    withinMs,
    say: (line) => run.say(line),
    signal: run.signal,
  });
  if (problem !== null) run.note(problem);
}

function findOwner(asked: AskedTask, config: Config, sites: readonly Site[]): LivingAegir | null {
  if (policyOf(asked, config).adopt === 'instead') return null;
  const aegir = findAegir(asked.account, sites);
  if (aegir === null) return null;
  const isIts =
    isSiteOfAegir(aegir, asked.uri) || (asked.platform !== null && isPlatformOfAegir(aegir, asked.platform));
  return isIts ? aegir : null;
}

function policyOf({ account, uri }: AskedTask, config: Config): Policy {
  return policyOfSite(config.policies, { account: account.name, uri }).policy;
}
