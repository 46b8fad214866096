import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IdentityPlan } from '@salvor/contract';
import { makePaint } from './paint.ts';
import { renderIdentityPlan } from './render-identity.ts';

const PLAN: IdentityPlan = {
  account: 'o1',
  uri: 'old.test',
  newUri: 'new.test',
  path: '/h/sites/old.test',
  address: null,
  newPath: '/h/sites/new.test',
  platform: '/h',
  newPlatform: '/h',
  files: { count: 3, bytes: 2048 },
  databases: [],
  rewrites: {
    settings: [
      {
        file: 'settings.php',
        places: [
          { line: 4, what: 'name', before: 'old', after: null },
          { line: 6, what: 'password', before: null, after: null },
          { line: 9, what: 'name-or-path', before: 'sites/old.test/files', after: 'sites/new.test/files' },
        ],
        left: [1, 12],
      },
    ],
    values: [
      {
        database: 'd',
        table: 'node',
        column: 'body',
        values: 1234,
        replaced: 1300,
        foreign: 2,
        samples: [{ before: 'sites/old.test/\u001b[31mx', after: 'sites/new.test/\u001b[31mx' }],
      },
    ],
  },
  names: [{ path: '/h/.drush/new.test.alias.drushrc.php', change: 'made' }],
  masked: false,
  hooks: [],
  obstacles: [],
  notes: [],
};

test('a preview lists each place, in the settings and in the database, with what stays', () => {
  const lines = renderIdentityPlan('clone', PLAN, makePaint(false));
  assert.deepEqual(lines.slice(3), [
    '  made      /h/.drush/new.test.alias.drushrc.php',
    'Rewritten in its settings:',
    '  Place           What          Before                After',
    '  settings.php:4  database      old                   a new one',
    '  settings.php:6  password                            another one',
    '  settings.php:9  name or path  sites/old.test/files  sites/new.test/files',
    'Left in settings.php, for you to look at: lines 1, 12',
    'Rewritten in its databases:',
    '  Column       Values  Places  Others’, left  Such as                   Becomes',
    '  d.node.body   1,234   1,300              2  sites/old.test/\\x1b[31mx  sites/new.test/\\x1b[31mx',
  ]);
});

test('a plan that rewrites nothing has no empty tables', () => {
  const rewrites = { settings: [], values: [] };
  const lines = renderIdentityPlan('rename', { ...PLAN, rewrites, names: [] }, makePaint(false));
  assert.equal(lines.length, 3);
});

test('a preview lists the hooks around its steps', () => {
  const hooks = [{ when: 'before', step: 'switch', command: ['/usr/local/bin/purge', '\u001b[31m'] }] as const;
  const lines = renderIdentityPlan('rename', { ...PLAN, hooks }, makePaint(false));
  assert.deepEqual(lines.slice(-2), ['Hooks:', '  before switch: /usr/local/bin/purge \\x1b[31m']);
});

test('of many places the first are shown, and how many more there are', () => {
  const place = { what: 'name-or-path', before: 'sites/old.test', after: 'sites/new.test' } as const;
  const places = Array.from({ length: 1200 }, (_, line) => ({ ...place, line }));
  const rewrites = { settings: [{ file: 'drushrc.php', places, left: [] }], values: null };
  const lines = renderIdentityPlan('rename', { ...PLAN, rewrites, names: [] }, makePaint(false));
  assert.deepEqual([lines.length, lines.at(-1)], [3 + 2 + 200 + 1, '  … and 1,000 more: --json has them']);
});
