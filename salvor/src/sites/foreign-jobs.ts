/**
 * Jobs of others on this host that delete or empty what we keep, or do again what we do: found in its crontabs, by the
 * programs that they begin. Each with what it does and the switch that stops it. Reads only; what a job is told to leave
 * alone today it may not leave alone after its next upgrade, so it is named all the same.
 */
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

export type ForeignJob = {
  readonly name: string;
  /** Where it is begun from. */
  readonly file: string;
  /** Null where the whole file is the job. */
  readonly line: number | null;
  readonly effect: 'deletes' | 'empties' | 'repeats';
  readonly what: string;
  /** How it is stopped, or why it need not be. */
  readonly remedy: string;
};

type KnownJob = Pick<ForeignJob, 'name' | 'effect' | 'what'> & {
  readonly matches: RegExp;
  readonly remedy: (place: string, root: string) => string;
};

const outcomment = (place: string): string => `comment it out in ${place}`;

/** The word of a command line that is a program, with or without its directory. */
const program = (names: string): RegExp => new RegExp(String.raw`(?:^|[\s/;&|"'(])(?:${names})(?=$|[\s;&|"')>])`);

const KNOWN: readonly KnownJob[] = [
  {
    name: 'daily.sh of BOA',
    matches: program(String.raw`daily\.sh`),
    effect: 'deletes',
    what: 'deletes what is older than some days in backups of each account and in backup_migrate of its sites, keeps no list of it, and moves what it takes for strays',
    remedy: (_, root) => `set _DEL_OLD_BACKUPS=3650 in ${describeSwitch(root)}: 0 there means its default, and not off`,
  },
  {
    name: 'purge_cruft.sh of BOA',
    matches: program(String.raw`purge_cruft\.sh`),
    effect: 'deletes',
    what: 'deletes archives in backups of each account and in backup_migrate of its sites once a week',
    remedy: outcomment,
  },
  {
    name: 'manage_ltd_users.sh of BOA',
    matches: program(String.raw`manage_ltd_users\.sh`),
    effect: 'deletes',
    what: 'removes clients/*/backups of each account every few minutes: what clients are given there does not stay',
    remedy: () =>
      'it has no switch and looks after the log-ins too: leave it, nothing of ours lies there, and give clients access to points instead',
  },
  {
    name: 'mysql_backup.sh of BOA',
    matches: program(String.raw`mysql(?:_cluster)?_backup\.sh`),
    effect: 'empties',
    what: 'empties cache tables of the living databases, and at times queue, watchdog and accesslog, before it dumps them as we do',
    remedy: outcomment,
  },
  {
    name: 'mysql_cleanup.sh of BOA',
    matches: program(String.raw`mysql_(?:hourly_)?cleanup\.sh`),
    effect: 'empties',
    what: 'empties tables of the living databases',
    remedy: outcomment,
  },
  {
    name: 'purge_binlogs.sh of BOA',
    matches: program(String.raw`purge_binlogs\.sh`),
    effect: 'deletes',
    what: 'deletes the binary logs of the database server every hour: no database can be brought to an instant between two points',
    remedy: outcomment,
  },
  {
    name: 'backboa',
    matches: program('(?:duo)?backboa'),
    effect: 'repeats',
    what: 'copies all homes elsewhere every night with duplicity, at the cost of reading all of them again',
    remedy: outcomment,
  },
  {
    name: 'a purge of backups',
    matches: /\bfind\b.*\bbackups?\b.*(?:-delete\b|\brm\b)/,
    effect: 'deletes',
    what: 'deletes files in a directory of backups',
    remedy: outcomment,
  },
  {
    name: 'another backup program',
    matches: program(
      'automysqlbackup|autopostgresqlbackup|backupninja|rsnapshot|duplicity|duply|borg|borgmatic|restic|resticprofile|rdiff-backup|mydumper|mysqldump|mariadb-dump|xtrabackup|mariabackup',
    ),
    effect: 'repeats',
    what: 'makes backups too',
    remedy: (place) => `if ours are enough, ${outcomment(place)}`,
  },
];

const PERIODS = ['cron.hourly', 'cron.daily', 'cron.weekly', 'cron.monthly'];
/** Debian's keeps a crontab for each user there, others in the directory above it. */
const SPOOLS = ['var/spool/cron/crontabs', 'var/spool/cron'];
const MAX_FILES = 2000;
const MAX_CRONTAB_BYTES = 1024 * 1024;
/** Our own ways in are no foreign jobs. */
const OURS = /\bsalvor\b/;

/** `root` is where the host's `/` is. */
export function findForeignJobs(root = '/'): readonly ForeignJob[] {
  const crontabs = ['etc/crontab', ...filesIn(root, 'etc/cron.d'), ...SPOOLS.flatMap((path) => filesIn(root, path))];
  const found = crontabs.flatMap((path) => findInCrontab(join(root, path), root));
  for (const path of PERIODS.flatMap((period) => filesIn(root, join('etc', period)))) {
    const file = join(root, path);
    const job = OURS.test(path)
      ? undefined
      : KNOWN.find(({ matches }) => matches.test(path) || matches.test(read(file)));
    if (job !== undefined) found.push(jobOf(job, file, null, root));
  }
  return found;
}

function findInCrontab(file: string, root: string): ForeignJob[] {
  return read(file)
    .split('\n')
    .flatMap((text, index) => {
      if (/^\s*(?:#|$|\w+\s*=)/.test(text) || OURS.test(text)) return [];
      const job = KNOWN.find(({ matches }) => matches.test(text));
      return job === undefined ? [] : [jobOf(job, file, index + 1, root)];
    });
}

function jobOf({ name, effect, what, remedy }: KnownJob, file: string, line: number | null, root: string): ForeignJob {
  return { name, file, line, effect, what, remedy: remedy(line === null ? file : `${file}, line ${line}`, root) };
}

/** BOA's own configuration: of each account, with what it says now. */
function describeSwitch(root: string): string {
  const files = filesIn(root, 'root').filter((path) => /^root\/\.[\w-]+\.octopus\.cnf$/.test(path));
  const said = files.map((path) => {
    const value = /^\s*_DEL_OLD_BACKUPS\s*=\s*"?(\d*)"?/m.exec(read(join(root, path)))?.[1];
    return `/${path} (${value === undefined || value === '' ? 'not set' : `now ${value}`})`;
  });
  return said.length === 0 ? '/root/.ACCOUNT.octopus.cnf' : said.join(', ');
}

function filesIn(root: string, directory: string): readonly string[] {
  try {
    return readdirSync(join(root, directory))
      .toSorted()
      .slice(0, MAX_FILES)
      .map((name) => join(directory, name));
  } catch {
    return [];
  }
}

/** What is not there, is no file or may not be read says nothing. */
function read(file: string): string {
  try {
    const stat = statSync(file);
    return stat.isFile() && stat.size <= MAX_CRONTAB_BYTES ? readFileSync(file, 'utf8') : '';
  } catch {
    return '';
  }
}
