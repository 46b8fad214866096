import { formatDurationMs, parseDurationMs } from '../lib/duration.ts';
import { isZone } from '../lib/host-zone.ts';
import type { Section } from '../lib/yaml-section.ts';
import {
  WEEKDAYS,
  formatClock,
  parseAddress,
  parseClock,
  parsePageUrl,
  parsePath,
  parseRate,
  parseWeekday,
  parseWindow,
} from './setting-text.ts';
import { PRESETS, SETTING_NAMES, settingOf } from './settings.ts';
import { HOOK_PLACES, type HookCommands } from './task-steps.ts';
import type { Kind, KindValues, PolicyChange, Preset, Setting } from './settings.ts';

/**
 * What one level of the configuration says of the policy. What is not known or can't be meant fails at its place in
 * the file, in the way that the section was opened with.
 */
export function readPolicy(section: Section): PolicyChange {
  const groups = new Map<string, string[]>();
  for (const name of SETTING_NAMES) {
    const [group, key] = placeOf(settingOf(name));
    groups.set(group, [...(groups.get(group) ?? []), key]);
  }
  section.allow(['preset', ...(groups.get('') ?? []), ...[...groups.keys()].filter((group) => group !== '')]);
  const sections = new Map([['', section]]);
  for (const [group, keys] of groups) {
    if (group === '') continue;
    const inner = section.section(group);
    inner.allow(keys);
    sections.set(group, inner);
  }
  const said = SETTING_NAMES.flatMap((name) => {
    const setting = settingOf(name);
    const [group, key] = placeOf(setting);
    const value = readSetting(sections.get(group) ?? section, key, setting);
    return value === undefined ? [] : [[name, value] as const];
  });
  const preset = readPreset(section);
  return { ...(preset === null ? {} : { preset }), ...Object.fromEntries(said) };
}

function placeOf({ key }: Setting): readonly [group: string, key: string] {
  const dot = key.indexOf('.');
  return dot === -1 ? ['', key] : [key.slice(0, dot), key.slice(dot + 1)];
}

function readPreset(section: Section): Preset | null {
  const named = section.text('preset');
  if (named === null) return null;
  const preset = PRESETS.find((each) => each === named);
  return preset ?? section.fail('preset', `must be one of ${PRESETS.join(', ')}`);
}

/** Undefined where the level says nothing. */
function readSetting(section: Section, key: string, setting: Setting): KindValues[Kind] | undefined {
  if (!section.has(key)) return undefined;
  const value = readKind(section, key, setting);
  if (typeof value === 'number') requireRange(section, key, setting, value);
  return value === null && !NULLABLE.has(setting.kind) ? undefined : value;
}

/** An empty value of these says none, also where the level above says something. */
const NULLABLE: ReadonlySet<Kind> = new Set(['zone', 'window', 'rate', 'text', 'url', 'path', 'address', 'command']);

function readKind(section: Section, key: string, { kind, choices = [], each }: Setting): KindValues[Kind] | null {
  switch (kind) {
    case 'clock':
      return section.parsed(key, parseClock, 'must be a time of day such as 02:00');
    case 'duration':
      return section.parsed(key, parseDurationMs, 'must be a length of time such as 7d, 90m or 1h30m');
    case 'window':
      return section.parsed(key, parseWindow, 'must be two times of day such as 22:00-05:00');
    case 'rate':
      return section.parsed(key, parseRate, 'must be bytes a second such as 500K, 10M or 1G');
    case 'count':
      return section.parsed(key, (text) => (/^\d{1,9}$/.test(text) ? Number(text) : null), 'must be a whole number');
    case 'zone':
      return section.parsed(key, (text) => (isZone(text) ? text : null), 'must be a time zone such as Europe/Oslo');
    case 'flag':
      return section.flag(key);
    case 'names':
      return readNames(section, key, each);
    case 'weekdays':
      return readWeekdays(section, key);
    case 'text':
      return section.parsed(key, (text) => (/[\0\r\n]/.test(text) ? null : text), 'must be one line');
    case 'url':
      return section.parsed(key, parsePageUrl, 'must be an address such as https://{uri}/');
    case 'path':
      return section.parsed(key, parsePath, 'must be an absolute path such as /etc/nginx/sites-enabled/{uri}.conf');
    case 'address':
      return section.parsed(key, parseAddress, 'must be HOST:PORT such as 127.0.0.1:443');
    case 'command':
      return readCommand(section, key);
    case 'hooks':
      return readHooks(section.section(key));
    case 'choice':
      return section.parsed(
        key,
        (text) => choices.find((choice) => choice === text) ?? null,
        `must be one of ${choices.join(', ')}`,
      );
    default:
      return kind satisfies never;
  }
}

function readNames(section: Section, key: string, each: Setting['each']): readonly string[] {
  const names = section.texts(key) ?? [];
  const wrong = names.find((name) => each?.isOne(name) === false);
  return wrong === undefined ? names : section.fail(key, `${each?.words ?? ''}, not ${wrong}`);
}

function readWeekdays(section: Section, key: string): readonly number[] {
  const days = (section.texts(key) ?? []).map(
    (text) => parseWeekday(text) ?? section.fail(key, `must be days of the week: ${WEEKDAYS.join(', ')}`),
  );
  if (days.length === 0) section.fail(key, 'must name a day at least');
  return [...new Set(days)].toSorted((a, b) => a - b);
}

/** No shell reads it, so one text with blanks in it would be the name of a program that nobody has. */
function readCommand(section: Section, key: string): readonly string[] | null {
  const words = section.texts(key) ?? [];
  if (words.some((word) => word.includes('\0'))) section.fail(key, 'must be words');
  if (words[0]?.includes('=') === true) section.fail(key, 'must begin with a program');
  return words.length === 0 ? null : words;
}

function readHooks(places: Section): HookCommands {
  places.allow(HOOK_PLACES, 'docs/hooks.md has the steps of each task');
  return Object.fromEntries(places.names().map((place) => [place, readCommand(places, place)]));
}

function requireRange(section: Section, key: string, { kind, least, most }: Setting, value: number): void {
  const say = (bound: number): string =>
    kind === 'duration' ? formatDurationMs(bound) : kind === 'clock' ? formatClock(bound) : String(bound);
  if (least !== undefined && value < least) section.fail(key, `must be ${say(least)} at least`);
  if (most !== undefined && value > most) section.fail(key, `must be ${say(most)} at most`);
}
