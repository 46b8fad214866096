import type { Config } from '../config.ts';
import { policyOfAccount, policyOfSite } from '../policies/policy-levels.ts';
import type { Journal } from '../tasks/journal.ts';
import { RunStepHooks } from '../tasks/run-step-hooks.ts';
import type { StepHooks } from '../tasks/task-run.ts';
import { HOST_ACCOUNT } from './host-account.ts';
import { readHost } from './host-sites.ts';
import type { HookedRow } from './run-task.ts';

/** The hooks around the steps of a task, by the policy of its site or account. Null where that names none. */
export function hooksOf(config: Config, row: HookedRow): StepHooks | null {
  const { account, uri } = row;
  const { policy } =
    uri === '' ? policyOfAccount(config.policies, account) : policyOfSite(config.policies, { account, uri });
  const { hooksBefore, hooksAfter } = policy;
  if (Object.keys(hooksBefore).length + Object.keys(hooksAfter).length === 0) return null;
  // The host's own night is no tenant's: as root only what somebody has said is root's.
  if (account === HOST_ACCOUNT && policy.hookUser === null) return null;
  const { job } = JSON.parse(row.wish ?? '{}') as { readonly job?: string };
  return new RunStepHooks(policy, {
    operation: row.operation as Journal['operation'],
    account,
    uri,
    path: row.path ?? '',
    attempt: row.attempt,
    job: job ?? null,
    lookUp: async () => {
      const { accounts, sites } = await readHost(config, undefined);
      const site = sites.find((each) => each.account.name === account && each.uri === uri);
      return {
        account: accounts.find(({ name }) => name === account) ?? null,
        platform: site?.platform.root ?? null,
        cms: site?.cms ?? null,
      };
    },
  });
}
