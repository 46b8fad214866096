/** Which rules are in force: presets, and what host, account and site say, each level over the one above. Pure. */
import { SETTING_NAMES, settingOf } from './settings.ts';
import type { Policy, PolicyChange, Preset, SettingName } from './settings.ts';

export type PolicyLevel = {
  /** `host`, `account o1`, `site example.com`. */
  readonly title: string;
  readonly change: PolicyChange;
};

export type ResolvedPolicy = {
  readonly policy: Policy;
  /** Which level said it; `preset standard` where none did. */
  readonly sources: Readonly<Record<SettingName, string>>;
};

/** A preset as a policy. */
export function presetPolicy(preset: Preset): Policy {
  const entries = SETTING_NAMES.map((name) => {
    const setting = settingOf(name);
    return [name, preset === 'strict' && setting.strict !== undefined ? setting.strict : setting.standard];
  });
  return Object.freeze(Object.fromEntries(entries)) as Policy;
}

/** The levels from the outermost to the innermost; a level that names a preset begins anew with it. */
export function resolvePolicy(levels: readonly PolicyLevel[]): ResolvedPolicy {
  let policy: Policy = presetPolicy('standard');
  const sources = new Map<SettingName, string>(SETTING_NAMES.map((name) => [name, 'preset standard']));
  for (const { title, change } of levels) {
    const { preset, ...said } = change;
    if (preset !== undefined) {
      policy = presetPolicy(preset);
      for (const name of SETTING_NAMES) sources.set(name, `preset ${preset}`);
    }
    const { hooksBefore, hooksAfter } = policy;
    policy = {
      ...policy,
      ...said,
      // A level adds to these, and takes away what it names with nothing.
      hooksBefore: { ...hooksBefore, ...said.hooksBefore },
      hooksAfter: { ...hooksAfter, ...said.hooksAfter },
    };
    for (const name of SETTING_NAMES) if (said[name] !== undefined) sources.set(name, title);
  }
  return { policy: Object.freeze(policy), sources: Object.fromEntries(sources) as Record<SettingName, string> };
}

/** The settings in which two policies differ. */
export function differingSettings(before: Policy, after: Policy): readonly SettingName[] {
  return SETTING_NAMES.filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
}
