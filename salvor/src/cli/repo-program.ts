/** `salvor repo VERB`: the engine on any directory, with the verbs and flags that restic has. */
import type { Command } from 'commander';
import { addFileVerbs } from './repo-file-verbs.ts';
import { addSnapshotVerbs } from './repo-snapshot-verbs.ts';
import { addOtherRepo, addPruneLimits, addPlaceVerb, addRepoVerb, withFilter } from './repo-verb.ts';
import { exitCodes } from './verb.ts';
import type { GlobalFlags, Perform } from './verb.ts';
import type { RepoFlags } from './commands/repo.ts';
import type { OtherRepoFlags } from './commands/repo-other.ts';
import type { RepoCheckFlags } from './commands/repo-check.ts';
import type { RepoInitFlags } from './commands/repo-init.ts';
import type { RepoConnectionFlags } from './commands/repo-test-connection.ts';
import type { FilterFlags } from './commands/repo-filter.ts';
import type { RepoKeyFlags } from './commands/repo-key.ts';
import type { RepoPruneFlags } from './commands/repo-prune.ts';

export function addRepoCommand(program: Command, perform: Perform): void {
  const repo = program
    .command('repo')
    .summary('work on any repository, with the verbs and flags that restic has')
    .description('Works on any repository, with the verbs and flags that restic has.')
    .helpOption('-h, --help', 'show this help')
    .addHelpText('after', `\nWhat a verb takes: salvor repo VERB --help\n\n${exitCodes()}`)
    .helpCommand(false);

  addRepoVerb(repo, 'init', 'create a repository', {
    examples: [
      'salvor repo init -r /srv/backup -p /root/password',
      'salvor repo init -r sftp:me@backup.example:/srv/backup -p /root/password',
    ],
  })
    .option('--copy-chunker-params', 'cut files where --from-repo cuts them, so that copies are cheap')
    .option('--from-repo <url>', 'the repository whose cuts are taken')
    .option('--from-password-file <file>', 'file that holds its password')
    .action(async (flags: RepoInitFlags) =>
      perform(flags, async (context) => (await import('./commands/repo-init.ts')).repoInit(flags, context)),
    );
  addFileVerbs(repo, perform);
  addRepoVerb(repo, 'check', 'look for damage', {
    examples: [
      'salvor repo check -r /srv/backup -p /root/password',
      'salvor repo check -r /srv/backup -p /root/password --read-data-subset 3/30',
    ],
  })
    .option('--read-data', 'read every byte, not only what lists them')
    .option('--read-data-subset <share>', 'read part n of t (n/t), a random share (2.5%) or size (500M) of the packs')
    .option('--seed <text>', 'draw the same random packs as the run that printed this')
    .action(async (flags: RepoCheckFlags) =>
      perform(flags, async (context) => (await import('./commands/repo-check.ts')).repoCheck(flags, context)),
    );
  withFilter(
    addOtherRepo(
      addRepoVerb(repo, 'copy', 'bring snapshots of another repository into this one', {
        examples: ['salvor repo copy -r /srv/copy -p copy.txt --from-repo /srv/backup --from-password-file main.txt'],
      }),
    ),
  )
    .argument(
      '[snapshot...]',
      "only these snapshots of the other repository: ids, the starts of them, or 'latest' (default: all)",
    )
    .action(async (snapshots: readonly string[], flags: OtherRepoFlags & FilterFlags) =>
      perform(flags, async (context) => (await import('./commands/repo-copy.ts')).repoCopy(snapshots, flags, context)),
    );
  addOtherRepo(
    addRepoVerb(repo, 'heal', 'mend what is damaged or missing with what another copy has', {
      examples: [
        'salvor repo heal -r /srv/backup -p main.txt --from-repo /srv/copy --from-password-file copy.txt',
        'salvor repo heal -r local --account o1 --from-repo remote',
      ],
      notes: [
        'Mended is what the snapshots of this repository need, and snapshots whose files are damaged.',
        'Snapshots that are not here count as forgotten: they are told, and only copy brings them back.',
      ],
    }),
  ).action(async (flags: OtherRepoFlags) =>
    perform(flags, async (context) => (await import('./commands/repo-heal.ts')).repoHeal(flags, context)),
  );
  addPlaceVerb(repo, 'test-connection', 'try whether a place can be written, read, listed and cleaned', {
    examples: ['salvor repo test-connection -r sftp:me@backup.example:/srv/backup'],
  }).action(async (flags: GlobalFlags & RepoConnectionFlags) =>
    perform(flags, async (context) =>
      (await import('./commands/repo-test-connection.ts')).repoTestConnection(flags, context),
    ),
  );
  addSnapshotVerbs((name, summary, shown) => addRepoVerb(repo, name, summary, shown), perform);
  addUpkeep(repo, perform);
}

/** What keeps a repository in order. */
function addUpkeep(repo: Command, perform: Perform): void {
  addPruneLimits(
    addRepoVerb(repo, 'prune', 'remove the data that no snapshot needs', {
      examples: [
        'salvor repo prune --dry-run -r /srv/backup -p /root/password',
        'salvor repo prune --max-unused 10% --yes -r /srv/backup -p /root/password',
      ],
    }),
  )
    .option('-n, --dry-run', 'show what would be done, and do nothing')
    .option('--yes', 'do it without asking')
    .action(async (flags: RepoPruneFlags) =>
      perform(flags, async (context) => (await import('./commands/repo-prune.ts')).repoPrune(flags, context)),
    );
  addRepoVerb(repo, 'unlock', 'remove locks that nobody holds any more', {
    examples: ['salvor repo unlock -r /srv/backup -p /root/password'],
  })
    .option('--remove-all', 'remove all locks, also those in use')
    .action(async (flags: RepoFlags & { removeAll?: boolean }) =>
      perform(flags, async (context) => (await import('./commands/repo-unlock.ts')).repoUnlock(flags, context)),
    );
  addKeyVerbs(addGroup(repo, 'key', 'list, add and remove passwords of a repository'), perform);
  addRepairVerbs(
    addGroup(repo, 'repair', 'mend a damaged repository: index first, then packs, then snapshots'),
    perform,
  );
}

function addGroup(repo: Command, name: string, summary: string): Command {
  return repo
    .command(name)
    .summary(summary)
    .description(`${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`)
    .helpOption('-h, --help', 'show this help')
    .addHelpText('after', `\n${exitCodes()}`)
    .helpCommand(false);
}

function addKeyVerbs(key: Command, perform: Perform): void {
  const load = async (): Promise<typeof import('./commands/repo-key.ts')> => import('./commands/repo-key.ts');
  addRepoVerb(key, 'list', 'list the keys; the one that the given password opens has a star', {
    examples: ['salvor repo key list -r /srv/backup -p /root/password'],
  }).action(async (flags: RepoFlags) => perform(flags, async (context) => (await load()).repoKeyList(flags, context)));
  addRepoVerb(key, 'add', 'add a password', {
    examples: ['salvor repo key add --new-password-file /root/second -r /srv/backup -p /root/password'],
  })
    .option('--new-password-file <file>', 'file that holds the new password')
    .option('--user <name>', 'user name to write into the key')
    .option('--host <name>', 'host name to write into the key')
    .action(async (flags: RepoKeyFlags) =>
      perform(flags, async (context) => (await load()).repoKeyAdd(flags, context)),
    );
  addRepoVerb(key, 'remove', 'remove a password; never the one that was given', {
    examples: ['salvor repo key remove 5e1f -r /srv/backup -p /root/password'],
  })
    .argument('<id>', 'id of the key or the start of one')
    .action(async (id: string, flags: RepoFlags) =>
      perform(flags, async (context) => (await load()).repoKeyRemove(id, flags, context)),
    );
  addRepoVerb(key, 'passwd', 'change the password that was given', {
    examples: ['salvor repo key passwd --new-password-file /root/new -r /srv/backup -p /root/password'],
  })
    .option('--new-password-file <file>', 'file that holds the new password')
    .action(async (flags: RepoKeyFlags) =>
      perform(flags, async (context) => (await load()).repoKeyPasswd(flags, context)),
    );
}

function addRepairVerbs(repair: Command, perform: Perform): void {
  const load = async (): Promise<typeof import('./commands/repo-repair.ts')> => import('./commands/repo-repair.ts');
  addRepoVerb(repair, 'index', 'list again what the packs hold', {
    examples: ['salvor repo repair index -r /srv/backup -p /root/password'],
  })
    .option('--read-all-packs', 'believe no index file: read what each pack says of itself')
    .action(async (flags: RepoFlags & { readAllPacks?: boolean }) =>
      perform(flags, async (context) => (await load()).repoRepairIndex(flags, context)),
    );
  addRepoVerb(repair, 'packs', 'save what is whole of damaged packs, and drop them', {
    examples: ['salvor repo repair packs ID -r /srv/backup -p /root/password'],
    notes: ['Which packs are damaged says: salvor repo check --read-data'],
  })
    .argument('<id...>', 'ids of packs, whole')
    .action(async (packs: readonly string[], flags: RepoFlags) =>
      perform(flags, async (context) => (await load()).repoRepairPacks(packs, flags, context)),
    );
  addRepoVerb(repair, 'snapshots', 'give snapshots of which something is missing a successor without that', {
    examples: [
      'salvor repo repair snapshots --dry-run -r /srv/backup -p /root/password',
      'salvor repo repair snapshots --forget -r /srv/backup -p /root/password',
    ],
  })
    .argument('[snapshot...]', 'only these (default: all)')
    .option('-n, --dry-run', 'show what would be done, and do nothing')
    .option('--forget', 'remove the snapshots that got a successor')
    .action(async (snapshots: readonly string[], flags: RepoFlags & { forget?: boolean; dryRun?: boolean }) =>
      perform(flags, async (context) => (await load()).repoRepairSnapshots(snapshots, flags, context)),
    );
}
