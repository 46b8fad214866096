import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfig } from '../config.ts';
import { SETTING_NAMES, settingOf } from '../policies/settings.ts';
import { configSchema } from './config-schema.ts';

type Schema = {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: false | Schema;
  readonly $defs?: Readonly<Record<string, Schema>>;
  readonly description?: string;
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

function refusalOf(text: string): string {
  try {
    parseConfig(text, '/x/salvor.yaml');
    return 'it was taken';
  } catch (error) {
    return String(error);
  }
}
