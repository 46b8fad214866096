/** The verbs of `salvor repo` about one snapshot and its files: backup, restore, snapshots, ls, dump. */
import type { Command } from 'commander';
import { addAlsoRepos, addRepoVerb, withFilter, withNoLock } from './repo-verb.ts';
import { collect } from './verb.ts';
import type { Perform } from './verb.ts';
import type { RepoBackupFlags } from './commands/repo-backup.ts';
import type { FilterFlags } from './commands/repo-filter.ts';
import type { RepoLsFlags } from './commands/repo-ls.ts';
import type { RepoRestoreFlags } from './commands/repo-restore.ts';
import type { RepoSnapshotsFlags } from './commands/repo-snapshots.ts';

export function addFileVerbs(repo: Command, perform: Perform): void {
  addBackup(repo, perform);
  addRestore(repo, perform);
  addSnapshots(repo, perform);
  addLs(repo, perform);
  addDump(repo, perform);
}

const REPEATED = 'may be given more than once';
const SNAPSHOT = "id of a snapshot or the start of one, or 'latest'";
const OF_LATEST = "Flags that choose among snapshots are for 'latest': the newest that they leave.";

function addBackup(repo: Command, perform: Perform): void {
  const backup = addRepoVerb(repo, 'backup', 'make a snapshot of files and directories', {
    examples: [
      'salvor repo backup /etc /home -r /srv/backup -p /root/password',
      "salvor repo backup /home -e '*.tmp' --exclude-caches -x -r /srv/backup -p /root/password",
      'salvor repo backup /home -r /srv/backup -p /root/password --also-repo sftp:me@other:/backup',
      'mysqldump shop | salvor repo backup --stdin --stdin-filename shop.sql -r /srv/backup -p pw',
    ],
    notes: [
      'A pattern fits a path that it names and everything below: * ? [a-z] stand for parts of a name,',
      '** for any number of directories, a leading / ties it to the root, and !PATTERN takes back what',
      'those before it left out.',
    ],
  });
  addAlsoRepos(backup)
    .argument('[path...]', 'files and directories')
    .option('--tag <tags>', `tags of the snapshot (a,b); ${REPEATED}`, collect)
    .option('-H, --host <name>', "name of the host in the snapshot (default: this machine's)")
    .option('--time <time>', "time of the snapshot ('2026-11-23 02:00:00'; default: now)")
    .option('-f, --force', 'read every file again, also those that did not change since the last snapshot')
    .option('--parent <snapshot>', 'compare with this snapshot (default: the newest of this host and these paths)')
    .option('-e, --exclude <pattern>', `leave out what fits this pattern; ${REPEATED}`, collect)
    .option('--iexclude <pattern>', 'the same, with capital and small letters alike', collect)
    .option('--exclude-file <file>', `leave out what fits a pattern of this list; ${REPEATED}`, collect)
    .option('--iexclude-file <file>', 'the same, with capital and small letters alike', collect)
    .option('--exclude-caches', 'leave out what lies in directories that are marked with a CACHEDIR.TAG')
    .option('--exclude-if-present <name>', `the same by a file NAME or NAME:BEGINNING; ${REPEATED}`, collect)
    .option('--exclude-larger-than <size>', 'leave out larger files; k, m, g and t may follow the number')
    .option('-x, --one-file-system', 'leave out what is on other file systems')
    .option('--files-from <file>', `also back up the paths of this list, which may be patterns; ${REPEATED}`, collect)
    .option('--files-from-verbatim <file>', 'the same, each line a path as it is', collect)
    .option('--files-from-raw <file>', 'the same, with a zero byte behind each path', collect)
    .option('--stdin', 'make one file of what comes in instead')
    .option('--stdin-filename <name>', "its name in the snapshot (default: 'stdin')")
    .action(async (paths: readonly string[], flags: RepoBackupFlags) =>
      perform(flags, async (context) => (await import('./commands/repo-backup.ts')).repoBackup(paths, flags, context)),
    );
}

function addRestore(repo: Command, perform: Perform): void {
  const restore = addRepoVerb(repo, 'restore', 'write a snapshot into a directory', {
    examples: [
      'salvor repo restore latest -r /srv/backup -p /root/password --target /tmp/yesterday',
      'salvor repo restore latest:/home/me -r /srv/backup -p /root/password --target /tmp/me',
      "salvor repo restore 5e1f -i '*.php' -r /srv/backup -p /root/password --target /tmp/php",
    ],
    notes: [OF_LATEST],
  });
  withNoLock(withFilter(restore))
    .argument('<snapshot>', `${SNAPSHOT}; ID:/DIR for what lies in that directory`)
    .requiredOption('-t, --target <dir>', 'directory to write into, missing or empty')
    .option('-i, --include <pattern>', `restore only what fits this pattern; ${REPEATED}`, collect)
    .option('--iinclude <pattern>', 'the same, with capital and small letters alike', collect)
    .option('-e, --exclude <pattern>', `leave out what fits this pattern; ${REPEATED}`, collect)
    .option('--iexclude <pattern>', 'the same, with capital and small letters alike', collect)
    .option('--verify', 'read every file back and compare it')
    .action(async (snapshot: string, flags: RepoRestoreFlags) =>
      perform(flags, async (context) =>
        (await import('./commands/repo-restore.ts')).repoRestore(snapshot, flags, context),
      ),
    );
}

function addSnapshots(repo: Command, perform: Perform): void {
  const snapshots = addRepoVerb(repo, 'snapshots', 'list the snapshots, oldest first', {
    examples: [
      'salvor repo snapshots -r /srv/backup -p /root/password',
      'salvor repo snapshots --path /home --latest 1 -r /srv/backup -p /root/password',
    ],
  });
  withFilter(snapshots)
    .argument('[snapshot...]', "only these: ids of snapshots or the starts of them, or 'latest'")
    .option('--latest <n>', 'only the newest n of each host and paths')
    .action(async (ids: readonly string[], flags: RepoSnapshotsFlags) =>
      perform(flags, async (context) =>
        (await import('./commands/repo-snapshots.ts')).repoSnapshots(ids, flags, context),
      ),
    );
}

function addLs(repo: Command, perform: Perform): void {
  const ls = addRepoVerb(repo, 'ls', 'list the files of a snapshot', {
    json: 'print one JSON document, an entry a line',
    examples: [
      'salvor repo ls latest -r /srv/backup -p /root/password',
      'salvor repo ls -l latest /etc --recursive -r /srv/backup -p /root/password',
    ],
    notes: [OF_LATEST],
  });
  withFilter(ls)
    .argument('<snapshot>', SNAPSHOT)
    .argument('[dir...]', 'only what lies in these directories (default: everything)')
    .option('-l, --long', 'show type, permissions, owner, size and time too')
    .option('--recursive', 'of the directories that are named, also list what lies deeper')
    .action(async (snapshot: string, directories: readonly string[], flags: RepoLsFlags) =>
      perform(flags, async (context) =>
        (await import('./commands/repo-ls.ts')).repoLs(snapshot, directories, flags, context),
      ),
    );
}

function addDump(repo: Command, perform: Perform): void {
  const dump = addRepoVerb(repo, 'dump', 'write a file of a snapshot to stdout', {
    json: 'print an error as a JSON document',
    examples: ['salvor repo dump latest /etc/fstab -r /srv/backup -p /root/password > fstab'],
    notes: [OF_LATEST],
  });
  withFilter(dump)
    .argument('<snapshot>', SNAPSHOT)
    .argument('<file>', 'absolute path of the file in the snapshot')
    .action(async (snapshot: string, file: string, flags: FilterFlags) =>
      perform(flags, async (context) =>
        (await import('./commands/repo-dump.ts')).repoDump(snapshot, file, flags, context),
      ),
    );
}
