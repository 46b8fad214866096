/**
 * What can be typed: every verb with its arguments, flags and help. What a verb does is in `commands/<verb>.ts`,
 * which is loaded only when it is asked for, so that `salvor --help` is there at once.
 */
import { Command, Option } from 'commander';
import type { Argument } from 'commander';
import { addRepoCommand } from './repo-program.ts';
import { addVerb, exitCodes } from './verb.ts';
import { readVersion } from '../lib/version.ts';
import type { GlobalFlags, Perform } from './verb.ts';
import type { CloneFlags } from './commands/clone.ts';
import type { ImportFlags } from './commands/import.ts';
import type { AvailabilityFlags } from './commands/availability.ts';
import type { DailyFlags } from './commands/daily.ts';
import type { DeleteFlags } from './commands/delete.ts';
import type { BackupFlags } from './commands/backup.ts';
import type { BackupDeleteFlags } from './commands/backup-delete.ts';
import type { ExportFlags } from './commands/export.ts';
import type { InitFlags } from './commands/init.ts';
import type { KeysRotateFlags } from './commands/keys.ts';
import type { InstallFlags } from './commands/install.ts';
import type { UninstallFlags } from './commands/uninstall.ts';
import type { PolicyShowFlags } from './commands/policy.ts';
import type { RecoverFlags } from './commands/recover.ts';
import type { MigrateFlags, RelocateFlags } from './commands/relocate.ts';
import type { RestoreFlags } from './commands/restore.ts';
import type { FromFlags } from './from-copy.ts';
import type { StatusFlags } from './commands/status.ts';
import type { TasksFlags } from './commands/tasks.ts';
import type { UndoFlags } from './commands/undo.ts';
import type { ConfirmFlags } from './commands/confirm.ts';
import type { WaitFlags } from './wait.ts';

/** `output.write` takes a text that was asked for; what commander says of wrong usage comes as an error too, and `run` prints that. */
export function buildProgram(
  output: { write: (text: string) => void; writeError: (text: string) => void },
  perform: Perform,
): Command {
  const program = new Command('salvor')
    .description("Backs up the sites of a web host and brings them back, in restic's open repository format.")
    .version(readVersion(), '-V, --version', 'print the version')
    .exitOverride()
    .configureOutput({ writeOut: output.write, writeErr: output.writeError, getOutHasColors: () => false })
    .configureHelp({
      helpWidth: 100,
      subcommandTerm: (command) =>
        [command.name(), ...command.registeredArguments.map((argument) => argumentTerm(argument))].join(' '),
    })
    .helpOption('-h, --help', 'show this help')
    .addHelpText('after', `\nWhat a command takes: salvor COMMAND --help\n\n${exitCodes()}`);

  program.commandsGroup('Set up:');
  addInit(program, perform);
  addInstall(program, perform);
  addAgent(program, perform);
  addKeys(program, perform);
  addRecover(program, perform);
  program.commandsGroup('Back up and bring back:');
  addBackup(program, perform);
  addDaily(program, perform);
  addRestore(program, perform);
  addArchives(program, perform);
  addUndo(program, perform);
  addConfirm(program, perform);
  addDelete(program, perform);
  addAvailability(program, perform);
  program.commandsGroup('Copy, rename and move:');
  addClone(program, perform);
  addImport(program, perform);
  addRelocate(program, perform);
  program.commandsGroup('Look:');
  addLooks(program, perform);
  addPolicy(program, perform);
  program.commandsGroup('Tasks:');
  addTasks(program, perform);
  program.commandsGroup('Repositories, as restic has them:');
  addRepoCommand(program, perform);
  return program.helpCommand(false);
}

function argumentTerm(argument: Argument): string {
  const term = argument.name().toUpperCase() + (argument.variadic ? '…' : '');
  return argument.required ? term : `[${term}]`;
}

function addArchives(program: Command, perform: Perform): void {
  addVerb(program, 'export', 'write a point into one archive file, without passwords', {
    examples: [
      'salvor export example.com --output /root/example.com.tar.gz',
      'salvor export example.com 5e1f --output site.tar.zst',
      'salvor export example.com --output site.tar.gz --dry-run',
    ],
    notes: [
      'The name says how it is packed: .tar.gz, .tar.bz2, .tar.zst, else plain tar.',
      'Runs as a task, and keeps no other task of the site waiting.',
    ],
  })
    .argument('<site>', SITE)
    .argument('[point]', 'id of a point; the newest complete one where it is left out')
    .requiredOption('--output <file>', 'the file, which must not be there yet')
    .addOption(fromCopy())
    .option('--dry-run', 'show what would be written, and write nothing')
    .action(async (site: string, point: string | undefined, flags: GlobalFlags & ExportFlags) =>
      perform(flags, async (context) => (await import('./commands/export.ts')).exportSite(site, point, flags, context)),
    );
  addVerb(program, 'backup-delete', 'delete one point: its archive and its snapshot', {
    examples: ['salvor backup-delete 5e1f --dry-run', 'salvor backup-delete 5e1f'],
    notes: ['A pinned point and the newest whole one of a site are refused.'],
  })
    .argument('<point>', 'id of a point')
    .option('--dry-run', 'show what would go, and change nothing')
    .option('--wait', WAIT)
    .option('-y, --yes', 'consent to it without being asked, on a terminal')
    .action(async (point: string, flags: GlobalFlags & BackupDeleteFlags) =>
      perform(flags, async (context) =>
        (await import('./commands/backup-delete.ts')).backupDelete(point, flags, context),
      ),
    );
}

function addInit(program: Command, perform: Perform): void {
  addVerb(program, 'init', 'write salvor.yaml, create the repositories and find the sites', {
    examples: ['salvor init', 'salvor init --home /data/disk/o1 --local /mnt/backups'],
  })
    .addOption(new Option('--home <dir...>', 'home of an account; found in the usual places where none is named'))
    .option('--state <dir>', 'where keys, store and journals lie (default: /var/lib/salvor)')
    .option('--local <url>', 'directory for the repositories (default: /var/backups/salvor/repositories)')
    .option('--remote <url>', 'second place for the repositories: a directory on another disk, or sftp:user@host:/path')
    .action(async (flags: GlobalFlags & InitFlags) =>
      perform(flags, async (context) => (await import('./commands/init.ts')).init(flags, context)),
    );
}

function addRecover(program: Command, perform: Perform): void {
  addVerb(program, 'recover', 'bring a lost host back on this machine, out of its recovery kit and one copy', {
    examples: [
      'salvor recover --kit recovery-kit.html --dry-run',
      'salvor recover --kit recovery-kit.html',
      'salvor recover --kit - --from remote --account o1 < recovery-kit.html',
      'salvor recover --kit recovery-kit.html --only configuration',
      'salvor recover --only catalogue',
      'salvor recover --only copies',
    ],
    notes: [
      'Without --kit it asks on a terminal for what the printed kit says.',
      'Nothing that is on this machine is written over, and nothing in a repository is removed.',
      'Killed in the middle it goes on where it was when it is called again.',
      'docs/recovery.md says what comes back and what does not.',
    ],
  })
    .option('--kit <file>', 'the recovery kit that init wrote, or - for stdin')
    .addOption(new Option('--from <copy>', 'the copy to recover from (default: remote)').choices(['local', 'remote']))
    .option('--account <account>', 'only this account')
    .option('--site <site>', 'only this site, with the code around it: URI, or ACCOUNT/URI')
    .addOption(
      new Option(
        '--only <part>',
        'configuration: with keys and catalogue; of this host, with its own keys: catalogue, or copies: repositories that are gone, out of the others',
      )
        .choices(['configuration', 'catalogue', 'copies'])
        .conflicts(['site']),
    )
    .option('--dry-run', 'show what would come back, and change nothing')
    .action(async (flags: GlobalFlags & RecoverFlags) =>
      perform(flags, async (context) => (await import('./commands/recover.ts')).recover(flags, context)),
    );
}

function addKeys(program: Command, perform: Perform): void {
  const keys = program
    .command('keys')
    .summary('change the keys of the repositories')
    .description('Changes the keys of the repositories.')
    .helpOption('-h, --help', 'show this help')
    .addHelpText('after', `\n${exitCodes()}`);
  keys.helpCommand(false);
  addVerb(keys, 'rotate', 'give each repository a new key, and take the old one away when the new one was proven', {
    examples: ['salvor keys rotate', 'salvor keys rotate --account o1', 'salvor keys rotate --recovery'],
    notes: [
      'Killed at any instant the keys of this host open every repository; the next rotation goes on.',
      'With --recovery the printed recovery kit opens nothing any more: print the new one at once.',
    ],
  })
    .option('--account <account>', 'only the repositories of this account')
    .option('--recovery', 'also a new recovery key, and a new recovery kit to print')
    .action(async (flags: GlobalFlags & KeysRotateFlags) =>
      perform(flags, async (context) => (await import('./commands/keys.ts')).keysRotate(flags, context)),
    );
}

function addInstall(program: Command, perform: Perform): void {
  addVerb(program, 'install', 'put the agent into service: directories, the command, a service that starts at boot', {
    examples: ['salvor install', 'salvor install --root /mnt/image --program /opt/salvor'],
    notes: [
      'Writes a systemd unit, or a SysV script where there is no systemd. May be run again.',
      'With --root nothing of this host is touched, and nothing is started.',
    ],
  })
    .option('--root <dir>', 'write beneath this directory, the root of another system')
    .option('--program <dir>', 'where the program lies, as seen from inside the root (default: this one)')
    .addOption(
      new Option('--init <system>', 'what starts it at boot (default: what is there)').choices(['systemd', 'sysv']),
    )
    .action(async (flags: GlobalFlags & InstallFlags) =>
      perform(flags, async (context) => (await import('./commands/install.ts')).install(flags, context)),
    );
  addVerb(program, 'upgrade', 'put this version in the place of the installed one, and go back if it is not well', {
    examples: ['/opt/salvor-0.2.0/bin/salvor upgrade'],
    notes: [
      'Run by the new version, beside the old one. The state is saved first, in STATE/upgrades;',
      'if the doctor finds an error that was not there before, all is as it was.',
    ],
  }).action(async (flags: GlobalFlags) =>
    perform(flags, async (context) => (await import('./commands/upgrade.ts')).upgrade(context)),
  );
  addVerb(program, 'uninstall', 'take the agent out of service; every backup, key and archive stays', {
    examples: ['salvor uninstall', 'salvor uninstall --yes'],
    notes: ['Leaves a page on how to read the backups with stock restic.'],
  })
    .option('--root <dir>', 'what was written beneath this directory')
    .option('-y, --yes', 'consent to it without being asked')
    .action(async (flags: GlobalFlags & UninstallFlags) =>
      perform(flags, async (context) => (await import('./commands/uninstall.ts')).uninstall(flags, context)),
    );
}

function addBackup(program: Command, perform: Perform): void {
  addVerb(program, 'backup', 'back up a site: its files and databases', {
    examples: [
      'salvor backup example.com --dry-run',
      'salvor backup example.com',
      "salvor backup example.com --reason 'before the update'",
    ],
  })
    .argument('<site>', SITE)
    .option('--reason <text>', 'why; shown in the list of points')
    .option('--dry-run', 'show what would be in the point, and write nothing')
    .option('--wait', WAIT)
    .option('--retry <n>', 'try again up to this often where what stops it may pass by itself')
    .action(async (site: string, flags: GlobalFlags & BackupFlags) =>
      perform(flags, async (context) => (await import('./commands/backup.ts')).backup(site, flags, context)),
    );
}

function addDaily(program: Command, perform: Perform): void {
  addVerb(program, 'daily', 'run the nightly job now: all files and databases of every account, in all copies', {
    examples: ['salvor daily', 'salvor daily --account o1'],
  })
    .option('--account <account>', 'only this account')
    .option('--wait', WAIT)
    .action(async (flags: GlobalFlags & DailyFlags) =>
      perform(flags, async (context) => (await import('./commands/daily.ts')).daily(flags, context)),
    );
}

function addAgent(program: Command, perform: Perform): void {
  for (const name of ['agent', 'serve'])
    addVerb(
      program,
      name,
      name === 'agent'
        ? 'serve this host: nightly jobs when they are due, and tasks that wait'
        : 'the same, until there is more to serve than the agent',
      {
        examples: [`salvor ${name}`, `salvor ${name} --config /etc/salvor/salvor.yaml`],
        notes: [
          'Runs until it is told to stop (SIGTERM, Ctrl-C); a job that runs then is stopped, and begun again by the next start.',
          'A change of salvor.yaml is in force within half a minute; one that can not be read is told and not used.',
        ],
      },
    ).action(async (flags: GlobalFlags) =>
      perform(flags, async (context) => (await import('./commands/agent.ts')).agent(context)),
    );
}

function addRestore(program: Command, perform: Perform): void {
  addVerb(program, 'restore', 'bring a site back to a point, or put a point into a directory', {
    examples: [
      'salvor restore example.com --dry-run',
      'salvor restore example.com 5e1f --path files/images',
      'salvor restore example.com --table users --yes',
      'salvor restore example.com --to /root/yesterday',
      'salvor restore example.com --into test.example.com',
      'salvor restore example.com 5e1f --from remote',
    ],
  })
    .argument('<site>', SITE)
    .argument('[point]', 'id of a point; the newest complete one where it is left out')
    .addOption(new Option('--only <part>', 'restore only this part').choices(['files', 'databases']))
    .option('--path <path...>', "restore only this file or directory, relative to the site's directory")
    .option('--table <table...>', 'restore only this table: TABLE or DATABASE.TABLE')
    .addOption(
      new Option('--to <dir>', 'write into this directory, missing or empty, and leave the site alone').conflicts(
        'into',
      ),
    )
    .option('--into <site>', 'put it into this other site of the account, which keeps its settings and its names')
    .option('--despite-platform', 'restore it where it lies now, though the platform that it lay on is still there')
    .addOption(fromCopy())
    .option('--dry-run', 'show the plan and change nothing')
    .option('--wait', WAIT)
    .option('-y, --yes', 'consent to it without being asked')
    .action(async (site: string, point: string | undefined, flags: GlobalFlags & RestoreFlags) =>
      perform(flags, async (context) => (await import('./commands/restore.ts')).restore(site, point, flags, context)),
    );
}

function addUndo(program: Command, perform: Perform): void {
  addVerb(program, 'undo', 'switch back what a task has switched', {
    examples: ['salvor undo mwtud5ya6orn --dry-run', 'salvor undo mwtud5ya6orn --yes'],
    notes: ['What is there now is kept in turn: the undo can be undone too.'],
  })
    .argument('<task>', TASK)
    .option('--dry-run', 'show what would change places, and change nothing')
    .option('--wait', WAIT)
    .option('-y, --yes', 'consent to it without being asked')
    .action(async (task: string, flags: GlobalFlags & UndoFlags) =>
      perform(flags, async (context) => (await import('./commands/undo.ts')).undo(task, flags, context)),
    );
}

function addConfirm(program: Command, perform: Perform): void {
  addVerb(program, 'confirm', 'end what a task keeps: what undo would bring back, and the pin of its safety point', {
    examples: ['salvor confirm mwtud5ya6orn --dry-run', 'salvor confirm mwtud5ya6orn'],
  })
    .argument('<task>', TASK)
    .option('--dry-run', 'show what would be dropped, and change nothing')
    .option('--wait', WAIT)
    .action(async (task: string, flags: GlobalFlags & ConfirmFlags) =>
      perform(flags, async (context) => (await import('./commands/confirm.ts')).confirm(task, flags, context)),
    );
}

function addDelete(program: Command, perform: Perform): void {
  addVerb(program, 'delete', 'take a site away, so that undo can bring it back until its grace period ends', {
    examples: [
      'salvor delete old.example.com --dry-run',
      'salvor delete old.example.com --confirm old.example.com --yes',
      'salvor delete old.example.com --without-backup --dry-run',
    ],
  })
    .argument('<site>', SITE)
    .option('--confirm <uri>', 'the URI once more; without it the name is asked for')
    .option('--dry-run', 'show the plan and change nothing')
    .option('--wait', WAIT)
    .option(
      '--without-backup',
      'leave a database behind, as it is, where it can’t be backed up or nobody can tell whose it is; the safety point has none of it',
    )
    .option('-y, --yes', 'consent to it without being asked; wants --confirm')
    .action(async (site: string, flags: GlobalFlags & DeleteFlags) =>
      perform(flags, async (context) => (await import('./commands/delete.ts')).deleteCommand(site, flags, context)),
    );
}

function addClone(program: Command, perform: Perform): void {
  addVerb(program, 'clone', 'make a second site of one, with a database of its own', {
    examples: [
      'salvor clone example.com test.example.com --dry-run',
      'salvor clone example.com test.example.com --platform drupal-11 --mask',
    ],
    notes: ['The site that is copied is only read. undo takes the clone away again.'],
  })
    .argument('<site>', SITE)
    .argument('<newuri>', 'name of the new site')
    .option('--platform <platform>', `${PLATFORM}; of a WordPress that lies with its code, the directory of its copy`)
    .option('--mask', 'replace what tells of people in the copy: mail addresses, passwords')
    .option('--dry-run', 'show the plan, with each column that would be rewritten, and change nothing')
    .option('--wait', WAIT)
    .action(async (site: string, newUri: string, flags: GlobalFlags & CloneFlags) =>
      perform(flags, async (context) => (await import('./commands/clone.ts')).clone(site, newUri, flags, context)),
    );
}

function addImport(program: Command, perform: Perform): void {
  addVerb(program, 'import', 'make a new site of an archive, with a database of its own', {
    examples: [
      'salvor import /root/example.com-20260101.020000.tar.gz --uri example.com --platform drupal-7 --dry-run',
      'salvor import old.tar.gz --uri test.example.com --platform drupal-7 --mask',
    ],
    notes: [
      'Archives of Salvor, Aegir and BOA, and Backup and Migrate’s whole sites. What is hostile in one is refused.',
      'A dump alone is no site: salvor restore --into puts it into one. undo takes the new site away again.',
    ],
  })
    .argument('<file>', 'an archive, anywhere on this host')
    .requiredOption('--uri <uri>', 'name of the new site')
    .requiredOption('--platform <platform>', 'code base that it comes to: its name, or its root')
    .option('--account <account>', 'where two accounts have such a platform')
    .option('--mask', 'replace what tells of people: mail addresses, passwords')
    .option('--despite-missing', 'go on where the platform lacks modules that the site runs')
    .option('--dry-run', 'show the plan and change nothing')
    .option('--wait', WAIT)
    .action(async (file: string, flags: GlobalFlags & ImportFlags) =>
      perform(flags, async (context) => (await import('./commands/import.ts')).importArchive(file, flags, context)),
    );
}

function addAvailability(program: Command, perform: Perform): void {
  addVerb(program, 'disable', 'switch a site off: visitors are told that it is not available, backups go on', {
    examples: ['salvor disable example.com --dry-run', 'salvor disable example.com'],
    notes: [
      'Done by its virtual host where salvor.yaml names the web server (webServer:), else by the file',
      '.maintenance. Nothing of the site is changed.',
    ],
  })
    .argument('<site>', SITE)
    .option('--dry-run', 'show the plan and change nothing')
    .option('--wait', WAIT)
    .action(async (site: string, flags: GlobalFlags & AvailabilityFlags) =>
      perform(flags, async (context) => (await import('./commands/availability.ts')).disable(site, flags, context)),
    );
  addVerb(program, 'enable', 'switch a site on again', {
    examples: ['salvor enable example.com --dry-run', 'salvor enable example.com'],
  })
    .argument('<site>', SITE)
    .option('--dry-run', 'show the plan and change nothing')
    .option('--wait', WAIT)
    .action(async (site: string, flags: GlobalFlags & AvailabilityFlags) =>
      perform(flags, async (context) => (await import('./commands/availability.ts')).enable(site, flags, context)),
    );
}

function addRelocate(program: Command, perform: Perform): void {
  addVerb(program, 'rename', 'give a site another name', {
    examples: ['salvor rename example.com example.org --dry-run', 'salvor rename example.com example.org --yes'],
    notes: [
      'It gets a new database with a new user and password where the old one is its alone; that goes when undo is no longer',
      'possible. undo gives name and database back.',
    ],
  })
    .argument('<site>', SITE)
    .argument('<newuri>', 'its new name')
    .option('--dry-run', 'show the plan, with each column that would be rewritten, and change nothing')
    .option('--keep-database', 'leave it the database, the user and the password that it has')
    .option('--wait', WAIT)
    .option('-y, --yes', 'consent to it without being asked')
    .action(async (site: string, newUri: string, flags: GlobalFlags & RelocateFlags) =>
      perform(flags, async (context) => (await import('./commands/relocate.ts')).rename(site, newUri, flags, context)),
    );
  addVerb(program, 'migrate', 'move a site to another platform of its account', {
    examples: [
      'salvor migrate example.com --platform drupal-11 --dry-run',
      'salvor migrate example.com example.org --platform drupal-11 --yes',
    ],
    notes: [
      'Modules and their updates are compared with the code of the platform first; database updates are run by the Drush',
      'that is found, and where they fail, all goes back. It gets a new database with a new user and password where the',
      'old one is its alone; that goes when undo is no longer possible.',
    ],
  })
    .argument('<site>', SITE)
    .argument('[newuri]', 'a new name as well')
    .requiredOption('--platform <platform>', PLATFORM)
    .option('--dry-run', 'show the plan, with each column that would be rewritten, and change nothing')
    .option('--keep-database', 'leave it the database, the user and the password that it has')
    .option('--wait', WAIT)
    .option('-y, --yes', 'consent to it without being asked')
    .action(async (site: string, newUri: string | undefined, flags: GlobalFlags & MigrateFlags) =>
      perform(flags, async (context) => (await import('./commands/relocate.ts')).migrate(site, newUri, flags, context)),
    );
}

function addTasks(program: Command, perform: Perform): void {
  addVerb(program, 'tasks', 'list the tasks of this host, newest first', {
    examples: ['salvor tasks', 'salvor tasks --state running queued', 'salvor tasks --site example.com --limit 5'],
  })
    .option('--site <site>', 'only of this site: URI, or ACCOUNT/URI')
    .option('--state <state...>', 'only those that are so: queued, running, succeeded, warned, failed …')
    .option('--limit <n>', 'how many (default: 50)')
    .action(async (flags: GlobalFlags & TasksFlags) =>
      perform(flags, async (context) => (await import('./commands/tasks.ts')).tasks(flags, context)),
    );
  const task = program
    .command('task')
    .summary('look at a task, or stop it')
    .description('Looks at a task, or stops it.')
    .helpOption('-h, --help', 'show this help')
    .addHelpText('after', `\n${exitCodes()}`);
  task.helpCommand(false);
  addVerb(task, 'log', 'show what a task has said', {
    examples: ['salvor task log mwtud5ya6orn', 'salvor task log mwtud5ya6orn --follow'],
  })
    .argument('<task>', TASK)
    .option('-f, --follow', 'also what it says until it ends; exits as the task does')
    .action(async (id: string, flags: GlobalFlags & { follow?: boolean }) =>
      perform(flags, async (context) => (await import('./commands/task.ts')).taskLog(id, flags, context)),
    );
  addVerb(task, 'cancel', 'stop a task, and wait until what it has begun is taken back')
    .argument('<task>', TASK)
    .action(async (id: string, flags: GlobalFlags) =>
      perform(flags, async (context) => (await import('./commands/task.ts')).taskCancel(id, context)),
    );
}

function addPolicy(program: Command, perform: Perform): void {
  const policy = program
    .command('policy')
    .summary('show the rules in force, and what comes of them')
    .description('Shows the rules in force, and what comes of them.')
    .helpOption('-h, --help', 'show this help')
    .addHelpText('after', `\n${exitCodes()}`);
  policy.helpCommand(false);
  addVerb(policy, 'show', 'show every setting, who said it, and what begins next', {
    examples: [
      'salvor policy show',
      'salvor policy show --account o1 --next 7d',
      'salvor policy show --site example.com',
    ],
  })
    .option('--account <account>', 'of this account')
    .option('--site <site>', 'of this site: URI, or ACCOUNT/URI')
    .option('--next <time>', 'show what begins within this time: 12h, 7d (default: 1d)')
    .action(async (flags: GlobalFlags & PolicyShowFlags) =>
      perform(flags, async (context) => (await import('./commands/policy.ts')).policyShow(flags, context)),
    );
  addVerb(policy, 'simulate', 'show as a calendar what the rules keep, and what the next night would let go of', {
    examples: ['salvor policy simulate o1', 'salvor policy simulate o1 --days 60'],
    notes: ['Changes nothing. Change salvor.yaml and run it before the night does: it reads the file as it is now.'],
  })
    .argument('<account>', 'an account')
    .option('--days <n>', 'how many days (default: 30)')
    .action(async (account: string, flags: GlobalFlags & { days?: string }) =>
      perform(flags, async (context) => (await import('./commands/policy.ts')).policySimulate(account, flags, context)),
    );
  addVerb(policy, 'schema', 'print the JSON schema of salvor.yaml, which editors understand', {
    examples: ['salvor policy schema >salvor.schema.json'],
    notes: ['init writes it beside salvor.yaml, whose first line names it.'],
  }).action(async (flags: GlobalFlags) =>
    perform(flags, async () => (await import('./commands/policy.ts')).policySchema()),
  );
}

function addLooks(program: Command, perform: Perform): void {
  addVerb(program, 'doctor', 'look over this installation, and say what to do about each finding', {
    examples: ['salvor doctor', 'salvor doctor --json'],
    notes: [
      'Exits with 1 where something is not backed up or could not be brought back,',
      'with 3 where it may come to that.',
    ],
  }).action(async (flags: GlobalFlags) =>
    perform(flags, async (context) => (await import('./commands/doctor.ts')).doctor(context)),
  );
  addVerb(program, 'status', 'show what is safe, what is late, what runs and what begins next', {
    examples: ['salvor status', 'salvor status --all'],
    notes: ['Exits with 3 where something needs somebody: a site with problems, a night that is late …'],
  })
    .option('-a, --all', 'list every site, task and repository, also where there are many')
    .action(async (flags: GlobalFlags & StatusFlags) =>
      perform(flags, async (context) => (await import('./commands/status.ts')).status(flags, context)),
    );
  addVerb(program, 'verify', 'see whether a site works: settings, log-in, rights, tables, files, page', {
    examples: ['salvor verify example.com'],
    notes: [
      'Asks what it can and changes nothing, and so has no --dry-run. Exits with 1 where the site does not',
      'work or lays open what is private, with 3 where something else is not as it should be.',
    ],
  })
    .argument('<site>', SITE)
    .option('--wait', WAIT)
    .action(async (site: string, flags: GlobalFlags & WaitFlags) =>
      perform(flags, async (context) => (await import('./commands/verify.ts')).verify(site, flags, context)),
    );
  addVerb(program, 'sites', 'list the sites of this host', { examples: ['salvor sites', 'salvor sites --all'] })
    .option('-a, --all', 'also list what looks like a site and is none, and why')
    .action(async (flags: GlobalFlags & { all?: boolean }) =>
      perform(flags, async (context) => (await import('./commands/sites.ts')).sites(flags, context)),
    );
  addVerb(program, 'points', 'list what a site can be brought back to, newest first')
    .argument('<site>', SITE)
    .action(async (site: string, flags: GlobalFlags) =>
      perform(flags, async (context) => (await import('./commands/points.ts')).points(site, context)),
    );
  addVerb(program, 'ls', 'list a directory of a point')
    .argument('<point>', 'id of a point')
    .argument('[path]', 'directory or file in it', '/')
    .addOption(fromCopy())
    .action(async (point: string, path: string, flags: GlobalFlags & FromFlags) =>
      perform(flags, async (context) => (await import('./commands/ls.ts')).ls(point, path, flags, context)),
    );
  addVerb(program, 'cat', 'write a file of a point to stdout', {
    json: 'print an error as a JSON document',
    examples: ['salvor cat 5e1f /site/settings.php'],
  })
    .argument('<point>', 'id of a point')
    .argument('<path>', 'file in it')
    .addOption(fromCopy())
    .action(async (point: string, path: string, flags: GlobalFlags & FromFlags) =>
      perform(flags, async (context) => (await import('./commands/cat.ts')).cat(point, path, flags, context)),
    );
}

/** Which copy of a point is read. */
function fromCopy(): Option {
  const said = 'read this copy alone (default: local, and remote where that has it not or is damaged)';
  return new Option('--from <copy>', said).choices(['local', 'remote']);
}

const PLATFORM = 'another platform of the account: its name, or its root';
const TASK = 'id of a task, as tasks and status show it';
const WAIT = 'wait for a site that another task has, instead of failing at once';
const SITE = 'URI of a site, or ACCOUNT/URI where two accounts have it';
