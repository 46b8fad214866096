/** The flags of a policy, as restic names them, made into one. */
import { parseDuration } from '@salvor/engine';
import type { CalendarUnit, Duration, ForgetPolicy, GroupKey } from '@salvor/engine';
import { SalvorError } from '../../errors.ts';
import { toTagLists } from './repo-filter.ts';
import type { FilterFlags } from './repo-filter.ts';
import type { PruneLimitFlags } from './repo-prune.ts';

type KeepFlags = {
  readonly [Unit in 'Last' | Capitalize<CalendarUnit> as `keep${Unit}` | `keepWithin${Exclude<Unit, 'Last'>}`]?: string;
};

export type ForgetFlags = FilterFlags &
  PruneLimitFlags &
  KeepFlags & {
    readonly prune?: boolean;
    readonly keepWithin?: string;
    readonly keepTag?: readonly string[];
    readonly groupBy?: string;
    readonly dryRun?: boolean;
    readonly calendar?: boolean;
    readonly simulate?: string;
    readonly unsafeAllowRemoveAll?: boolean;
    readonly yes?: boolean;
  };

const GROUP_KEYS: Readonly<Record<string, GroupKey>> = {
  host: 'host',
  hosts: 'host',
  path: 'paths',
  paths: 'paths',
  tag: 'tags',
  tags: 'tags',
};

/** Throws `usage` for what is no count or duration. */
export function parsePolicy(flags: ForgetFlags): ForgetPolicy {
  const count = (name: string, text: string | undefined): number => (text === undefined ? 0 : parseCount(name, text));
  const within = (name: string, text: string | undefined): Duration => parseWithin(name, text ?? '0d');
  return {
    keep: {
      last: count('--keep-last', flags.keepLast),
      hourly: count('--keep-hourly', flags.keepHourly),
      daily: count('--keep-daily', flags.keepDaily),
      weekly: count('--keep-weekly', flags.keepWeekly),
      monthly: count('--keep-monthly', flags.keepMonthly),
      yearly: count('--keep-yearly', flags.keepYearly),
    },
    within: {
      all: within('--keep-within', flags.keepWithin),
      hourly: within('--keep-within-hourly', flags.keepWithinHourly),
      daily: within('--keep-within-daily', flags.keepWithinDaily),
      weekly: within('--keep-within-weekly', flags.keepWithinWeekly),
      monthly: within('--keep-within-monthly', flags.keepWithinMonthly),
      yearly: within('--keep-within-yearly', flags.keepWithinYearly),
    },
    tags: toTagLists(flags.keepTag),
  };
}

/** `host,paths` → keys; the empty text is no grouping. Throws `usage`. */
export function parseGroupBy(text = 'host,paths'): readonly GroupKey[] {
  return text
    .split(',')
    .filter((name) => name !== '')
    .map((name) => {
      const key = GROUP_KEYS[name.trim()];
      if (key === undefined) throw new SalvorError('usage', { problem: `--group-by takes host, paths and tags` });
      return key;
    });
}

function parseCount(name: string, text: string): number {
  if (text === 'unlimited') return -1;
  const count = Number(text);
  if (/^(?:-1|\d{1,9})$/.test(text)) return count;
  throw new SalvorError('usage', { problem: `${name} takes how many to keep, or -1 for all, not '${text}'` });
}

function parseWithin(name: string, text: string): Duration {
  try {
    return parseDuration(text);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new SalvorError('usage', { problem: `${name}: ${error.message}` }, { cause: error });
  }
}
