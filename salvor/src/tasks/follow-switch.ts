/**
 * What comes after a switch, of a restore as of an undo: PHP forgets compiled files, the site's own settings, log-in and
 * tables are tried, the hoster's hook runs, and then the page is asked. The site is the new one: nothing here fails the task.
 */
import type { Policy } from '../policies/settings.ts';
import type { Site } from '../sites/site.ts';
import { type PageCheck, checkPage } from './check-page.ts';
import { runConfigured } from './configured-command.ts';
import { type HookPlace, runHook } from './run-hook.ts';
import type { TaskRun } from './task-run.ts';
import { verifySite } from './verify-site.ts';

export type FollowTools = {
  readonly policy: Policy;
  /** The site as its own settings say now. */
  readonly readSite: () => Promise<Site>;
};

/** At once: until then a visitor may see the old code with the new rows. */
export async function reloadPhp({ policy }: Pick<FollowTools, 'policy'>, run: TaskRun): Promise<void> {
  const words = policy.reloadPhp;
  if (words === null) return;
  const command = { title: 'reload of PHP', words, user: null, directory: '/', env: {}, withinMs: policy.hookWithinMs };
  const why = await run.commit('reload PHP', () => runConfigured(command, run));
  if (why !== null)
    run.note({ code: 'php-not-reloaded', message: `PHP was not reloaded: ${why}`, path: words[0] ?? null });
}

/** Null where no page is named. */
export async function followSwitch(place: HookPlace, tools: FollowTools, run: TaskRun): Promise<PageCheck | null> {
  const { policy } = tools;
  run.note(...(await run.commit('verify', () => verifySite(tools.readSite))));
  const why = policy.postRestore === null ? null : await run.hook(() => runHook('postRestore', place, policy, run));
  if (why !== null) run.note({ code: 'hook-failed', message: `the postRestore hook failed: ${why}`, path: place.path });
  const isAsked = policy.pageUrl !== null && !(await isSwitchedOff(tools, run));
  const page = !isAsked ? null : await run.commit('ask the page', () => checkPage(place.uri, policy, run));
  if (page?.verdict === 'broken')
    run.note({ code: 'page-broken', message: `${page.url} is not as it must be: ${page.why}`, path: page.url });
  return page;
}

/** A visitor is told that there is nothing, and that is how it must be. */
async function isSwitchedOff({ readSite }: FollowTools, run: TaskRun): Promise<boolean> {
  const site = await readSite().catch(() => null);
  if (site?.enabled !== false) return false;
  run.say('its page is not asked: the site is switched off');
  return true;
}
