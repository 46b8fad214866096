/**
 * Brings a Drupal site's database up to the code that it has come to: `drush updatedb`, the Drush that is found, as the
 * account's own user, within a time, with what it prints in the task's log. What Drush then runs is the tenant's code:
 * never as root. What goes wrong is a fact to be told; whether to go back is for the task to say.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Problem } from '@salvor/contract';
import { findCommand } from '../lib/run.ts';
import type { Policy } from '../policies/settings.ts';
import { homeAround } from '../sites/account.ts';
import { runConfigured } from './configured-command.ts';
import { type HookPlace, findHookUser, runHook } from './run-hook.ts';
import { UpdateWords } from './judge-update.ts';
import type { TaskRun } from './task-run.ts';

export type DatabaseUpdate = {
  /** The program that ran; null where none did. */
  readonly drush: string | null;
  /** `drush-missing`, `update-failed`, `hook-failed`, `update-doubtful`; null where all went well or nothing was to do. */
  readonly problem: Problem | null;
};

/** Where accounts have a Drush of their own, below the home: BOA's, and Composer's for all projects. */
const OF_ACCOUNT = ['tools/drush/drush', '.composer/vendor/bin/drush', '.config/composer/vendor/bin/drush'];

/**
 * The command that updates a site on `platform`: the policy's, that of the code base, the account's or the host's. Null
 * where there is none.
 */
export function findDrush(
  { account, platform }: Pick<HookPlace, 'account' | 'platform'>,
  policy: Pick<Policy, 'drush'>,
): readonly string[] | null {
  if (policy.drush !== null) return policy.drush;
  const ofCode = platform === null ? [] : [platform, dirname(platform)];
  const own = [
    // Above a home everything is somebody else's.
    ...ofCode
      .filter((root) => account !== null && homeAround(account, root) !== null)
      .map((root) => `${root}/vendor/bin/drush`),
    ...(account === null ? [] : OF_ACCOUNT.map((path) => join(account.home, path))),
  ].find((path) => existsSync(path));
  const found = own ?? findCommand('drush');
  return found === null ? null : [found];
}

/** Runs it where the policy wants it; the signal may still stop it. Other systems than Drupal bring themselves up. */
export async function updateDatabase(
  place: HookPlace,
  policy: Policy,
  run: Pick<TaskRun, 'id' | 'say'>,
  signal?: AbortSignal,
): Promise<DatabaseUpdate> {
  if (place.cms !== 'drupal' || place.platform === null || !policy.runsUpdates) return { drush: null, problem: null };
  const drush = findDrush(place, policy);
  if (drush === null) {
    const message =
      'no Drush was found: run the database updates of the site yourself, or name one (policy: updates: drush:)';
    return { drush: null, problem: { code: 'drush-missing', message, path: place.path } };
  }
  const before = await runHook('preUpdate', place, policy, run, signal);
  if (before !== null)
    return {
      drush: null,
      problem: tell('hook-failed', `the preUpdate hook failed: ${before}; the updates were not run`, place),
    };
  const { why, doubts } = await runDrush(drush, place, place.platform, policy, run, signal);
  const after = await runHook('postUpdate', place, policy, run, signal, {
    SALVOR_UPDATE: why === null ? 'done' : 'failed',
  });
  const problem =
    why !== null
      ? tell('update-failed', `drush updatedb failed: ${why}`, place)
      : after !== null
        ? tell('hook-failed', `the postUpdate hook failed: ${after}`, place)
        : doubts.length > 0
          ? tell('update-doubtful', `drush updatedb ended well, and said: ${doubts.join('; ')}`, place)
          : null;
  return { drush: drush[0] ?? null, problem };
}

/** `why` it failed, null where it did not; `doubts` are lines of one that did not. */
async function runDrush(
  drush: readonly string[],
  place: HookPlace,
  root: string,
  policy: Policy,
  run: Pick<TaskRun, 'id' | 'say'>,
  signal: AbortSignal | undefined,
): Promise<{ readonly why: string | null; readonly doubts: readonly string[] }> {
  const found = findHookUser(policy.hookUser, place.account);
  if ('why' in found) return { why: found.why, doubts: [] };
  const { user, name, home } = found;
  const words = new UpdateWords();
  const why = await runConfigured(
    {
      title: 'drush',
      words: [...drush, `--root=${root}`, `--uri=${place.uri}`, '--yes', 'updatedb'],
      user,
      directory: root,
      env: { HOME: home, USER: name, LOGNAME: name },
      withinMs: policy.updateWithinMs,
      tree: run.id,
      ...(signal === undefined ? {} : { signal }),
      onLine: (line) => words.take(line),
    },
    run,
  );
  if (why !== null) return { why, doubts: [] };
  const { failure, doubts } = words;
  return { why: failure === null ? null : `it ended with 0, and said: ${failure}`, doubts };
}

function tell(code: string, message: string, { path }: HookPlace): Problem {
  return { code, message, path };
}
