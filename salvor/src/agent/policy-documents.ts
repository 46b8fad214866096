/** The policy in force and what comes of it, for whoever asks: settings with their sources, starts, a calendar. */
import type { PolicyDocument, SimulationDocument } from '@salvor/contract';
import type { Config } from '../config.ts';
import { readHostZone } from '../lib/host-zone.ts';
import type { HostPoints } from '../points/host-points.ts';
import { policyOfAccount, policyOfSite } from '../policies/policy-levels.ts';
import { type Job, startsBetween } from '../policies/schedule.ts';
import { SETTING_NAMES, settingOf } from '../policies/settings.ts';
import { formatSetting } from '../policies/setting-text.ts';
import { simulateRetention } from '../policies/simulate-retention.ts';
import type { Uptime } from './clock-watch.ts';
import { previewForget } from './preview-forget.ts';

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
  const preview = await previewForget(account, { config, points, now, uptime });
  const goes = preview.goes.map(({ time, holds, ...gone }) => ({
    ...gone,
    time: time.toISOString(),
    holds: [...holds],
  }));
  const shown = simulation.days.map(({ day, made, left }) => ({ day, made, left }));
  return { account, from: simulation.from, days: shown, goes, kept: preview.kept };
}
