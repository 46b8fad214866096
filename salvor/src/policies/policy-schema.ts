import { PRESETS, SETTING_NAMES, settingOf } from './settings.ts';
import type { Setting } from './settings.ts';
import { WEEKDAYS, formatSetting } from './setting-text.ts';
import { HOOK_PLACES } from './task-steps.ts';

export type JsonSchema = { readonly [key: string]: unknown };

/** The JSON schema (draft 2020-12) of a `policy:` section, for editors: every setting with its meaning and default. */
export function policySchema(): JsonSchema {
  const top: Record<string, JsonSchema> = {
    preset: { enum: PRESETS, default: 'standard', description: 'The rules to begin with.' },
  };
  const groups = new Map<string, Record<string, JsonSchema>>();
  for (const name of SETTING_NAMES) {
    const setting = settingOf(name);
    const [first = '', second] = setting.key.split('.');
    const place = second === undefined ? top : (groups.get(first) ?? {});
    if (second !== undefined) groups.set(first, place);
    place[second ?? first] = { ...schemaOf(setting), description: describe(setting) };
  }
  for (const [name, properties] of groups) top[name] = { type: 'object', additionalProperties: false, properties };
  return { type: 'object', additionalProperties: false, properties: top };
}

function describe(setting: Setting): string {
  return `${setting.about} Default: ${formatSetting(setting, setting.standard)}.`;
}

const COMMAND: JsonSchema = { type: ['array', 'null'], items: { type: 'string' } };

const CLOCK = '([01]?\\d|2[0-3]):[0-5]\\d';
/** The most digits that the reader takes. */
const MOST_COUNT = 999_999_999;
const MOST_RATE = 999_999_999_999;

function schemaOf({ kind, choices, least = 0, most = MOST_COUNT }: Setting): JsonSchema {
  switch (kind) {
    case 'clock':
      return { type: 'string', pattern: `^${CLOCK}$` };
    case 'duration':
      return { anyOf: [{ const: 0 }, { type: 'string', pattern: '^(0|(\\d{1,6}[wdhms])+)$' }] };
    case 'window':
      return { type: ['string', 'null'], pattern: `^\\s*${CLOCK}\\s*-\\s*${CLOCK}\\s*$` };
    case 'rate':
      return {
        type: ['string', 'integer', 'null'],
        pattern: '^\\d{1,12}\\s*[KMGkmg]?[iI]?[bB]?(/[sS])?$',
        minimum: 0,
        maximum: MOST_RATE,
      };
    case 'count':
      return { type: 'integer', minimum: least, maximum: most };
    case 'zone':
      return { type: ['string', 'null'] };
    case 'flag':
      return { enum: [true, false, 'yes', 'no'] };
    case 'names':
      return { type: 'array', items: { type: 'string' } };
    case 'weekdays':
      return { type: 'array', items: { enum: WEEKDAYS }, minItems: 1 };
    case 'text':
      return { type: ['string', 'null'] };
    case 'url':
      return { type: ['string', 'null'], pattern: '^https?://' };
    case 'path':
      return { type: ['string', 'null'], pattern: '^(/|\\{home\\}/)' };
    case 'address':
      return { type: ['string', 'null'], pattern: ':\\d{1,5}$' };
    case 'command':
      return COMMAND;
    case 'hooks':
      return { type: ['object', 'null'], propertyNames: { enum: HOOK_PLACES }, additionalProperties: COMMAND };
    case 'choice':
      return { enum: choices ?? [] };
    default:
      return kind satisfies never;
  }
}
