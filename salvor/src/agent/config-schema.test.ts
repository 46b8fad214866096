import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { parseConfig } from '../config.ts';
import { SETTING_NAMES, settingOf } from '../policies/settings.ts';
import { configSchema } from './config-schema.ts';

type Schema = {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: false | Schema;
  readonly $defs?: Readonly<Record<string, Schema>>;
  readonly description?: string;
  readonly $ref?: string;
  readonly anyOf?: readonly Schema[];
  readonly const?: unknown;
  readonly type?: string | readonly string[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
};

const schema = configSchema() as Schema;

test('the schema of salvor.yaml knows the keys that the reader knows, and no other', () => {
  const keys = Object.keys(schema.properties ?? {});
  const told = refusalOf('no-such-key: 1\n');
  const known = /known are: ([^.]+)/.exec(told)?.[1]?.split(', ') ?? [];
  assert.deepEqual(keys.toSorted(), known.toSorted(), told);
  assert.equal(schema.additionalProperties, false);
});

test('the schema has every setting of a policy at its place, with what it means', () => {
  const policy = schema.$defs?.['policy'];
  for (const name of SETTING_NAMES) {
    const setting = settingOf(name);
    const [first = '', second] = setting.key.split('.');
    const outer = policy?.properties?.[first];
    const found = second === undefined ? outer : outer?.properties?.[second];
    assert.ok(found?.description?.startsWith(setting.about), setting.key);
  }
});

/** Each with values that the reader takes, and then with some that it refuses. */
const VALUES: readonly (readonly [key: string, taken: readonly string[], refused: readonly string[]])[] = [
  ['homes', ['[/a, /b]', ''], ['/data', '3']],
  ['policy.databases.window', ['22:00-05:00', '9:00 - 17:30', ''], ['25:00-26:00', '22:00', '12']],
  ['policy.limits.upload', ['500K', '10 MiB/s', '1048576', ''], ['fast', '10M or so', '10X', '-5']],
  ['policy.timeZone', ['Europe/Oslo', ''], ['[UTC]']],
  ['policy.nightly.at', ['02:00', '2:30'], ['24:00', '2', '02:00 am']],
  ['policy.nightly.spread', ['90m', '1h30m', '0'], ['90', '1.5h', 'soon']],
  ['policy.limits.workers', ['1', '64'], ['0', '65', 'two']],
];

test('the schema takes what the reader takes of times, rates, counts, zones and lists, and refuses what it refuses', () => {
  for (const [key, taken, refused] of VALUES) {
    const names = key.split('.');
    const property = names.reduce((at: Schema | undefined, name) => {
      const next = at?.properties?.[name];
      return next?.$ref === undefined ? next : schema.$defs?.[next.$ref.slice('#/$defs/'.length)];
    }, schema);
    for (const value of [...taken, ...refused]) {
      const text = `${names.map((name, depth) => `${'  '.repeat(depth)}${name}:`).join('\n')} ${value}\n`;
      const isTaken = taken.includes(value);
      assert.equal(refusalOf(text) === 'it was taken', isTaken, `the reader: ${text}`);
      assert.equal(property !== undefined && fits(property, parse(value)), isTaken, `the schema: ${text}`);
    }
  }
});

/** As far as these properties need draft 2020-12. */
function fits(rule: Schema, value: unknown): boolean {
  if (rule.anyOf !== undefined) return rule.anyOf.some((each) => fits(each, value));
  if (rule.const !== undefined) return value === rule.const;
  const type =
    value === null ? 'null' : Array.isArray(value) ? 'array' : Number.isInteger(value) ? 'integer' : typeof value;
  if (rule.type !== undefined && ![rule.type].flat().includes(type)) return false;
  if (typeof value === 'string' && rule.pattern !== undefined) return new RegExp(rule.pattern).test(value);
  return typeof value !== 'number' || (value >= (rule.minimum ?? -Infinity) && value <= (rule.maximum ?? Infinity));
}

function refusalOf(text: string): string {
  try {
    parseConfig(text, '/x/salvor.yaml');
    return 'it was taken';
  } catch (error) {
    return String(error);
  }
}
