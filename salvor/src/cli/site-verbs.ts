/** What is done with one site or all of them: backed up, brought back, deleted, switched off. */
import { Option } from 'commander';
import type { Command } from 'commander';
import { SITE, TASK, WAIT, fromCopy } from './arguments.ts';
import { type GlobalFlags, type Perform, addVerb } from './verb.ts';
import type { AvailabilityFlags } from './commands/availability.ts';
import type { DailyFlags } from './commands/daily.ts';
import type { DeleteFlags } from './commands/delete.ts';
import type { BackupFlags } from './commands/backup.ts';
import type { BackupDeleteFlags } from './commands/backup-delete.ts';
import type { ExportFlags } from './commands/export.ts';
import type { RestoreFlags } from './commands/restore.ts';
import type { UndoFlags } from './commands/undo.ts';
import type { ConfirmFlags } from './commands/confirm.ts';

export function addSiteVerbs(program: Command, perform: Perform): void {
  addBackup(program, perform);
  addDaily(program, perform);
  addRestore(program, perform);
  addArchives(program, perform);
  addUndo(program, perform);
  addConfirm(program, perform);
  addDelete(program, perform);
  addAvailability(program, perform);
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
