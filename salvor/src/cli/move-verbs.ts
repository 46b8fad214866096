/** What gives a site another name, place or twin. */
import type { Command } from 'commander';
import { PLATFORM, SITE, WAIT } from './arguments.ts';
import { type GlobalFlags, type Perform, addVerb } from './verb.ts';
import type { CloneFlags } from './commands/clone.ts';
import type { ImportFlags } from './commands/import.ts';
import type { MigrateFlags, RelocateFlags } from './commands/relocate.ts';

export function addMoveVerbs(program: Command, perform: Perform): void {
  addClone(program, perform);
  addImport(program, perform);
  addRelocate(program, perform);
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
