/**
 * Failures of the product that a person can act on. Every code stands once in the catalogue below,
 * with its message, what to do about it and the exit code; `docs/errors.md` is made from it.
 * Facts that do not stop an operation (an unreadable file) are returned as problems, not thrown.
 */
export type ErrorContext = Readonly<Record<string, string | number | boolean | readonly string[]>>;

export type ErrorEntry = {
  /** What happened, with names, from the context. */
  readonly message: (context: ErrorContext) => string;
  /** What to do next. */
  readonly hint: string;
  readonly exit: 1 | 2;
  readonly retry: 'never' | 'later';
};

const PAST: Readonly<Record<string, string>> = { clone: 'cloned', rename: 'renamed', migrate: 'migrated' };

/** Code → what is said of it. Alphabetical. */
export const SALVOR_ERRORS = {
  'account-unknown': {
    message: (c) => `No account is called ${String(c['account'])} on this host.`,
    hint: 'List the accounts and their sites with: salvor sites',
    exit: 1,
    retry: 'never',
  },
  'administrator-unknown': {
    message: (c) => `No log-in of an administrator is known for the database server at ${String(c['server'])}.`,
    hint: 'Write it into /root/.my.cnf (or the file that mariadb.defaultsFile of salvor.yaml names) with host and port in [client].',
    exit: 1,
    retry: 'never',
  },
  'aegir-busy': {
    message: (c) => `Aegir still works on ${String(c['site'])}: ${String(c['what'])}.`,
    hint: 'Look at the task in Aegir. One that is over and still shown as processing is ended there by “Update status”.',
    exit: 1,
    retry: 'later',
  },
  'aegir-owns-site': {
    message: (c) =>
      `${String(c['site'])} is Aegir’s (${String(c['panel'])}), which would not know of a ${String(c['operation'])} that is not its own.`,
    hint: 'Do it in Aegir, or name a command that has Aegir do it (policy: aegir: command:), or take its sites over with policy: adopt: instead.',
    exit: 1,
    retry: 'never',
  },
  'agent-lost': {
    message: () => 'The agent of this host ended while it was at work for this command.',
    hint: 'What it had begun is finished or undone by the next command, or its own next start. See it with: salvor tasks',
    exit: 1,
    retry: 'later',
  },
  'agent-running': {
    message: (c) => `An agent serves this host already: process ${String(c['process'])}.`,
    hint: 'Look at it with: systemctl status salvor-agent   One host has one agent; stop that one first.',
    exit: 1,
    retry: 'later',
  },
  'archive-damaged': {
    message: (c) => `${String(c['archive'])} is damaged: ${String(c['why'])}.`,
    hint: 'Take another archive or point of the site. What could be read of this one was not used.',
    exit: 1,
    retry: 'never',
  },
  'archive-differs': {
    message: (c) => `${String(c['archive'])} does not hold what its manifest says: ${String(c['why'])}.`,
    hint: 'If it was being written, run the command again and look at the disk; else take another archive.',
    exit: 1,
    retry: 'later',
  },
  'archive-exists': {
    message: (c) => `${String(c['archive'])} exists already, and was not replaced.`,
    hint: 'Name another file, or move that one away.',
    exit: 1,
    retry: 'never',
  },
  'archive-hostile': {
    message: (c) =>
      `${String(c['archive'])} was refused: ${String(c['why'])}. No backup program writes that of a site; nothing of it was kept.`,
    hint: 'Find out who made or changed the archive, and take another one.',
    exit: 1,
    retry: 'never',
  },
  'archive-name-refused': {
    message: (c) => `No archive can be named after ${JSON.stringify(String(c['uri']))}: it is no name of a site.`,
    hint: 'Name the file yourself with: salvor export SITE --output FILE',
    exit: 1,
    retry: 'never',
  },
  'archive-place-served': {
    message: (c) =>
      `${String(c['place'])} lies in ${String(c['root'])}, which a web server hands out: anybody could download an archive there.`,
    hint: 'Take the home above the code base as the account’s home, or write no archives with: policy: { archives: { format: none } }',
    exit: 1,
    retry: 'never',
  },
  'archive-too-large': {
    message: (c) => `${String(c['archive'])} was not unpacked: ${String(c['why'])}. Nothing of it was kept.`,
    hint: 'If it is what it should be, raise the limit in salvor.yaml; a small file that unpacks to a large one is often an attack.',
    exit: 1,
    retry: 'never',
  },
  'archive-unknown': {
    message: (c) => `${String(c['archive'])} is no archive that is known here: ${String(c['why'])}.`,
    hint: 'Archives of Salvor, Aegir, BOA and Backup and Migrate are read, and plain dumps.',
    exit: 1,
    retry: 'never',
  },
  'archive-unsupported': {
    message: (c) => `${String(c['archive'])} can't be restored by this version: ${String(c['why'])}.`,
    hint: 'Unpack it with the program that made it, and import what comes out.',
    exit: 1,
    retry: 'never',
  },
  'attribute-refused': {
    message: (c) => `The attribute ${String(c['name'])} was not set on ${String(c['path'])}: it could give rights.`,
    hint: 'Set it by hand if it is wanted; only attributes that begin with user. and ACLs are set in a home.',
    exit: 1,
    retry: 'never',
  },
  'availability-obstructed': {
    message: (c) =>
      `${String(c['site'])} was not switched, and nothing was changed: ${[c['obstacles']].flat().join('; ')}.`,
    hint: 'Look at the plan with --dry-run, put right what stands in the way, and run the same command again.',
    exit: 1,
    retry: 'never',
  },
  cancelled: {
    message: (c) => `Cancelled: ${String(c['what'] ?? 'nothing was changed')}.`,
    hint: 'Run the same command again to do it.',
    exit: 1,
    retry: 'later',
  },
  'command-failed': {
    message: (c) => `${String(c['command'])} failed: ${String(c['outcome'])}. ${String(c['words'])}`,
    hint: 'Act on what the command said.',
    exit: 1,
    retry: 'later',
  },
  'command-missing': {
    message: (c) => `${String(c['command'])} is not installed.`,
    hint: 'Install it (Debian: mariadb-client, util-linux) and run the same command again.',
    exit: 1,
    retry: 'never',
  },
  'command-still-runs': {
    message: (c) =>
      `What a hook or Drush has started can’t be ended (processes ${String(c['processes'])}); nothing was put back.`,
    hint: 'It waits for a disk or a network file system that does not answer: mend that, then run any command of Salvor again.',
    exit: 1,
    retry: 'later',
  },
  'config-exposed': {
    message: (c) => `${String(c['file'])} holds a password and other users can read it.`,
    hint: 'Make it yours alone with: chmod 600 FILE',
    exit: 2,
    retry: 'never',
  },
  'config-foreign': {
    message: (c) => `${String(c['file'])} is not root's alone to write: ${String(c['why'])}. Nothing in it was used.`,
    hint: 'If it is yours: chown root FILE; chmod go-w FILE. It names what is done with the rights of root.',
    exit: 2,
    retry: 'never',
  },
  'config-invalid': {
    message: (c) => `${String(c['file'])}:${String(c['line'])}:${String(c['column'])}: ${String(c['problem'])}.`,
    hint: 'Mend that line of the configuration and run the command again. Nothing was done.',
    exit: 2,
    retry: 'never',
  },
  'config-missing': {
    message: (c) => `There is no configuration: looked at ${[c['places']].flat().join(' and ')}.`,
    hint: 'Write one with: salvor init   or name one with: --config FILE',
    exit: 2,
    retry: 'never',
  },
  'config-unreadable': {
    message: (c) => `The configuration ${String(c['file'])} can't be read: ${String(c['reason'])}.`,
    hint: 'Run the command as the user who may read it (usually root), or name another with: --config FILE',
    exit: 2,
    retry: 'never',
  },
  'consent-missing': {
    message: (c) => `${String(c['what'])} needs consent, and there is no terminal to ask on. Nothing was changed.`,
    hint: 'Give consent with: --yes   (restore shows beforehand what it would do with: --dry-run)',
    exit: 2,
    retry: 'never',
  },
  'copies-unreadable': {
    message: (c) =>
      `The points of ${String(c['account'])} can be read in neither copy. The local one: ${String(c['local'])}. The remote one: ${String(c['remote'])}.`,
    hint: 'Mount the disk of the local one, or see that the remote place answers; salvor doctor looks at both.',
    exit: 1,
    retry: 'later',
  },
  'database-exists': {
    message: (c) => `A database ${String(c['database'])} was made by somebody at this very moment; it was left alone.`,
    hint: 'Run the same command again: it takes another name.',
    exit: 1,
    retry: 'later',
  },
  'database-failed': {
    message: (c) => `The database server at ${String(c['server'])} refused a statement: ${String(c['words'])}.`,
    hint: 'Act on what the server said; its number is in its manual.',
    exit: 1,
    retry: 'later',
  },
  'database-login-refused': {
    message: (c) => `${String(c['server'])} refuses the log-in ${String(c['user'])}: ${String(c['words'])}.`,
    hint: 'Look at the user and the password in the settings of the site. Over the network the server may demand TLS, which the settings have to ask for.',
    exit: 1,
    retry: 'never',
  },
  'database-missing': {
    message: (c) => `There is no database ${String(c['database'])} at ${String(c['server'])}.`,
    hint: 'Look at the name in the settings of the site, and at the server.',
    exit: 1,
    retry: 'never',
  },
  'database-server-untested': {
    message: (c) =>
      `Nothing is written to the database server at ${String(c['server'])}: it is ${String(c['product'])}, with which this version was never tested.`,
    hint: 'Restores need MariaDB 10.6 or later. Write the point into a directory with --to and load its dump with the server’s own client.',
    exit: 1,
    retry: 'never',
  },
  'database-tls-failed': {
    message: (c) =>
      `The connection to the database server at ${String(c['server'])} was not secured: ${String(c['why'])}.`,
    hint: 'Look at the certificates that the site’s settings name and at the server’s own. Without TLS nothing is sent there.',
    exit: 1,
    retry: 'never',
  },
  'database-unreachable': {
    message: (c) => `The database server at ${String(c['server'])} does not answer: ${String(c['words'])}.`,
    hint: 'Start the server, or correct its address, and run the same command again.',
    exit: 1,
    retry: 'later',
  },
  'delete-obstructed': {
    message: (c) =>
      `${String(c['site'])} was not deleted, and nothing was changed: ${[c['obstacles']].flat().join('; ')}.`,
    hint: 'Look at the plan with --dry-run, put right what stands in the way, and run the same command again. A database that can’t be judged or saved is left behind as it is by: salvor delete SITE --without-backup',
    exit: 1,
    retry: 'never',
  },
  'delete-unsaved': {
    message: (c) =>
      `${String(c['site'])} was not deleted, and nothing was changed: a database of it could not be saved before. ${String(c['why'])}`,
    hint: 'Put that right, and run the same command again. To take the site away all the same, and leave that database behind as it is and without a backup: salvor delete SITE --without-backup',
    exit: 1,
    retry: 'never',
  },
  'disk-full': {
    message: (c) => `The disk is full: ${String(c['where'])}. Nothing half done was left.`,
    hint: 'Free some space there and run the same command again.',
    exit: 1,
    retry: 'later',
  },
  'dump-empty': {
    message: (c) =>
      `The database ${String(c['database'])} gave an empty dump: it holds no table that ${String(c['user'])} can see.`,
    hint: 'If the database should hold tables, look at the grants of the user.',
    exit: 1,
    retry: 'never',
  },
  'dump-failed': {
    message: (c) => `The database ${String(c['database'])} was not dumped: ${String(c['words'])}`,
    hint: 'Act on what the dump tool said.',
    exit: 1,
    retry: 'later',
  },
  'dump-incomplete': {
    message: (c) => `The dump of ${String(c['database'])} was cut off: ${String(c['why'])}.`,
    hint: 'Run it again; if it was read from a point, take an older one and check the repository.',
    exit: 1,
    retry: 'later',
  },
  'dump-locked': {
    message: (c) =>
      `The database ${String(c['database'])} was not dumped, because somebody holds a lock on it: ${String(c['words'])}.`,
    hint: 'Find the session that holds it with SHOW FULL PROCESSLIST, end it or wait for it, and run it again.',
    exit: 1,
    retry: 'later',
  },
  'dump-refused': {
    message: (c) =>
      `${String(c['file'])}, line ${String(c['line'])}: the dump tries what a dump may not do, and was stopped: ${String(c['words'])}. Nothing outside its scratch database was touched.`,
    hint: 'Look at that line: the dump was made or changed by somebody who wanted more than tables.',
    exit: 1,
    retry: 'never',
  },
  'dump-tables-differ': {
    message: (c) =>
      `The dump of ${String(c['database'])} does not hold the tables that the server lists: ${String(c['why'])}.`,
    hint: 'Tables were made or dropped while the dump ran. Run it again.',
    exit: 1,
    retry: 'later',
  },
  'dumps-missing': {
    message: (c) => `No database of the account ${String(c['account'])} could be dumped.`,
    hint: 'The problems before this name each database and what is wrong with it; see also: salvor sites',
    exit: 1,
    retry: 'later',
  },
  'file-changed': {
    message: (c) => `${String(c['path'])} was not written: it is not what it was when this task looked at it.`,
    hint: 'Somebody changed it meanwhile. Run the same command again: it takes what is there now.',
    exit: 1,
    retry: 'later',
  },
  'file-foreign': {
    message: (c) =>
      `${String(c['path'])} was not touched: it belongs to user ${String(c['uid'])} (${String(c['links'])} names), who is none of this account's.`,
    hint: 'Look at whose file it is: it may be a hard link to a file of somebody else. Remove it, or give it to the account.',
    exit: 1,
    retry: 'never',
  },
  'helper-failed': {
    message: (c) => `The process that works in the account's home with its user failed: ${String(c['why'])}.`,
    hint: 'Run the same command again; where it fails again, look at what the account’s own programs do to it.',
    exit: 1,
    retry: 'later',
  },
  'helper-user-refused': {
    message: (c) =>
      `Nothing is done in a home as user ${String(c['uid'])}, group ${String(c['gid'])}: it would be done with more rights than the account has.`,
    hint: 'Give the home to its account with chown, and run the same command again.',
    exit: 1,
    retry: 'never',
  },
  'home-missing': {
    message: (c) => `There is no directory ${String(c['home'])}.`,
    hint: 'Name the home of an account, such as /data/disk/o1. Nothing was written.',
    exit: 2,
    retry: 'never',
  },
  'home-refused': {
    message: (c) => `The system refused ${String(c['path'])} to the account (${String(c['code'])}).`,
    hint: 'Look at owner and mode of that path: the account itself must be able to do it.',
    exit: 1,
    retry: 'later',
  },
  'hook-failed': {
    message: (c) => `The ${String(c['hook'])} hook of ${String(c['site'])} failed: ${String(c['why'])}.`,
    hint: 'What Salvor had begun was taken back. Mend the command in salvor.yaml, or take it out, and run it again.',
    exit: 1,
    retry: 'later',
  },
  'id-taken': {
    message: (c) => `The account was not recovered: ${String(c['problem'])}.`,
    hint: 'Recover on a machine without other users, or give the number free and recover again.',
    exit: 1,
    retry: 'never',
  },
  'identity-obstructed': {
    message: (c) =>
      `${String(c['site'])} was not ${PAST[String(c['operation'])] ?? 'changed'}, and nothing was touched: ${[c['obstacles']].flat().join('; ')}.`,
    hint: 'Look at the plan with --dry-run, put right what stands in the way, and run the same command again.',
    exit: 1,
    retry: 'never',
  },
  'install-obstructed': {
    message: (c) => `${String(c['path'])} is in the way: ${String(c['why'])}. It was not replaced.`,
    hint: 'Move it away and run the same command again. Changes of your own to the service belong into a drop-in (systemctl edit salvor-agent).',
    exit: 1,
    retry: 'never',
  },
  'key-unreadable': {
    message: (c) => `The key of account ${String(c['account'])} can't be used: ${String(c['problem'])}.`,
    hint: 'Put the account’s key file back at the place that was named, owned by root and with mode 0600.',
    exit: 1,
    retry: 'never',
  },
  'kit-unreadable': {
    message: (c) => `${String(c['kit'])} is no recovery kit: ${String(c['why'])}.`,
    hint: 'Name the file that salvor init has written (STATE/recovery-kit.html). From paper: run the command without --kit on a terminal, and type.',
    exit: 2,
    retry: 'never',
  },
  'load-waits-for-space': {
    message: (c) =>
      `The disk of the database server ${String(c['server'])} is full, and a statement of a load that was ended waits there for space: what was loaded can't be dropped before that is over.`,
    hint: 'Free some space there. The next command of salvor removes what was loaded.',
    exit: 1,
    retry: 'later',
  },
  'load-failed': {
    message: (c) =>
      `${String(c['file'])}, line ${String(c['line'])} was not loaded: ${String(c['words'])}. The scratch database is not used.`,
    hint: 'Act on what the server said.',
    exit: 1,
    retry: 'later',
  },
  'machine-in-use': {
    message: (c) =>
      `This machine has a Salvor of its own, with another recovery key: ${String(c['file'])}. Nothing was changed.`,
    hint: 'Recover on an empty machine, or with a configuration that names another state: --config FILE. The accounts of this one are restored with: salvor restore',
    exit: 1,
    retry: 'never',
  },
  'mask-failed': {
    message: (c) => `${String(c['place'])} was not masked: ${String(c['why'])}. The copy was not shown to anybody.`,
    hint: 'Mend or leave out the rule (policy: mask: columns), or clone without --mask.',
    exit: 1,
    retry: 'never',
  },
  'mask-users-missing': {
    message: (c) =>
      `No table of users as ${String(c['cms'])} has it is in ${String(c['databases'])}: nothing can be masked.`,
    hint: 'Look where the users of the site are kept; a copy that holds them unmasked is made without --mask.',
    exit: 1,
    retry: 'never',
  },
  'not-a-file': {
    message: (c) => `${String(c['path'])} was not read: it is not a regular file.`,
    hint: 'Look at what lies there, and put a file in its place.',
    exit: 1,
    retry: 'never',
  },
  'not-installed': {
    message: (c) => `Nothing was installed on this host that ${String(c['state'])} knows of.`,
    hint: 'Install it with: salvor install   (name its configuration with --config where it is not /etc/salvor/salvor.yaml)',
    exit: 1,
    retry: 'never',
  },
  'nothing-to-confirm': {
    message: (c) => `Task ${String(c['task'])} has nothing to confirm: ${String(c['why'])}.`,
    hint: 'What a task keeps is shown by: salvor tasks',
    exit: 1,
    retry: 'never',
  },
  'nothing-to-undo': {
    message: (c) => `Task ${String(c['task'])} can't be undone: ${String(c['why'])}.`,
    hint: 'Restore the safety point of that task instead; salvor points SITE lists it.',
    exit: 1,
    retry: 'never',
  },
  'password-file-unreadable': {
    message: (c) => `The password file ${String(c['file'])} can't be used: ${String(c['reason'])}.`,
    hint: 'Name a file that holds the password on its first line, readable by you alone, with: --password-file FILE',
    exit: 2,
    retry: 'never',
  },
  'path-leads-out': {
    message: (c) => `${String(c['path'])} was not touched: ${String(c['what'])} stands in the way to it.`,
    hint: 'Look at each directory of that path; put a directory where it leads elsewhere.',
    exit: 1,
    retry: 'later',
  },
  'path-missing': {
    message: (c) => `There is no ${String(c['path'])}.`,
    hint: 'Look at the path; something on the way to it is missing.',
    exit: 1,
    retry: 'later',
  },
  'path-taken': {
    message: (c) => `${String(c['path'])} is there already and was not written over.`,
    hint: 'Name another place, or remove what lies there.',
    exit: 1,
    retry: 'later',
  },
  'path-unknown': {
    message: (c) => `Point ${String(c['point'])} has nothing at ${String(c['path'])}.`,
    hint: 'Look at what it holds with: salvor ls POINT /site   (--path is relative to /site, without a slash before it)',
    exit: 1,
    retry: 'never',
  },
  'path-unsafe': {
    message: (c) => `${JSON.stringify(String(c['path']))} is no path below a directory of ours: ${String(c['why'])}.`,
    hint: 'Name what is meant without .. and by its place below the directory.',
    exit: 1,
    retry: 'never',
  },
  'place-mounted': {
    message: (c) => `${String(c['path'])} is a mount of its own, where nothing can be put in one step.`,
    hint: 'Mount it one level higher, or unmount it, recover, and move it over.',
    exit: 1,
    retry: 'never',
  },
  'place-taken': {
    message: (c) => `${String(c['path'])} is there already, and was left as it is.`,
    hint: 'Is this the machine that lives? Then restore single sites with: salvor restore. Else move it away and recover again.',
    exit: 1,
    retry: 'never',
  },
  'place-unusable': {
    message: (c) =>
      `${String(c['place'])} can't be used: it fails when asked to ${String(c['step'])}: ${String(c['why'])}`,
    hint: 'Look at the disk or the server and at the rights there; try it again with: salvor repo test-connection --repo URL',
    exit: 1,
    retry: 'later',
  },
  'platform-ambiguous': {
    message: (c) => `Several platforms are called ${String(c['platform'])}: ${String(c['found'])}.`,
    hint: 'Name its root, and the account with --account.',
    exit: 1,
    retry: 'never',
  },
  'platform-unknown': {
    message: (c) => `No platform is called ${String(c['platform'])}; there are ${String(c['known'])}.`,
    hint: 'List them with: salvor sites',
    exit: 1,
    retry: 'never',
  },
  'point-ambiguous': {
    message: (c) => `More than one point begins with ${String(c['point'])}.`,
    hint: 'Give more of its letters; salvor points SITE lists them whole.',
    exit: 2,
    retry: 'never',
  },
  'point-held': {
    message: (c) => `Point ${String(c['point'])} was not deleted: ${String(c['why'])}.`,
    hint: 'Name another point; a safety point is let go by: salvor confirm TASK',
    exit: 1,
    retry: 'never',
  },
  'point-incomplete': {
    message: (c) => `Point ${String(c['point'])} was not used: ${String(c['problem'])}.`,
    hint: 'Take another point of the site; salvor points SITE lists them.',
    exit: 1,
    retry: 'never',
  },
  'point-missing': {
    message: (c) => `${String(c['site'])} has no complete point to restore.`,
    hint: 'Make one with salvor backup SITE, or name an incomplete or a safety point; salvor points SITE lists them.',
    exit: 1,
    retry: 'never',
  },
  'point-unknown': {
    message: (c) => `No point of ${String(c['where'])} is called ${String(c['point'])}.`,
    hint: 'List a site’s points with: salvor points SITE   (the first four letters of an id are enough)',
    exit: 1,
    retry: 'never',
  },
  'point-unreadable': {
    message: (c) =>
      `Point ${String(c['point'])} can be read from neither copy. The local one: ${String(c['local'])}. The remote one: ${String(c['remote'])}.`,
    hint: 'Nothing was changed. Take another point (salvor points SITE), or mend one copy: salvor repo check, salvor repo heal.',
    exit: 1,
    retry: 'later',
  },
  'program-exposed': {
    message: (c) =>
      `Root would run what others can change: ${String(c['path'])}: ${String(c['why'])}. Nothing was installed.`,
    hint: 'Put the program where only root writes: cp -r DIR /opt/salvor; chown -R root:root /opt/salvor; chmod -R go-w /opt/salvor; /opt/salvor/bin/salvor install',
    exit: 1,
    retry: 'never',
  },
  'program-missing': {
    message: (c) => `There is no bin/salvor in ${String(c['program'])}.`,
    hint: 'Name the directory of the program, as seen from inside the root, with: --program DIR',
    exit: 2,
    retry: 'never',
  },
  'quota-exceeded': {
    message: (c) => `The account's quota is used up: ${String(c['path'])} was not written.`,
    hint: 'Free some space in the account, or raise its quota, and run the same command again.',
    exit: 1,
    retry: 'later',
  },
  'recovery-incomplete': {
    message: (c) =>
      `What task ${String(c['task'])} left behind could be neither finished nor undone: ${String(c['problem'])}.`,
    hint: 'Put right what is named (often the database server is down) and run any salvor command again.',
    exit: 1,
    retry: 'later',
  },
  'recovery-key-refused': {
    message: (c) => `The recovery key does not open ${String(c['location'])}.`,
    hint: 'Look whether it is the key of the newest recovery kit, letter by letter. On the host itself: salvor init gives every repository its key again.',
    exit: 1,
    retry: 'never',
  },
  'recovery-point-missing': {
    message: (c) => `${String(c['account'])} has no night's point of its files at ${String(c['url'])}.`,
    hint: 'Recover from the other copy with --from, or look for points of single sites with: salvor repo snapshots --repo URL',
    exit: 1,
    retry: 'never',
  },
  'recovery-space-missing': {
    message: (c) => `There is not room for all of it: ${String(c['why'])}. Nothing was changed.`,
    hint: 'Make room there, name a larger disk for the local repositories (local of salvor.yaml), or recover a part: --account, --site. See what would come with --dry-run.',
    exit: 1,
    retry: 'never',
  },
  'remote-login-missing': {
    message: (c) => `There is no key to log in to the remote place with: none in ${String(c['directory'])}.`,
    hint: 'Name its file in salvor.yaml (remote: { url: …, identityFile: … }), or make one with: ssh-keygen',
    exit: 1,
    retry: 'never',
  },
  'remote-unnamed': {
    message: () => 'The configuration names no remote place.',
    hint: 'Name one with: salvor init --remote sftp:user@host:/path',
    exit: 2,
    retry: 'never',
  },
  'repository-gone': {
    message: (c) =>
      `The repository of ${String(c['account'])} at ${String(c['url'])} is not there any more, and an empty one was not put in its place.`,
    hint: 'Mount its disk. If it is gone for good, make it again out of the other copy with: salvor recover --only copies   (without one, remove the file in STATE/repositories that names it, and a new one is begun).',
    exit: 1,
    retry: 'later',
  },
  'restore-differs': {
    message: (c) =>
      `What was built for ${String(c['site'])} differs from the point: ${String(c['what'])}. The site was not changed.`,
    hint: 'Check the repository with salvor repo check --read-data, then try another point.',
    exit: 1,
    retry: 'never',
  },
  'restore-obstructed': {
    message: (c) =>
      `${String(c['site'])} was not restored, and nothing was changed: ${[c['obstacles']].flat().join('; ')}.`,
    hint: 'Look at the plan with --dry-run, remove what stands in the way, and run the same command again.',
    exit: 1,
    retry: 'later',
  },
  'root-needed': {
    message: (c) => `${String(c['what'])} needs root.`,
    hint: 'Run it as root, or beneath a directory of your own with: --root DIR',
    exit: 2,
    retry: 'never',
  },
  'scratch-exists': {
    message: (c) => `The scratch database ${String(c['database'])} exists already.`,
    hint: 'Another task uses it, or a crash left it: run any salvor command, which cleans up first.',
    exit: 1,
    retry: 'later',
  },
  'scratch-name-refused': {
    message: (c) => `${String(c['name'])} is no name of a scratch database or user of ours, and was not touched.`,
    hint: 'Only names that begin with salvor_ are made and dropped.',
    exit: 1,
    retry: 'never',
  },
  'settings-not-rewritten': {
    message: (c) =>
      `The new settings would not say what they have to (${String(c['file'])}${Number(c['line']) > 0 ? `:${String(c['line'])}` : ''}): ${String(c['why'])}. The site was not changed.`,
    hint: 'Write the database and the paths of the site as plain texts into its settings, then run the same command again.',
    exit: 1,
    retry: 'never',
  },
  'site-ambiguous': {
    message: (c) => `More than one site is called ${String(c['site'])}: ${[c['candidates']].flat().join(', ')}.`,
    hint: 'Name the one that is meant as ACCOUNT/URI.',
    exit: 2,
    retry: 'never',
  },
  'site-busy': {
    message: (c) =>
      `${String(c['site'])} is being worked on by task ${String(c['task'])} (process ${String(c['process'])}).`,
    hint: 'Wait for it with --wait, or look at it with: salvor task log ID --follow',
    exit: 1,
    retry: 'later',
  },
  'site-unknown': {
    message: (c) =>
      `No site is called ${String(c['site'])} on this host.${c['near'] === undefined ? '' : ` Is ${String(c['near'])} meant?`}`,
    hint: 'List the sites with: salvor sites',
    exit: 1,
    retry: 'never',
  },
  'site-unsupported': {
    message: (c) =>
      `${String(c['site'])} can't be handled by this version, and nothing was touched: ${String(c['why'])}.`,
    hint: 'Change what is named, or wait for the version that handles it.',
    exit: 1,
    retry: 'never',
  },
  'source-missing': {
    message: (c) => `${String(c['path'])} can't be backed up: ${String(c['reason'])}.`,
    hint: 'Look at the path. Nothing was stored.',
    exit: 1,
    retry: 'never',
  },
  'staging-unsafe': {
    message: (c) => `${String(c['path'])} can be written by others, so nothing was built there.`,
    hint: 'Give it to root with mode 0700, or name another place with staging: in salvor.yaml.',
    exit: 1,
    retry: 'never',
  },
  'swap-foreign-key': {
    message: (c) => `The tables of ${String(c['database'])} can't change places: ${String(c['why'])}.`,
    hint: 'Restore the tables on both sides of the key together, or drop the foreign key first.',
    exit: 1,
    retry: 'never',
  },
  'swap-locked': {
    message: (c) =>
      `The tables of ${String(c['database'])} were in use for too long and did not change places: ${String(c['transactions'])}.`,
    hint: 'End the transactions that are named, or wait for them, and run the same command again.',
    exit: 1,
    retry: 'later',
  },
  'swap-mixed': {
    message: (c) =>
      `The tables of ${String(c['database'])} are neither where the switch found them nor where it puts them: ${String(c['why'])}.`,
    hint: 'Somebody changed tables by hand. Nothing was moved: look at the tables that are named.',
    exit: 1,
    retry: 'never',
  },
  'swap-obstructed': {
    message: (c) =>
      `The tables of ${String(c['database'])} can't change places, and nothing was changed: ${String(c['why'])}.`,
    hint: 'Remove what stands in the way and run the same command again.',
    exit: 1,
    retry: 'never',
  },
  'system-refused': {
    message: (c) => `The system refused: ${String(c['reason'])}.`,
    hint: 'Look at that path, its owner and its rights; Salvor usually runs as root.',
    exit: 1,
    retry: 'later',
  },
  'table-unknown': {
    message: (c) => `Point ${String(c['point'])} holds no table ${String(c['table'])}.`,
    hint: 'Look at its tables with: salvor ls POINT /databases',
    exit: 1,
    retry: 'never',
  },
  'target-differs': {
    message: (c) => `${String(c['path'])} was read back with other bytes than were written.`,
    hint: 'Something writes there at the same time, or the disk is failing: look at both, and run the command again.',
    exit: 1,
    retry: 'later',
  },
  'target-not-empty': {
    message: (c) => `Nothing was written to ${String(c['target'])}: ${String(c['why'])}.`,
    hint: 'Name a directory that does not exist yet, or an empty one.',
    exit: 1,
    retry: 'never',
  },
  'target-unsafe': {
    message: (c) => `Nothing was written to ${String(c['target'])}: ${String(c['place'])}: ${String(c['why'])}.`,
    hint: 'Name a directory below ones that only root or the site’s account can write.',
    exit: 1,
    retry: 'never',
  },
  'task-ended': {
    message: (c) => `Task ${String(c['task'])} has ended already (${String(c['state'])}): there is nothing to cancel.`,
    hint: 'See how it ended with: salvor task log ID   (what it has switched, salvor undo ID switches back)',
    exit: 1,
    retry: 'never',
  },
  'task-overdue': {
    message: (c) => `The task ran for longer than ${String(c['limit'])} and was stopped: ${String(c['what'])}.`,
    hint: 'See in its log which step took the time (salvor task log ID), and run the same command again.',
    exit: 1,
    retry: 'never',
  },
  'task-unknown': {
    message: (c) => `No task is called ${String(c['task'])} on this host.`,
    hint: 'List the last tasks with: salvor tasks',
    exit: 1,
    retry: 'never',
  },
  'tree-in-use': {
    message: (c) => `${String(c['path'])} was not removed whole: something fills it as fast as it is emptied.`,
    hint: 'End the program that writes there, and run the same command again.',
    exit: 1,
    retry: 'later',
  },
  'tree-too-deep': {
    message: (c) => `${String(c['path'])} lies more than ${String(c['levels'])} directories deep.`,
    hint: 'Nothing sensible makes such a tree: look at who did, and remove it.',
    exit: 1,
    retry: 'never',
  },
  'update-failed': {
    message: (c) =>
      `The database updates of ${String(c['site'])} failed, and all is as it was before: ${String(c['why'])}.`,
    hint: 'The log of the task has what was printed (salvor task log TASK). Put it right on a clone first: salvor clone SITE NEWURI --platform P',
    exit: 1,
    retry: 'never',
  },
  'upgrade-undone': {
    message: (c) =>
      `The upgrade from ${String(c['from'])} to ${String(c['to'])} was taken back, and the version of before runs again: ${String(c['why'])}`,
    hint: 'Put right what it says, or report it, and run the same command again. See how the host stands with: salvor doctor',
    exit: 1,
    retry: 'never',
  },
  usage: {
    message: (c) => `${String(c['problem'])}.`,
    hint: 'See what a command takes with: salvor COMMAND --help',
    exit: 2,
    retry: 'never',
  },
  'verify-failed': {
    message: (c) => `${String(c['site'])} is not as it must be: ${[c['checks']].flat().join(', ')} failed.`,
    hint: 'Each finding is named with its code: salvor task log TASK shows them again.',
    exit: 1,
    retry: 'never',
  },
  'virtual-host-refused': {
    message: (c) =>
      `${String(c['server'])} refuses ${[c['files']].flat().join(', ')}: ${String(c['words'])}. What was there before is back.`,
    hint: 'Mend what the web server names (the template, or webServer: in salvor.yaml), and run the same command again.',
    exit: 1,
    retry: 'never',
  },
} as const satisfies Record<string, ErrorEntry>;

export type SalvorErrorCode = keyof typeof SALVOR_ERRORS;

/** Thrown where an operation of the product failed. Branch on `code`, never on the text. */
export class SalvorError extends Error {
  override readonly name = 'SalvorError';
  readonly code: SalvorErrorCode;
  readonly hint: string;
  readonly context: ErrorContext;
  readonly retry: 'never' | 'later';

  constructor(code: SalvorErrorCode, context: ErrorContext = {}, options: { readonly cause?: unknown } = {}) {
    const entry: ErrorEntry = SALVOR_ERRORS[code];
    super(entry.message(context), options);
    this.code = code;
    this.hint = entry.hint;
    this.context = context;
    this.retry = entry.retry;
  }
}
