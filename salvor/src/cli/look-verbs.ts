/** What changes nothing: sites, points and how all of it stands; the policy. */
import type { Command } from 'commander';
import { SITE, WAIT, fromCopy } from './arguments.ts';
import { type GlobalFlags, type Perform, addVerb, exitCodes } from './verb.ts';
import type { PolicyShowFlags } from './commands/policy.ts';
import type { FromFlags } from './from-copy.ts';
import type { StatusFlags } from './commands/status.ts';
import type { WaitFlags } from './wait.ts';

export function addLookVerbs(program: Command, perform: Perform): void {
  addLooks(program, perform);
  addPolicy(program, perform);
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
