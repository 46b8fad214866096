/**
 * A task that beside a living Aegir is its own: the hoster's command has Aegir do it, and we take a safety point before
 * and look after it at what came of it.
 *
 *   wait for what runs → safety point → command → wait for what runs → look
 */
import type { Problem } from '@salvor/contract';
import { SalvorError } from '../errors.ts';
import type { NewPointPlace } from '../points/account-repositories.ts';
import type { OpenPoint } from '../points/open-point.ts';
import type { Policy } from '../policies/settings.ts';
import { type LivingAegir } from '../sites/find-aegir.ts';
import { type Site, siteKey } from '../sites/site.ts';
import { waitForAegir } from './aegir-tasks.ts';
import { backUpSite, placesOf } from './back-up-site.ts';
import { runConfigured } from './configured-command.ts';
import { type RecoveryTools } from './recover-task.ts';
import { findHookUser } from './run-hook.ts';
import type { TaskRun } from './task-run.ts';
import { verifySite } from './verify-site.ts';

export type HandOverWish = {
  /** Of the task, as the command is told it. */
  readonly operation: string;
  /** What the site is called afterwards, or the copy; null where nothing is to be there. */
  readonly uri: string | null;
  /** Root of the platform that it is to be on; null where it says nothing of one. */
  readonly platform: string | null;
  /** Of an import: the archive that the site is made of. There is no site yet, and no safety point of it. */
  readonly archive?: string;
};

export type HandOverTools = NewPointPlace &
  Pick<RecoveryTools, 'administratorOf'> & {
    readonly policy: Policy;
    readonly aegir: LivingAegir;
    readonly remember: (point: OpenPoint) => Promise<void>;
    /** All sites of the host as they are on disk then. */
    readonly readSites: () => Promise<readonly Site[]>;
  };

/** Gives the safety point's id; null where the site is new. Throws `hook-failed` where the command failed: what came of it Aegir knows. */
export async function handOver(
  site: Site,
  wish: HandOverWish,
  tools: HandOverTools,
  run: TaskRun,
): Promise<{ readonly safetyPoint: string | null }> {
  const { policy, aegir } = tools;
  const wait = async (): Promise<void> => {
    const options = { withinMs: policy.aegirWaitMs, say: (line: string) => run.say(line), signal: run.signal };
    const { problem } = await waitForAegir(aegir, site.uri, options);
    if (problem !== null) run.note(problem);
  };
  await run.step('wait for Aegir', wait);
  const takeSafetyPoint = async (): Promise<void> => {
    const reason = `before the ${wish.operation} by Aegir in task ${run.id}`;
    const safety = await backUpSite(site, { reason, safety: true, places: placesOf(site) }, tools, run);
    run.note(...safety.problems);
    run.record({ point: safety.point.manifest.point });
    await tools.remember(safety.point);
  };
  if (wish.archive === undefined) await run.step('safety point', takeSafetyPoint);
  const why = await run.step('Aegir', async () => {
    run.isHandedOver = true;
    return await runAegir(site, wish, policy, run);
  });
  if (why !== null) throw new SalvorError('hook-failed', { hook: 'aegir.command', site: siteKey(site), why });
  await run.step('wait for Aegir', wait);
  run.note(...(await run.step('verify', () => judgeOutcome(site, wish, tools))));
  return { safetyPoint: run.journal.point };
}

async function runAegir(site: Site, wish: HandOverWish, policy: Policy, run: TaskRun): Promise<string | null> {
  const { account, uri, path, platform } = site;
  const found = findHookUser(policy.hookUser, account);
  if ('why' in found) return found.why;
  const { user, name, home } = found;
  return await runConfigured(
    {
      title: 'aegir.command',
      words: policy.aegirCommand ?? [],
      user,
      directory: account.home,
      env: {
        SALVOR_OPERATION: wish.operation,
        SALVOR_TASK: run.id,
        SALVOR_ACCOUNT: account.name,
        SALVOR_SITE: uri,
        SALVOR_SITE_PATH: path,
        SALVOR_PLATFORM: platform.root,
        ...(wish.uri === null ? {} : { SALVOR_NEW_URI: wish.uri }),
        ...(wish.archive === undefined ? {} : { SALVOR_ARCHIVE: wish.archive }),
        ...(wish.platform === null ? {} : { SALVOR_NEW_PLATFORM: wish.platform }),
        HOME: home,
        USER: name,
        LOGNAME: name,
      },
      withinMs: policy.updateWithinMs,
      signal: run.signal,
    },
    run,
  );
}

/** What was wished and is not so. */
async function judgeOutcome(site: Site, wish: HandOverWish, tools: HandOverTools): Promise<readonly Problem[]> {
  const sites = await tools.readSites();
  const ofAccount = (uri: string): Site | undefined =>
    sites.find((each) => each.account.name === site.account.name && each.uri === uri);
  const tell = (message: string): Problem => ({ code: 'aegir-not-done', message, path: siteKey(site) });
  const staysThere = wish.operation === 'clone' || wish.uri === site.uri;
  const before = ofAccount(site.uri);
  if (!staysThere && before !== undefined) return [tell(`${siteKey(site)} is still there`)];
  if (wish.uri === null) return [];
  const after = ofAccount(wish.uri);
  if (after === undefined) return [tell(`${wish.uri} is not there`)];
  if (wish.platform !== null && after.platform.root !== wish.platform)
    return [tell(`${wish.uri} is on ${after.platform.root}, and not on ${wish.platform}`)];
  return await verifySite(() => Promise.resolve(after));
}
