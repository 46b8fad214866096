/** The verbs of `salvor repo` that choose among snapshots: forget and tag, and those that look through many of them. */
import { Option } from 'commander';
import type { Command } from 'commander';
import { addPruneLimits, withFilter, withNoLock } from './repo-verb.ts';
import { collect } from './verb.ts';
import type { Perform } from './verb.ts';
import type { FilterFlags } from './commands/repo-filter.ts';
import type { ForgetFlags } from './commands/repo-policy.ts';
import type { RepoFlags } from './commands/repo.ts';

type Shown = { readonly examples: readonly string[] };
/** Adds a verb with the flags that name its repository. */
type AddRepoVerb = (name: string, summary: string, shown: Shown) => Command;

export function addSnapshotVerbs(add: AddRepoVerb, perform: Perform): void {
  addForget(add, perform);
  addTag(add, perform);
  addFind(add, perform);
  addLooks(add, perform);
}

const NAMED = "ids of snapshots or the starts of them, or 'latest'";

function addForget(add: AddRepoVerb, perform: Perform): void {
  const forget = withFilter(
    add('forget', 'remove the snapshots that a policy does not keep', {
      examples: [
        'salvor repo forget --keep-daily 7 --keep-weekly 5 --dry-run -r /srv/backup -p /root/password',
        'salvor repo forget --keep-within 14d --prune --yes -r /srv/backup -p /root/password',
        'salvor repo forget --keep-monthly 12 --simulate 400 -r /srv/backup -p /root/password',
      ],
    }),
    { hasShortHost: false },
  )
    .argument('[snapshot...]', `remove these, whatever a policy says: ${NAMED}`)
    .option('-l, --keep-last <n>', 'keep the last n snapshots; -1 keeps all, here and below')
    .option('-H, --keep-hourly <n>', 'keep the last snapshot of each of the last n hours that have one')
    .option('-d, --keep-daily <n>', 'the same by days')
    .option('-w, --keep-weekly <n>', 'the same by ISO weeks')
    .option('-m, --keep-monthly <n>', 'the same by months')
    .option('-y, --keep-yearly <n>', 'the same by years')
    .option('--keep-within <duration>', 'keep what is younger than this (1y5m7d2h) as seen from the newest snapshot')
    .option('--keep-tag <tags>', 'keep what has all of these tags (a,b); may be given more than once', collect);
  for (const unit of ['hourly', 'daily', 'weekly', 'monthly', 'yearly'])
    forget.option(`--keep-within-${unit} <duration>`, `keep ${unit} snapshots that are younger than this`);
  addPruneLimits(forget.option('--prune', 'then remove the data that no snapshot needs any more'))
    .option('-g, --group-by <keys>', "apply the policy to each host, paths and/or tags alone ('' for all together)")
    .option('-n, --dry-run', 'show what would be removed, and remove nothing')
    .option('--calendar', 'show by day which rules keep what, and remove nothing')
    .option('--simulate <nights>', 'show that calendar as it will be after this many more daily snapshots')
    .option('--unsafe-allow-remove-all', 'allow a policy that leaves nothing of a group')
    .option('--yes', 'consent to it without being asked')
    .action(async (ids: readonly string[], flags: ForgetFlags) =>
      perform(flags, async (context) => (await import('./commands/repo-forget.ts')).repoForget(ids, flags, context)),
    );
}

function addTag(add: AddRepoVerb, perform: Perform): void {
  withFilter(
    add('tag', 'change the tags of snapshots', {
      examples: ['salvor repo tag latest --add before-update -r /srv/backup -p /root/password'],
    }),
  )
    .argument('[snapshot...]', `change these: ${NAMED} (default: all)`)
    .option('--set <tags>', "give them these tags (a,b) and no others; '' takes all away", collect)
    .option('--add <tags>', 'give them these tags too', collect)
    .option('--remove <tags>', 'take these tags away', collect)
    .action(async (ids: readonly string[], flags: FilterFlags) =>
      perform(flags, async (context) => (await import('./commands/repo-tag.ts')).repoTag(ids, flags, context)),
    );
}

function addFind(add: AddRepoVerb, perform: Perform): void {
  withNoLock(
    withFilter(
      add('find', 'look for files in all snapshots', {
        examples: [
          "salvor repo find '*.sql' --newest 2026-11-01 -r /srv/backup -p /root/password",
          'salvor repo find --blob 5e1fc0de -r /srv/backup -p /root/password',
        ],
      }),
    )
      .argument('<pattern...>', 'names or paths with * ? [a-z] **; with --blob, --tree or --pack ids')
      .option('-s, --snapshot <id>', 'look only into this snapshot; may be given more than once', collect)
      .option('-l, --long', 'show type and permissions too')
      .option('-i, --ignore-case', 'take capital and small letters as the same')
      .option('-O, --oldest <time>', "only what was changed at or after this ('2026-11-23 02:00:00')")
      .option('-N, --newest <time>', 'only what was changed at or before this')
      .option('--blob', 'look for the files that these blobs are part of')
      .option('--tree', 'look for the directories that have these listings')
      .option('--pack', 'look for what lies in these packs')
      .action(async (patterns: readonly string[], flags: FilterFlags) =>
        perform(flags, async (context) => (await import('./commands/repo-find.ts')).repoFind(patterns, flags, context)),
      ),
  );
}

function addLooks(add: AddRepoVerb, perform: Perform): void {
  withNoLock(
    add('diff', 'show what differs between two snapshots', {
      examples: [
        'salvor repo diff 5e1f latest -r /srv/backup -p /root/password',
        'salvor repo diff 5e1f:/etc latest:/etc -r /srv/backup -p /root/password',
      ],
    })
      .argument('<from>', `${SNAPSHOT}; ID:/DIR for a directory of it`)
      .argument('<to>', 'the same')
      .option('--metadata', 'also show where only owner, mode, times or attributes differ')
      .action(async (from: string, to: string, flags: RepoFlags & { metadata?: boolean }) =>
        perform(flags, async (context) => (await import('./commands/repo-diff.ts')).repoDiff(from, to, flags, context)),
      ),
  );
  withNoLock(
    withFilter(
      add('versions', 'list every version of one file in all snapshots', {
        examples: ['salvor repo versions /etc/fstab -r /srv/backup -p /root/password'],
      }),
      { hasPath: false },
    )
      .argument('<path>', 'absolute path in the snapshots')
      .action(async (path: string, flags: FilterFlags) =>
        perform(flags, async (context) =>
          (await import('./commands/repo-versions.ts')).repoVersions(path, flags, context),
        ),
      ),
  );
  withNoLock(
    withFilter(
      add('stats', 'count files, blobs and bytes of snapshots', {
        examples: [
          'salvor repo stats latest -r /srv/backup -p /root/password',
          'salvor repo stats --mode raw-data -r /srv/backup -p /root/password',
        ],
      }),
    )
      .argument('[snapshot...]', `count these: ${NAMED} (default: all)`)
      .addOption(
        new Option('--mode <mode>', 'what is counted')
          .choices(['restore-size', 'files-by-contents', 'raw-data', 'blobs-per-file'])
          .default('restore-size'),
      )
      .action(async (ids: readonly string[], flags: FilterFlags & { mode: 'restore-size' }) =>
        perform(flags, async (context) => (await import('./commands/repo-stats.ts')).repoStats(ids, flags, context)),
      ),
  );
}

const SNAPSHOT = "id of a snapshot or the start of one, or 'latest'";
