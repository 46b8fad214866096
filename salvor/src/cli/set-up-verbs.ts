/** What sets a host up and serves it, and brings a lost one back. */
import { Option } from 'commander';
import type { Command } from 'commander';
import { type GlobalFlags, type Perform, addVerb, exitCodes } from './verb.ts';
import type { InitFlags } from './commands/init.ts';
import type { KeysRotateFlags } from './commands/keys.ts';
import type { InstallFlags } from './commands/install.ts';
import type { UninstallFlags } from './commands/uninstall.ts';
import type { RecoverFlags } from './commands/recover.ts';

export function addSetUpVerbs(program: Command, perform: Perform): void {
  addInit(program, perform);
  addInstall(program, perform);
  addAgent(program, perform);
  addKeys(program, perform);
  addRecover(program, perform);
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
