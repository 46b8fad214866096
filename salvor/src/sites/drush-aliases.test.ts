import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type AliasFile, type AliasPlan, type AliasTask, planAliases } from './drush-aliases.ts';
import type { Naming } from './rename-in-text.ts';
import { renameAliases } from './set-context.ts';

const DRUSH = '/h/.drush';
const SITE = { uri: 'old.test', path: '/h/plat/web/sites/old.test', roots: ['/h/plat/web', '/h/plat'] };

function naming(to: string, root = '/h/plat'): Naming {
  return {
    uri: { from: 'old.test', to },
    root: { from: '/h/plat/web', to: `${root}/web` },
    path: { from: '/h/plat/web/sites/old.test', to: `${root}/web/sites/${to}` },
    moved: [],
    aliases: [],
    context: {
      from: { name: 'platform_A', root: '/h/plat' },
      to: { name: root === '/h/plat' ? 'platform_A' : 'platform_B', root },
    },
  };
}

function plan(files: Readonly<Record<string, string>>, task: AliasTask): AliasPlan {
  const list: AliasFile[] = Object.entries(files).map(([path, text]) => ({
    path: `${DRUSH}/${path}`,
    bytes: Buffer.from(text),
  }));
  return planAliases(list, SITE, task);
}

/** `path: text` after the task, `null` where a file goes. */
function changesOf({ changes, obstacles }: AliasPlan): (readonly [string, string | null])[] {
  assert.deepEqual(obstacles, []);
  return changes.map(({ path, after }) => [
    path.slice(DRUSH.length + 1),
    after === null ? null : Buffer.from(after).toString(),
  ]);
}

const CONTEXT = `<?php
# Written by Aegir for old.test.
if (!isset($drush_major_version)) { $drush_major_version = 8; }
$aliases['old.test'] = array (
  'context_type' => 'site',
  'platform' => '@platform_A',
  'server' => '@server_master',
  'uri' => 'old.test', // its name
  'root' => '/h/plat',
  'site_path' => '/h/plat/sites/old.test',
  'site_enabled' => true,
  'aliases' => array (
    0 => 'www.old.test',
    1 => 'shop.test',
  ),
  'redirection' => 'www.old.test',
  'cron_key' => 'old.test',
);
`;
const OTHERS = {
  'other.test.alias.drushrc.php': CONTEXT.replaceAll('old.test', 'other.test'),
  'platform_A.alias.drushrc.php': `<?php $aliases['platform_A'] = array('root' => '/h/plat');`,
};

describe('Aegir’s context of a site', () => {
  const files = { 'old.test.alias.drushrc.php': CONTEXT, ...OTHERS };
  const moved = (to: string, text = CONTEXT): string =>
    text
      .replace(`$aliases['old.test']`, `$aliases['${to}']`)
      .replace(`'uri' => 'old.test'`, `'uri' => '${to}'`)
      .replace('/h/plat/sites/old.test', `/h/plat/sites/${to}`);

  test('a clone gets one of its own, without its origin’s further names', () => {
    const [change, ...more] = changesOf(plan(files, { kind: 'clone', naming: naming('new.test') }));
    assert.deepEqual(more, []);
    assert.deepEqual(change, [
      'new.test.alias.drushrc.php',
      moved('new.test')
        .replace(/array \(\n {4}0[^)]*\)/, 'array()')
        .replace(`'redirection' => 'www.old.test'`, `'redirection' => false`),
    ]);
  });

  test('a rename makes the new one before the old one goes', () => {
    assert.deepEqual(changesOf(plan(files, { kind: 'rename', naming: naming('new.test') })), [
      [
        'new.test.alias.drushrc.php',
        moved('new.test')
          .replace(/array \(\n {4}0[^)]*\)/, `array(0 => 'www.new.test', 1 => 'shop.test')`)
          .replace(`'redirection' => 'www.old.test'`, `'redirection' => 'www.new.test'`),
      ],
      ['old.test.alias.drushrc.php', null],
    ]);
  });

  test('a migration changes platform, root and path in place', () => {
    assert.deepEqual(changesOf(plan(files, { kind: 'rename', naming: naming('old.test', '/h/next') })), [
      [
        'old.test.alias.drushrc.php',
        CONTEXT.replace('platform_A', 'platform_B')
          .replace(`'/h/plat'`, `'/h/next'`)
          .replace('/h/plat/sites', '/h/next/sites'),
      ],
    ]);
  });

  test('a removal takes this file alone', () => {
    assert.deepEqual(changesOf(plan(files, { kind: 'remove' })), [['old.test.alias.drushrc.php', null]]);
  });

  test('one that leads elsewhere, is taken, or is made by code stops it', () => {
    const codes = (text: string, more: Record<string, string> = {}): string[] =>
      plan(
        { 'old.test.alias.drushrc.php': text, ...more },
        { kind: 'rename', naming: naming('new.test') },
      ).obstacles.map(({ code, file }) => `${code} ${file?.slice(DRUSH.length + 1)}`);
    const own = 'old.test.alias.drushrc.php';
    assert.deepEqual(codes(CONTEXT.replace(`'root' => '/h/plat'`, `'root' => '/h/live'`)), [`alias-elsewhere ${own}`]);
    assert.deepEqual(codes(CONTEXT.replace(`'uri' => 'old.test'`, `'uri' => 'live.test'`)), [`alias-elsewhere ${own}`]);
    assert.deepEqual(codes(CONTEXT.replace('/h/plat/sites/old.test', '/h/plat/sites/live.test')), [
      `alias-elsewhere ${own}`,
    ]);
    assert.deepEqual(codes(`<?php include 'x.php';`), [`alias-not-rewritten ${own}`]);
    assert.deepEqual(codes(CONTEXT.replace(`'uri' => 'old.test'`, `'uri' => 'old' . '.test'`)), [
      `alias-not-rewritten ${own}`,
    ]);
    assert.deepEqual(codes(CONTEXT, { 'new.test.alias.drushrc.php': '<?php' }), [
      'alias-taken new.test.alias.drushrc.php',
    ]);
  });
});

describe('YAML aliases of Drush 9 and later', () => {
  const file = `# kept
live:
  root: /h/plat/web # the docroot
  uri: 'https://old.test/'
  paths:
    files: sites/old.test/files
    dump-dir: "/h/plat/web/sites/old.test/private"
  options: { uri: old.test }
`;
  const moved = file.replaceAll('old.test', 'new.test');

  test('a file that carries the site’s name is copied for a clone and renamed with the site', () => {
    for (const [from, to] of [
      ['old.test.site.yml', 'new.test.site.yml'],
      ['old-test.site.yml', 'new-test.site.yml'],
      ['old-test.yml', 'new-test.yml'],
    ] as const) {
      const files = { [`sites/${from}`]: file };
      assert.deepEqual(changesOf(plan(files, { kind: 'clone', naming: naming('new.test') })), [[`sites/${to}`, moved]]);
      assert.deepEqual(changesOf(plan(files, { kind: 'rename', naming: naming('new.test') })), [
        [`sites/${to}`, moved],
        [`sites/${from}`, null],
      ]);
      assert.deepEqual(changesOf(plan(files, { kind: 'remove' })), [[`sites/${from}`, null]]);
    }
  });

  test('in a file of several sites only this one’s entries change', () => {
    const text = `# all sites
other:
  root: /h/plat/web
  uri: other.test # not old.test
${file.split('\n').slice(1).join('\n')}# far away
far: { host: far.test, root: /h/plat/web, uri: old.test }
twin:
  root: /h/elsewhere
  uri: old.test
`;
    const files = { 'sites/all.site.yml': text };
    const renamed = changesOf(plan(files, { kind: 'rename', naming: naming('new.test') }));
    assert.deepEqual(renamed, [['sites/all.site.yml', text.replace(file.slice(7), moved.slice(7))]]);
    const removed = changesOf(plan(files, { kind: 'remove' }));
    assert.deepEqual(removed, [['sites/all.site.yml', text.replace(file.slice(7), '')]]);
    const cloned = plan(files, { kind: 'clone', naming: naming('new.test') });
    assert.deepEqual([cloned.changes, cloned.notes.map(({ code }) => code)], [[], ['alias-left']]);
  });

  test('a migration changes its root in place', () => {
    assert.deepEqual(
      changesOf(plan({ 'sites/old-test.yml': file }, { kind: 'rename', naming: naming('old.test', '/h/next') })),
      [['sites/old-test.yml', file.replaceAll('/h/plat/web', '/h/next/web')]],
    );
  });

  test('what is no file of aliases, names nobody or is full of anchors is left', () => {
    for (const text of [
      '',
      'a: b',
      '- x',
      'a: [',
      'a: &a [x]\nb: [*a]\n',
      'x: { root: /h/plat/web }',
      'x: { uri: old.test }',
    ])
      assert.deepEqual(changesOf(plan({ 'sites/old-test.yml': text }, { kind: 'remove' })), [], text);
  });

  test('a file that carries the site’s name and leads below another code base stops it', () => {
    const text = file.replace('/h/plat/web #', '/h/live/web #');
    for (const kind of ['rename', 'clone'] as const) {
      const { obstacles, changes } = plan({ 'sites/old-test.site.yml': text }, { kind, naming: naming('new.test') });
      assert.deepEqual(
        [obstacles.map(({ code, file: at }) => [code, at]), changes],
        [[['alias-elsewhere', `${DRUSH}/sites/old-test.site.yml`]], []],
      );
    }
    // On another machine it is another site, and nobody's business here.
    const far = text.replace('live:', 'live:\n  host: far.test');
    assert.deepEqual(changesOf(plan({ 'sites/old-test.site.yml': far }, { kind: 'remove' })), []);
  });

  test('a file of the new name that is there already stops a clone', () => {
    const files = { 'sites/old-test.yml': file, 'sites/new-test.yml': 'x: {}\n' };
    const { obstacles } = plan(files, { kind: 'clone', naming: naming('new.test') });
    assert.deepEqual(
      obstacles.map(({ code, file: at }) => [code, at]),
      [['alias-taken', `${DRUSH}/sites/new-test.yml`]],
    );
  });
});

test('further names that are made of the old name follow it, with and without www', () => {
  assert.deepEqual(renameAliases(['www.a.test', 'shop.test'], 'a.test', 'b.test'), ['www.b.test', 'shop.test']);
  assert.deepEqual(renameAliases(['a.test'], 'www.a.test', 'b.test'), []);
  assert.deepEqual(renameAliases(['a.test', 'b.test'], 'www.a.test', 'www.b.test'), ['b.test']);
});
