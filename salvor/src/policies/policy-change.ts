import { differingSettings } from './policy.ts';
import { type PolicyLevels, policyOfAccount, policyOfHost } from './policy-levels.ts';
import { formatSetting } from './setting-text.ts';
import { type Policy, settingOf } from './settings.ts';

/**
 * What changes when the rules do, a line for each setting of the host and of each account that is named; of what is kept
 * no longer, how to see beforehand what goes.
 */
export function tellPolicyChange(before: PolicyLevels, after: PolicyLevels): readonly string[] {
  const names = [...new Set([...Object.keys(before.accounts), ...Object.keys(after.accounts)])].toSorted();
  const host = tellChange('the host', policyOfHost(before), policyOfHost(after));
  const ofHost = new Set(host.map((line) => line.slice(line.indexOf(': ') + 2)));
  const accounts = names.flatMap((name) =>
    tellChange(`account ${name}`, policyOfAccount(before, name).policy, policyOfAccount(after, name).policy),
  );
  // What an account has from the host is said once.
  return [...host, ...accounts.filter((line) => !ofHost.has(line.slice(line.indexOf(': ') + 2)))];
}

function tellChange(of: string, before: Policy, after: Policy): readonly string[] {
  return differingSettings(before, after).map((name) => {
    const setting = settingOf(name);
    const [was, is] = [before[name], after[name]];
    const isLess = setting.key.startsWith('keep.') && typeof was === 'number' && typeof is === 'number' && is < was;
    const advice = isLess ? '; what the next night lets go of: salvor policy simulate ACCOUNT' : '';
    return `policy of ${of}: ${setting.key} is ${formatSetting(setting, is)}, was ${formatSetting(setting, was)}${advice}`;
  });
}

/** Whether the rules let go of something in a night that those of before would have kept. */
export function keepsLess(before: Policy, after: Policy): boolean {
  return (['keepFilesMs', 'keepDatabasesMs', 'keepThirdCopyMs', 'remoteDeletesWaitMs'] as const).some(
    (name) => after[name] < before[name],
  );
}
