/** The policy in force and what comes of it, for whoever asks: settings with their sources, starts, a calendar. */
import type { PolicyDocument, SimulationDocument } from '@salvor/contract';
import type { Config } from '../config.ts';
import { readHostZone } from '../lib/host-zone.ts';
import type { HostPoints } from '../points/host-points.ts';
import { copiesOf, hasRepository } from '../points/repositories.ts';
import { policyOfAccount, policyOfSite } from '../policies/policy-levels.ts';
import { type Job, startsBetween } from '../policies/schedule.ts';
import { SETTING_NAMES, settingOf } from '../policies/settings.ts';
import { formatSetting } from '../policies/setting-text.ts';
import { simulateRetention } from '../policies/simulate-retention.ts';
import { previewLetGo } from '../tasks/let-go.ts';
import { type Uptime, readClock } from './clock-watch.ts';

const JOBS: readonly Job[] = ['nightly', 'databases'];

/** Of the host where neither is given. `accounts` are those whose starts are told. */
export function describePolicy(
  config: Config,
  of: { readonly account: string | null; readonly uri: string | null },
  accounts: readonly string[],
  { now, nextMs }: { readonly now: Date; readonly nextMs: number },
): PolicyDocument {
  const { account, uri } = of;
  const { policy, sources } =
    account !== null && uri !== null
      ? policyOfSite(config.policies, { account, uri })
      : policyOfAccount(config.policies, account ?? '');
  const settings = SETTING_NAMES.map((name) => {
    const setting = settingOf(name);
    return {
      key: setting.key,
      value: formatSetting(setting, policy[name]),
      source: sources[name],
      about: setting.about,
    };
  });
  const until = new Date(now.getTime() + nextMs);
  const next = accounts.flatMap((each) => {
    const rules = policyOfAccount(config.policies, each).policy;
    return JOBS.flatMap((job) =>
      startsBetween(job, rules, each, readHostZone(), [now, until]).map((at) => ({
        job,
        account: each,
        at: at.toISOString(),
      })),
    );
  });
  next.sort((one, other) => (one.at < other.at ? -1 : 1));
  return { account, site: uri, settings, next };
}

/** What `days` days of an account's policy keep, and what the next night would let go of. Changes nothing. */
export async function simulatePolicy(
  config: Config,
  points: HostPoints,
  account: string,
  { now, days, uptime }: { readonly now: Date; readonly days: number; readonly uptime: Uptime },
): Promise<SimulationDocument> {
  const { policy } = policyOfAccount(config.policies, account);
  const simulation = simulateRetention({ policy, account, hostZone: readHostZone(), from: now, days });
  const goes: SimulationDocument['goes'][number][] = [];
  let kept = 0;
  for (const copy of hasRepository(config, account) ? copiesOf(config) : []) {
    const rules = {
      account,
      policy,
      waitMs: copy === 'remote' ? policy.remoteDeletesWaitMs : 0,
      // What goes once the clock is believed again, where it is in doubt now.
      clock: { ...readClock(config.state, now, uptime), isTrusted: true },
      made: await points.madeIn(account, copy),
      held: await points.heldOf(account, now),
    };
    const preview = await previewLetGo(await points.repositories.open(account, copy), rules, now);
    kept += preview.kept;
    for (const { time, holds, ...gone } of preview.goes)
      goes.push({ copy, ...gone, time: time.toISOString(), holds: [...holds] });
  }
  const shown = simulation.days.map(({ day, made, left }) => ({ day, made, left }));
  return { account, from: simulation.from, days: shown, goes, kept };
}
