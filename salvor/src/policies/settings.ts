/**
 * Every setting of a policy, in one table: its place in `salvor.yaml`, what kind of value it takes, what the two presets
 * say, and what it means. The reader, the schema for editors, `policy show` and the documents are made of it.
 *
 * `standard` takes its numbers from the offer that this product began with; `strict` deletes at once where `standard`
 * waits.
 */
import { MASK_RULE_WORDS, parseMaskRule } from './mask-rule.ts';
import type { HookCommands } from './task-steps.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** What a value of each kind is in code. */
export type KindValues = {
  /** Minutes since midnight; written `02:00`. */
  clock: number;
  /** Milliseconds; written `7d`, `1h30m`. */
  duration: number;
  /** 1 Monday to 7 Sunday, ascending. */
  weekdays: readonly number[];
  /** From a minute of the day to another, over midnight where it is the lesser; null is all day. */
  window: { readonly from: number; readonly to: number } | null;
  /** A name of the time zone database; null is the host's own. */
  zone: string | null;
  /** A whole number. */
  count: number;
  /** Bytes a second; null is no limit. Written `10M`. */
  rate: number | null;
  flag: boolean;
  /** Patterns of names or paths. */
  names: readonly string[];
  /** One line; null is none. */
  text: string | null;
  /** An address of a page, `{uri}` standing for the site's name; null is none. */
  url: string | null;
  /** Written `127.0.0.1:443`; null is none. */
  address: { readonly host: string; readonly port: number } | null;
  /** An absolute path, `{home}`, `{account}` and `{uri}` standing for what they are of a site; null is none. */
  path: string | null;
  /** A program and its arguments, each an item of a list: no shell reads them. Null is none. */
  command: readonly string[] | null;
  /** Commands by the step of a task that they are for; each level adds to the one above. */
  hooks: HookCommands;
  /** One of the setting's `choices`. */
  choice: string;
};
export type Kind = keyof KindValues;

type SettingOf<K extends Kind> = {
  readonly key: string;
  readonly kind: K;
  readonly standard: KindValues[K];
  /** Where it differs from `standard`. */
  readonly strict?: KindValues[K];
  readonly least?: number;
  readonly most?: number;
  readonly choices?: readonly string[];
  /** What each of its names must be, with the words that say so. */
  readonly each?: { readonly isOne: (text: string) => boolean; readonly words: string };
  readonly about: string;
};
export type Setting = { [K in Kind]: SettingOf<K> }[Kind];

const EVERY_DAY = [1, 2, 3, 4, 5, 6, 7];

export const SETTINGS = {
  timeZone: {
    key: 'timeZone',
    kind: 'zone',
    standard: null,
    about: 'The zone in which all times of day are meant; by default the one of the host.',
  },
  adopt: {
    key: 'adopt',
    kind: 'choice',
    choices: ['beside', 'instead'],
    standard: 'beside',
    about:
      'Where an Aegir runs: beside it, tasks that change which sites there are stay its own; instead of it, they are ours. Says nothing where there is none.',
  },
  aegirWaitMs: {
    key: 'aegir.wait',
    kind: 'duration',
    standard: 30 * MINUTE_MS,
    most: 24 * HOUR_MS,
    about: 'How long a backup or restore waits for a task of Aegir that runs on the site.',
  },
  aegirCommand: {
    key: 'aegir.command',
    kind: 'command',
    standard: null,
    about:
      'Run in the place of a task that beside an Aegir is its own, with a safety point before and a look at the site after: it has Aegir do it. SALVOR_OPERATION, SALVOR_SITE and SALVOR_PLATFORM say what.',
  },
  nightlyAt: {
    key: 'nightly.at',
    kind: 'clock',
    standard: 2 * 60,
    about: 'When the nightly job begins.',
  },
  nightlySpreadMs: {
    key: 'nightly.spread',
    kind: 'duration',
    standard: HOUR_MS,
    most: 12 * HOUR_MS,
    about:
      'Over how long the starts of the accounts are spread; each account has its own place in it, every night the same.',
  },
  nightlyWeekdays: {
    key: 'nightly.weekdays',
    kind: 'weekdays',
    standard: EVERY_DAY,
    about: 'The days on which the nightly job begins.',
  },
  databasesEveryMs: {
    key: 'databases.every',
    kind: 'duration',
    standard: 0,
    about: 'How often a point of the databases alone is made besides; 0 for never.',
  },
  databasesWindow: {
    key: 'databases.window',
    kind: 'window',
    standard: null,
    about: 'Between which times of day such points are made; may go over midnight.',
  },
  databasesWeekdays: {
    key: 'databases.weekdays',
    kind: 'weekdays',
    standard: EVERY_DAY,
    about: 'The days on which they are made.',
  },
  keepFilesMs: {
    key: 'keep.files',
    kind: 'duration',
    standard: 7 * DAY_MS,
    least: DAY_MS,
    about: 'How long files are kept.',
  },
  keepDatabasesMs: {
    key: 'keep.databases',
    kind: 'duration',
    standard: 14 * DAY_MS,
    least: DAY_MS,
    about: 'How long databases are kept.',
  },
  keepThirdCopyMs: {
    key: 'keep.thirdCopy',
    kind: 'duration',
    standard: 7 * DAY_MS,
    least: DAY_MS,
    about: 'How long the third copy of a database is kept.',
  },
  graceMs: {
    key: 'keep.replaced',
    kind: 'duration',
    standard: 72 * HOUR_MS,
    least: HOUR_MS,
    about: 'How long what a task replaced or deleted can be brought back by undo.',
  },
  pinWarnMs: {
    key: 'keep.pinned',
    kind: 'duration',
    standard: 14 * DAY_MS,
    about: 'How old the safety point of a task that nobody confirmed gets before status names it.',
  },
  remoteDeletesWaitMs: {
    key: 'keep.remoteDeletes',
    kind: 'duration',
    standard: 14 * DAY_MS,
    strict: 0,
    about: 'How long what the rules let go of stays in the remote repository all the same.',
  },
  checkAllMs: {
    key: 'check.within',
    kind: 'duration',
    standard: 30 * DAY_MS,
    least: DAY_MS,
    most: 256 * DAY_MS,
    about: 'Within how long all data of a repository is read again, a share each night.',
  },
  workers: {
    key: 'limits.workers',
    kind: 'count',
    standard: 2,
    least: 1,
    most: 64,
    about: 'Processors that the nightly job uses.',
  },
  tasksAtOnce: {
    key: 'limits.tasks',
    kind: 'count',
    standard: 4,
    least: 1,
    most: 64,
    about: 'Tasks that run at the same time on the host; one that brings a site back does not wait for it.',
  },
  loadPerProcessor: {
    key: 'limits.load',
    kind: 'count',
    standard: 5,
    least: 1,
    most: 1000,
    about: "The host's load, for each processor, above which no task begins that nobody waits for.",
  },
  taskTimeoutMs: {
    key: 'limits.taskTime',
    kind: 'duration',
    standard: DAY_MS,
    least: MINUTE_MS,
    about: 'How long a task may run before it is stopped and taken back.',
  },
  uploadPerSecond: {
    key: 'limits.upload',
    kind: 'rate',
    standard: null,
    least: 1024,
    about: "Bytes a second to an account's remote repository, whatever writes there.",
  },
  downloadPerSecond: {
    key: 'limits.download',
    kind: 'rate',
    standard: null,
    least: 1024,
    about: "Bytes a second from an account's remote repository, whatever reads there.",
  },
  isNice: {
    key: 'limits.nice',
    kind: 'flag',
    standard: true,
    about: 'Whether the nightly job gives way to everything else on processors and disks.',
  },
  leavesOutRegenerable: {
    key: 'leaveOut.regenerable',
    kind: 'flag',
    standard: true,
    about:
      'Whether the nightly job leaves out what a site makes again by itself: css, js, styles, caches, rows of cache tables.',
  },
  leaveOutFiles: {
    key: 'leaveOut.files',
    kind: 'names',
    standard: [],
    about:
      "Further paths that the nightly job leaves out, relative to a site's directory; * stands for any letters but /.",
  },
  leaveOutRows: {
    key: 'leaveOut.rows',
    kind: 'names',
    standard: [],
    about: 'Further tables whose rows the nightly job leaves out; * stands for any letters.',
  },
  archiveFormat: {
    key: 'archives.format',
    kind: 'choice',
    choices: ['tar.gz', 'tar', 'tar.bz2', 'tar.zst', 'none'],
    standard: 'tar.gz',
    about: 'What a task writes into backups of the home beside its point; with none, nothing.',
  },
  archiveLevel: {
    key: 'archives.level',
    kind: 'count',
    // Of gzip less than half of the work of 6 (5: three quarters): a whole site comes out 1.3 % larger (5: 0.4 %), PHP
    // alone 4.6 % (1.3 %), SQL up to 7.7 % (2.8 %).
    standard: 4,
    least: 1,
    most: 9,
    about: 'How hard it is packed: 1 is fast, 9 is small.',
  },
  archivePasswords: {
    key: 'archives.passwords',
    kind: 'choice',
    choices: ['replaced', 'left-out'],
    standard: 'replaced',
    about: 'What stands in it for the passwords of databases: a word that says so, or nothing.',
  },
  maskColumns: {
    key: 'mask.columns',
    kind: 'names',
    standard: [],
    each: { isOne: (text) => parseMaskRule(text) !== null, words: MASK_RULE_WORDS },
    about:
      'What a masked copy does not hold besides users, log-ins, sessions and comments: TABLE.COLUMN=KIND, TABLE.COLUMN[COLUMN=VALUE]=KIND or TABLE=rows, tables without the prefix of the site, * for any letters; kinds are mail, name, text, password, ip, list and empty.',
  },
  maintenance: {
    key: 'restore.maintenance',
    kind: 'flag',
    standard: false,
    about:
      'Whether the file .maintenance lies in the directory of the site while a restore or undo switches; WordPress looks for it, other sites where the web server does.',
  },
  emptiedTables: {
    key: 'restore.emptyTables',
    kind: 'names',
    standard: [],
    about:
      'Tables that a restore brings back without their rows, such as cache_*; named without the prefix of the site, * stands for any letters.',
  },
  reloadPhp: {
    key: 'restore.reloadPhp',
    kind: 'command',
    standard: null,
    about:
      'Run after the switch of a restore or undo, so that PHP forgets compiled files: [systemctl, reload, php8.2-fpm].',
  },
  pageUrl: {
    key: 'page.url',
    kind: 'url',
    standard: null,
    about: 'A page that is asked for after a restore or undo; {uri} stands for the name of the site.',
  },
  pageConnectTo: {
    key: 'page.connectTo',
    kind: 'address',
    standard: null,
    about: 'Where to connect for it, whatever the name in its address says: HOST:PORT.',
  },
  pageStatus: {
    key: 'page.status',
    kind: 'count',
    standard: 200,
    least: 100,
    most: 599,
    about: 'The status that it must answer with.',
  },
  pageText: {
    key: 'page.text',
    kind: 'text',
    standard: null,
    about: 'A text that must stand in it.',
  },
  pageWithinMs: {
    key: 'page.within',
    kind: 'duration',
    standard: 30_000,
    most: HOUR_MS,
    about: 'How long it is asked for again before it counts as broken.',
  },
  pageFailure: {
    key: 'page.onFailure',
    kind: 'choice',
    choices: ['warn', 'rollBack'],
    standard: 'warn',
    about: 'What a restore does where it is broken: warn, or switch back what was there.',
  },
  preRestore: {
    key: 'hooks.preRestore',
    kind: 'command',
    standard: null,
    about: 'Run before a restore touches anything; where it fails, the site is not restored.',
  },
  postRestore: {
    key: 'hooks.postRestore',
    kind: 'command',
    standard: null,
    about: 'Run after a restore or undo, when the site is the new one: [drush, cr], [wp, cache, flush].',
  },
  preUpdate: {
    key: 'hooks.preUpdate',
    kind: 'command',
    standard: null,
    about: 'Run before Drush updates the database of a site on its new code; where it fails, the updates are not run.',
  },
  postUpdate: {
    key: 'hooks.postUpdate',
    kind: 'command',
    standard: null,
    about: 'Run after such an update, whether it went well or not: SALVOR_UPDATE says done or failed.',
  },
  hooksBefore: {
    key: 'hooks.before',
    kind: 'hooks',
    standard: {},
    about:
      'Commands by the step of a task that they run before, as its log names it: switch, or clone/switch for clones alone. Where one fails before the switch, the task stops and all goes back.',
  },
  hooksAfter: {
    key: 'hooks.after',
    kind: 'hooks',
    standard: {},
    about:
      'Commands by the step that they run after, also where it failed: SALVOR_STEP_STATE says done or failed. Where one fails before the switch, all goes back; after it, it is a problem of the task.',
  },
  hookUser: {
    key: 'hooks.user',
    kind: 'text',
    standard: null,
    about: 'The system user that the hooks run as; by default the user of the account.',
  },
  hookWithinMs: {
    key: 'hooks.timeLimit',
    kind: 'duration',
    standard: 5 * MINUTE_MS,
    least: 1000,
    most: 24 * HOUR_MS,
    about: 'How long a hook, the reload of PHP, and the test and reload of the web server may run.',
  },
  webServer: {
    key: 'webServer.kind',
    kind: 'choice',
    choices: ['none', 'nginx', 'apache'],
    standard: 'none',
    about: 'The web server whose virtual hosts are written when a site is switched off or on, or gets or loses a name.',
  },
  virtualHost: {
    key: 'webServer.virtualHost',
    kind: 'path',
    standard: null,
    about:
      "The file of a site's virtual host, such as /etc/nginx/sites-enabled/{uri}.conf; by default where Aegir has it, in the home of the account.",
  },
  virtualHostTemplate: {
    key: 'webServer.template',
    kind: 'path',
    standard: null,
    about:
      'A template for it; by default the site’s own file is changed, and where there is none one of ours is written.',
  },
  webServerListen: {
    key: 'webServer.listen',
    kind: 'text',
    standard: '80',
    about: 'Where a new virtual host listens: a port, or ADDRESS:PORT.',
  },
  webServerPhp: {
    key: 'webServer.php',
    kind: 'text',
    standard: null,
    about:
      'Where a new virtual host finds PHP: unix:/run/php/php8.2-fpm.sock, 127.0.0.1:9000; {account} stands for the name of the account.',
  },
  webServerTest: {
    key: 'webServer.test',
    kind: 'command',
    standard: null,
    about: 'Tests the configuration of the web server; by default nginx -t, or apache2ctl configtest.',
  },
  webServerReload: {
    key: 'webServer.reload',
    kind: 'command',
    standard: null,
    about: 'Has it read its configuration; by default nginx -s reload, or apache2ctl graceful.',
  },
  runsUpdates: {
    key: 'updates.run',
    kind: 'flag',
    standard: true,
    about: 'Whether drush updatedb runs where a Drupal site comes to other code than it had.',
  },
  drush: {
    key: 'updates.drush',
    kind: 'command',
    standard: null,
    about:
      'The Drush that runs them; by default vendor/bin/drush of the platform, else the one of the account or of the host.',
  },
  updateWithinMs: {
    key: 'updates.timeLimit',
    kind: 'duration',
    standard: HOUR_MS,
    least: 1000,
    most: 24 * HOUR_MS,
    about: 'How long they may run.',
  },
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof SETTINGS;

/** The rules in force for a host, an account or a site. */
export type Policy = { readonly [N in SettingName]: KindValues[(typeof SETTINGS)[N]['kind']] };

/** What one level of the configuration says; the rest comes from the level above. */
export type PolicyChange = { readonly preset?: Preset } & { readonly [N in SettingName]?: Policy[N] };

export const PRESETS = ['standard', 'strict'] as const;
export type Preset = (typeof PRESETS)[number];

export const SETTING_NAMES = Object.keys(SETTINGS) as readonly SettingName[];

/** A setting with the types of all kinds, for code that handles them alike. */
export function settingOf(name: SettingName): Setting {
  return SETTINGS[name];
}
