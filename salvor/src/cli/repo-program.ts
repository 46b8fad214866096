/** `salvor repo VERB`: the engine on any directory, with the verbs and flags that restic has. */
import type { Command } from 'commander';
import { addSnapshotVerbs } from './repo-snapshot-verbs.ts';
import { addAlsoRepos, addOtherRepo, addPlaceVerb, addRepoVerb, withFilter } from './repo-verb.ts';
import { collect, exitCodes } from './verb.ts';
import type { GlobalFlags, Perform } from './verb.ts';
import type { RepoFlags } from './commands/repo.ts';
import type { OtherRepoFlags } from './commands/repo-other.ts';
import type { RepoBackupFlags } from './commands/repo-backup.ts';
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
  addAlsoRepos(
    addRepoVerb(repo, 'backup', 'make a snapshot of files and directories', {
      examples: [
        'salvor repo backup /etc /home -r /srv/backup -p /root/password',
        'salvor repo backup /home -r /srv/backup -p /root/password --also-repo sftp:me@other:/backup',
      ],
    }),
  )
    .argument('<path...>', 'files and directories')
    .option('--tag <tag>', 'tag of the snapshot; may be given more than once', collect)
    .option('-H, --host <name>', "name of the host in the snapshot (default: this machine's)")
    .option('-e, --exclude <path>', 'leave out this file or directory; may be given more than once', collect)
    .option('-f, --force', 'read every file again, also those that did not change since the last snapshot')
    .action(async (paths: readonly string[], flags: RepoBackupFlags) =>
      perform(flags, async (context) => (await import('./commands/repo-backup.ts')).repoBackup(paths, flags, context)),
    );
  addRepoVerb(repo, 'restore', 'write a snapshot into a directory', {
    examples: [
      'salvor repo restore latest -r /srv/backup -p /root/password --target /tmp/yesterday',
      'salvor repo restore latest:/home/me -r /srv/backup -p /root/password --target /tmp/me',
    ],
  })
    .argument('<snapshot>', `${SNAPSHOT}; ID:/DIR for what lies in that directory`)
    .requiredOption('-t, --target <dir>', 'directory to write into, missing or empty')
    .option('-i, --include <path>', 'restore only this path of the snapshot, and what lies in it', collect)
    .option('--verify', 'read every file back and compare it')
    .action(
      async (snapshot: string, flags: RepoFlags & { target: string; include?: readonly string[]; verify?: boolean }) =>
        perform(flags, async (context) =>
          (await import('./commands/repo-restore.ts')).repoRestore(snapshot, flags, context),
        ),
    );
  addRepoVerb(repo, 'snapshots', 'list the snapshots, oldest first')
    .option('--tag <tag>', 'only those that have this tag; may be given more than once', collect)
    .option('-H, --host <name>', 'only those of this host')
    .action(async (flags: RepoFlags & { tag?: readonly string[]; host?: string }) =>
      perform(flags, async (context) => (await import('./commands/repo-snapshots.ts')).repoSnapshots(flags, context)),
    );
  addRepoVerb(repo, 'ls', 'list the files of a snapshot')
    .argument('<snapshot>', SNAPSHOT)
    .argument('[path]', 'only what lies in this directory')
    .action(async (snapshot: string, path: string | undefined, flags: RepoFlags) =>
      perform(flags, async (context) => (await import('./commands/repo-ls.ts')).repoLs(snapshot, path, flags, context)),
    );
  addRepoVerb(repo, 'dump', 'write a file of a snapshot to stdout', {
    json: 'print an error as a JSON document',
    examples: ['salvor repo dump latest /etc/fstab -r /srv/backup -p /root/password > fstab'],
  })
    .argument('<snapshot>', SNAPSHOT)
    .argument('<file>', 'absolute path of the file in the snapshot')
    .action(async (snapshot: string, file: string, flags: RepoFlags) =>
      perform(flags, async (context) =>
        (await import('./commands/repo-dump.ts')).repoDump(snapshot, file, flags, context),
      ),
    );
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
      examples: ['salvor repo heal -r /srv/backup -p main.txt --from-repo /srv/copy --from-password-file copy.txt'],
      notes: [
        'Mended is what the snapshots of this repository need, and snapshots whose files are damaged.',
        'Snapshots that are not here count as forgotten: they are told, and only copy brings them back.',
      ],
    }),
  ).action(async (flags: OtherRepoFlags) =>
    perform(flags, async (context) => (await import('./commands/repo-heal.ts')).repoHeal(flags, context)),
  );
  addPlaceVerb(repo, 'test-connection', 'try whether a place can be written, read, listed and cleaned').action(
    async (flags: GlobalFlags & RepoConnectionFlags) =>
      perform(flags, async (context) =>
        (await import('./commands/repo-test-connection.ts')).repoTestConnection(flags, context),
      ),
  );
  addSnapshotVerbs((name, summary) => addRepoVerb(repo, name, summary), perform);
  addUpkeep(repo, perform);
}

const SNAPSHOT = "id of a snapshot or the start of one, or 'latest'";

/** What keeps a repository in order. */
function addUpkeep(repo: Command, perform: Perform): void {
  addRepoVerb(repo, 'prune', 'remove the data that no snapshot needs')
    .option('-n, --dry-run', 'show what would be done, and do nothing')
    .option('--max-unused <limit>', "unused data that may stay: bytes, a share as 5%, or 'unlimited' (default: 5%)")
    .option('--max-repack-size <size>', 'bytes to write anew at most; k, m, g and t may follow the number')
    .option('--repack-cacheable-only', 'write only packs of directory listings anew')
    .option('--repack-small', 'write packs anew that are below 80% of the target size')
    .option('--repack-uncompressed', 'write packs anew that hold uncompressed data')
    .option('--yes', 'do it without asking')
    .action(async (flags: RepoPruneFlags) =>
      perform(flags, async (context) => (await import('./commands/repo-prune.ts')).repoPrune(flags, context)),
    );
  addRepoVerb(repo, 'unlock', 'remove locks that nobody holds any more')
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
  addRepoVerb(key, 'list', 'list the keys; the one that the given password opens has a star').action(
    async (flags: RepoFlags) => perform(flags, async (context) => (await load()).repoKeyList(flags, context)),
  );
  addRepoVerb(key, 'add', 'add a password')
    .option('--new-password-file <file>', 'file that holds the new password')
    .option('--user <name>', 'user name to write into the key')
    .option('--host <name>', 'host name to write into the key')
    .action(async (flags: RepoKeyFlags) =>
      perform(flags, async (context) => (await load()).repoKeyAdd(flags, context)),
    );
  addRepoVerb(key, 'remove', 'remove a password; never the one that was given')
    .argument('<id>', 'id of the key or the start of one')
    .action(async (id: string, flags: RepoFlags) =>
      perform(flags, async (context) => (await load()).repoKeyRemove(id, flags, context)),
    );
  addRepoVerb(key, 'passwd', 'change the password that was given')
    .option('--new-password-file <file>', 'file that holds the new password')
    .action(async (flags: RepoKeyFlags) =>
      perform(flags, async (context) => (await load()).repoKeyPasswd(flags, context)),
    );
}

function addRepairVerbs(repair: Command, perform: Perform): void {
  const load = async (): Promise<typeof import('./commands/repo-repair.ts')> => import('./commands/repo-repair.ts');
  addRepoVerb(repair, 'index', 'list again what the packs hold')
    .option('--read-all-packs', 'believe no index file: read what each pack says of itself')
    .action(async (flags: RepoFlags & { readAllPacks?: boolean }) =>
      perform(flags, async (context) => (await load()).repoRepairIndex(flags, context)),
    );
  addRepoVerb(repair, 'packs', 'save what is whole of damaged packs, and drop them')
    .argument('<id...>', 'ids of packs, whole')
    .action(async (packs: readonly string[], flags: RepoFlags) =>
      perform(flags, async (context) => (await load()).repoRepairPacks(packs, flags, context)),
    );
  addRepoVerb(repair, 'snapshots', 'give snapshots of which something is missing a successor without that')
    .argument('[snapshot...]', 'only these (default: all)')
    .option('-n, --dry-run', 'show what would be done, and do nothing')
    .option('--forget', 'remove the snapshots that got a successor')
    .action(async (snapshots: readonly string[], flags: RepoFlags & { forget?: boolean; dryRun?: boolean }) =>
      perform(flags, async (context) => (await load()).repoRepairSnapshots(snapshots, flags, context)),
    );
}
