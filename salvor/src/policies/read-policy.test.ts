import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openSection } from '../lib/yaml-section.ts';
import { presetPolicy, resolvePolicy } from './policy.ts';
import { policySchema } from './policy-schema.ts';
import { readPolicy } from './read-policy.ts';
import { listHooks } from './task-steps.ts';
import { formatSetting } from './setting-text.ts';
import { SETTING_NAMES, settingOf } from './settings.ts';
import type { PolicyChange, SettingName } from './settings.ts';

class Refused extends Error {}

function read(text: string): PolicyChange {
  const top = openSection(text, ({ line, column }, problem) => {
    throw new Refused(`${line}:${column} ${problem}`);
  });
  return readPolicy(top);
}

const DAY_MS = 86_400_000;

describe('a policy in the configuration', () => {
  it('that says nothing changes nothing', () => {
    assert.deepEqual(read(''), {});
    assert.deepEqual(resolvePolicy([{ title: 'host', change: read('') }]).policy, presetPolicy('standard'));
  });

  it('is read in all kinds of values', () => {
    const change = read(`
preset: strict
timeZone: Europe/Oslo
nightly: { at: 03:30, spread: 90m, weekdays: [mon, Sunday, tue, mon] }
databases: { every: 1h, window: 22:00-05:00 }
keep: { files: 30d, remoteDeletes: 0 }
limits: { workers: 1, upload: 10M, nice: no }
leaveOut: { rows: ['sessions', 'cache_*'] }
restore: { maintenance: yes, reloadPhp: [systemctl, reload, php8.2-fpm] }
page: { url: 'https://{uri}/?x', connectTo: '[::1]:443', text: Welcome, within: 1m, onFailure: rollBack }
hooks:
  { postRestore: [/usr/bin/drush, cr], preRestore: , user: deploy, before: { switch: [hold], clone/safety point: }, after: }
webServer: { kind: nginx, virtualHost: '{home}/vhosts/{uri}.conf', template: , php: '127.0.0.1:9000', test: [nginx, -t] }
`);
    assert.deepEqual(change, {
      preset: 'strict',
      timeZone: 'Europe/Oslo',
      nightlyAt: 210,
      nightlySpreadMs: 5_400_000,
      nightlyWeekdays: [1, 2, 7],
      databasesEveryMs: 3_600_000,
      databasesWindow: { from: 1320, to: 300 },
      keepFilesMs: 30 * DAY_MS,
      remoteDeletesWaitMs: 0,
      workers: 1,
      uploadPerSecond: 10 * 1024 * 1024,
      isNice: false,
      leaveOutRows: ['sessions', 'cache_*'],
      maintenance: true,
      reloadPhp: ['systemctl', 'reload', 'php8.2-fpm'],
      pageUrl: 'https://{uri}/?x',
      pageConnectTo: { host: '::1', port: 443 },
      pageText: 'Welcome',
      pageWithinMs: 60_000,
      pageFailure: 'rollBack',
      postRestore: ['/usr/bin/drush', 'cr'],
      preRestore: null,
      hooksBefore: { switch: ['hold'], 'clone/safety point': null },
      hooksAfter: {},
      hookUser: 'deploy',
      webServer: 'nginx',
      virtualHost: '{home}/vhosts/{uri}.conf',
      virtualHostTemplate: null,
      webServerPhp: '127.0.0.1:9000',
      webServerTest: ['nginx', '-t'],
    });
    assert.equal(formatSetting(settingOf('pageConnectTo'), change.pageConnectTo ?? null), '[::1]:443');
    assert.equal(
      formatSetting(settingOf('hooksBefore'), change.hooksBefore ?? {}),
      '{ switch: [hold], clone/safety point: [] }',
    );
    assert.equal(formatSetting(settingOf('postRestore'), change.postRestore ?? null), '[/usr/bin/drush, cr]');
  });

  it('that can not be meant is refused at its place, with what is near', () => {
    const refused: readonly (readonly [text: string, why: string])[] = [
      ['nightly:\n  att: 02:00', "2:3 unknown key 'att' in 'nightly'; the nearest is 'at'"],
      ['nigthly: {}', "1:1 unknown key 'nigthly' in the file; the nearest is 'nightly'"],
      ['preset: lax', "1:9 'preset' must be one of standard, strict"],
      ['nightly:\n  at: 25:00', "2:7 'at' must be a time of day such as 02:00"],
      ['keep:\n  files: 7 days', "2:10 'files' must be a length of time such as 7d, 90m or 1h30m"],
      ['keep:\n  files: 1h', "2:10 'files' must be 1d at least"],
      ['nightly: {weekdays: [mnday]}', "1:21 'weekdays' must be days of the week: mon, tue, wed, thu, fri, sat, sun"],
      ['nightly: {weekdays: []}', "1:21 'weekdays' must name a day at least"],
      ['databases: {window: 22:00}', "1:21 'window' must be two times of day such as 22:00-05:00"],
      ['timeZone: Mars/Olympus', "1:11 'timeZone' must be a time zone such as Europe/Oslo"],
      ['limits: {workers: 0}', "1:19 'workers' must be 1 at least"],
      ['hooks: {postRestore: drush cr}', "1:22 'postRestore' must be a list: each item on its own line after '- '"],
      ['hooks: {before: {swich: [a]}}', "1:18 unknown key 'swich' in 'before'; the nearest is 'switch'"],
      ['hooks: {after: {delete/mask: [a]}}', "1:17 unknown key in 'after'; docs/hooks.md has the steps of each task"],
      [
        'hooks: {after:\n {whenever: [a]}}',
        "2:3 unknown key 'whenever' in 'after'; docs/hooks.md has the steps of each task",
      ],
      ['hooks: {before: {switch: hold it}}', "1:26 'switch' must be a list: each item on its own line after '- '"],
      ['page: {url: ftp://x/}', "1:13 'url' must be an address such as https://{uri}/"],
      ['page: {url: "https://me:secret@x/"}', "1:13 'url' must be an address such as https://{uri}/"],
      ['page: {connectTo: localhost}', "1:19 'connectTo' must be HOST:PORT such as 127.0.0.1:443"],
      ['webServer: {kind: iis}', "1:19 'kind' must be one of none, nginx, apache"],
      [
        'webServer: {virtualHost: vhosts/x}',
        "1:26 'virtualHost' must be an absolute path such as /etc/nginx/sites-enabled/{uri}.conf",
      ],
      [
        'webServer: {template: /etc/../x}',
        "1:23 'template' must be an absolute path such as /etc/nginx/sites-enabled/{uri}.conf",
      ],
      ['page: {onFailure: panic}', "1:19 'onFailure' must be one of warn, rollBack"],
      ['limits: {nice: perhaps}', "1:16 'nice' must be yes or no"],
    ];
    for (const [text, why] of refused) assert.throws(() => read(text), new Refused(why), text);
  });

  it('goes from the host to the account to the site, and says who said what', () => {
    const { policy, sources } = resolvePolicy([
      { title: 'host', change: read('keep: { files: 10d, databases: 20d }') },
      { title: 'account o1', change: read('keep: { files: 12d }') },
      { title: 'site example.com', change: read('databases: { every: 6h }') },
    ]);
    assert.equal(policy.keepFilesMs, 12 * DAY_MS);
    assert.equal(policy.keepDatabasesMs, 20 * DAY_MS);
    assert.equal(sources.keepFilesMs, 'account o1');
    assert.equal(sources.keepDatabasesMs, 'host');
    assert.equal(sources.databasesEveryMs, 'site example.com');
    assert.equal(sources.nightlyAt, 'preset standard');
  });

  it('adds the hooks of steps to those of the level above, and takes away what it names with nothing', () => {
    const { policy } = resolvePolicy([
      { title: 'host', change: read('hooks: { before: { switch: [a], build: [b] }, after: { keep: [c] } }') },
      { title: 'account o1', change: read('hooks: { before: { clone/switch: [d], build: } }') },
      { title: 'site example.com', change: read('hooks: { user: deploy }') },
    ]);
    assert.deepEqual(policy.hooksBefore, { switch: ['a'], build: null, 'clone/switch': ['d'] });
    assert.deepEqual(policy.hooksAfter, { keep: ['c'] });
    assert.deepEqual(
      listHooks(policy, 'clone').map(({ when, step, command }) => [when, step, ...command]),
      [
        ['before', 'switch', 'd'],
        ['after', 'keep', 'c'],
      ],
    );
  });

  it('that names a preset begins anew with it: what the levels above said is gone', () => {
    const { policy, sources } = resolvePolicy([
      { title: 'host', change: read('keep: { files: 10d }') },
      { title: 'account o1', change: read('preset: strict') },
    ]);
    assert.deepEqual(policy, presetPolicy('strict'));
    assert.equal(sources.keepFilesMs, 'preset strict');
  });

  it('keeps 7 days of files and 14 of databases where nobody says otherwise', () => {
    const policy = presetPolicy('standard');
    assert.equal(policy.keepFilesMs, 7 * DAY_MS);
    assert.equal(policy.keepDatabasesMs, 14 * DAY_MS);
    assert.equal(policy.nightlyAt, 120);
  });

  it('is described to editors with every setting and no other', () => {
    const schema = policySchema() as { properties: Record<string, { properties?: object }> };
    const keys = Object.entries(schema.properties).flatMap(([name, { properties }]) =>
      properties === undefined ? [name] : Object.keys(properties).map((inner) => `${name}.${inner}`),
    );
    assert.deepEqual(
      keys.filter((key) => key !== 'preset').toSorted(),
      SETTING_NAMES.map((name) => settingOf(name).key).toSorted(),
    );
  });

  it('shows its defaults as they could be written', () => {
    const texts = SETTING_NAMES.map((name) => formatSetting(settingOf(name), settingOf(name).standard));
    const shown = new Map(SETTING_NAMES.map((name, index) => [name, texts[index]]));
    const told = [
      'timeZone',
      'adopt',
      'nightlyAt',
      'nightlySpreadMs',
      'nightlyWeekdays',
      'databasesWindow',
      'keepFilesMs',
    ];
    assert.deepEqual(
      told.map((name) => shown.get(name as SettingName)),
      ["the host's", 'beside', '02:00', '1h', 'every day', 'all day', '7d'],
    );
  });
});
