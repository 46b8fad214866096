import { type ResolvedPolicy, resolvePolicy } from './policy.ts';
import type { Policy, PolicyChange } from './settings.ts';

/** What a configuration says of the policy: of the host, of accounts by name, of sites by `URI` or `ACCOUNT/URI`. */
export type PolicyLevels = {
  readonly host: PolicyChange;
  readonly accounts: Readonly<Record<string, PolicyChange>>;
  readonly sites: Readonly<Record<string, PolicyChange>>;
};

export const NO_LEVELS: PolicyLevels = { host: {}, accounts: {}, sites: {} };

/** The rules for what is the host's own: how many tasks at once, how long each may run. */
export function policyOfHost(levels: PolicyLevels): Policy {
  return resolvePolicy([{ title: 'host', change: levels.host }]).policy;
}

/** The rules for an account: what is done for all of it at once. */
export function policyOfAccount(levels: PolicyLevels, account: string): ResolvedPolicy {
  return resolvePolicy([
    { title: 'host', change: levels.host },
    ...titled(`account ${account}`, levels.accounts, account),
  ]);
}

/** The rules for one site: each level says over the one above what it has to say. */
export function policyOfSite(
  levels: PolicyLevels,
  { account, uri }: { readonly account: string; readonly uri: string },
): ResolvedPolicy {
  const own = [uri, `${account}/${uri}`].flatMap((name) => titled(`site ${name}`, levels.sites, name));
  return resolvePolicy([
    { title: 'host', change: levels.host },
    ...titled(`account ${account}`, levels.accounts, account),
    ...own,
  ]);
}

function titled(
  title: string,
  changes: Readonly<Record<string, PolicyChange>>,
  name: string,
): readonly { readonly title: string; readonly change: PolicyChange }[] {
  const change = Object.hasOwn(changes, name) ? changes[name] : undefined;
  return change === undefined ? [] : [{ title, change }];
}
