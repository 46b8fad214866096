/** What all verbs of `salvor repo` have: the flags that name a repository, open it, and say how it is reached. */
import { Option } from 'commander';
import type { Command } from 'commander';
import { addVerb, collect } from './verb.ts';

const REPOSITORY = 'Repository:';
const CONNECTION = 'Connection:';
const ADDRESS = 'directory, sftp:user@host:/path or sftp://user@host:port//path';
const FROM_REPOSITORY = '(default: $RESTIC_REPOSITORY)';

/** Adds a verb with the flags that name its repository. */
export function addRepoVerb(
  parent: Command,
  name: string,
  summary: string,
  shown: Parameters<typeof addVerb>[3] = {},
): Command {
  const verb = addVerb(parent, name, summary, shown);
  add(verb, REPOSITORY, '-r, --repo <url>', `${ADDRESS}; 'local' with --account ${FROM_REPOSITORY}`);
  add(verb, REPOSITORY, '-p, --password-file <file>', `file that holds the password (default: $RESTIC_PASSWORD_FILE)`);
  add(
    verb,
    REPOSITORY,
    '--account <name>',
    "with --repo local: the account whose repository is meant, opened with the agent's key",
  );
  addConnection(verb);
  return verb;
}

/** Adds a verb that needs no password: it looks at the place, not at a repository. */
export function addPlaceVerb(
  parent: Command,
  name: string,
  summary: string,
  shown: Parameters<typeof addVerb>[3] = {},
): Command {
  const verb = addVerb(parent, name, summary, shown);
  add(verb, REPOSITORY, '-r, --repo <url>', `${ADDRESS} ${FROM_REPOSITORY}`);
  addConnection(verb);
  return verb;
}

/** Flags of the second repository of verbs that need two. */
export function addOtherRepo(verb: Command): Command {
  add(
    verb,
    REPOSITORY,
    '--from-repo <url>',
    "the other repository, named in the same way; with --account 'local' or 'remote'",
  ).makeOptionMandatory();
  add(verb, REPOSITORY, '--from-password-file <file>', "file that holds its password; not of an account's own copy");
  return verb;
}

/** Flags of more repositories that are fed in the same pass. */
export function addAlsoRepos(verb: Command): Command {
  const many = 'may be given more than once';
  add(verb, REPOSITORY, '--also-repo <url>', `save it there too, in the same pass; ${many}`).argParser(collect);
  add(
    verb,
    REPOSITORY,
    '--also-password-file <file>',
    'its password; one for all, or one for each (default: that of --repo)',
  ).argParser(collect);
  return verb;
}

/** Flags that choose among snapshots; `-H` is short for `--host` but where it has another meaning, as in restic. */
export function withFilter(
  verb: Command,
  { hasPath = true, hasShortHost = true }: { readonly hasPath?: boolean; readonly hasShortHost?: boolean } = {},
): Command {
  const host = hasShortHost ? '-H, --host <name>' : '--host <name>';
  verb
    .option(host, 'only snapshots of this host; may be given more than once', collect)
    .option('--tag <tags>', 'only snapshots with all of these tags (a,b); may be given more than once', collect);
  if (hasPath)
    verb.option('--path <path>', 'only snapshots made of this absolute path; may be given more than once', collect);
  return verb;
}

/** For verbs that only read. */
export function withNoLock(verb: Command): Command {
  add(verb, REPOSITORY, '--no-lock', 'write no lock: for a place that is read-only');
  return verb;
}

/** Flags that say how far a prune goes. */
export function addPruneLimits(verb: Command): Command {
  return verb
    .option('--max-unused <limit>', "unused data that may stay: bytes, a share as 5%, or 'unlimited' (default: 5%)")
    .option('--max-repack-size <size>', 'bytes to write anew at most; k, m, g and t may follow the number')
    .option('--repack-cacheable-only', 'write only packs of directory listings anew')
    .option('--repack-small', 'write packs anew that are below 80% of the target size')
    .option('--repack-uncompressed', 'write packs anew that hold uncompressed data');
}

/** How a repository that lies elsewhere is reached. */
function addConnection(verb: Command): void {
  add(verb, CONNECTION, '--identity-file <file>', 'private key for SFTP (default: the first of ~/.ssh/id_*)');
  add(verb, CONNECTION, '--known-hosts <file>', 'host keys that are trusted (default: ~/.ssh/known_hosts)');
  add(verb, CONNECTION, '--limit-upload <rate>', 'send no more than this many KiB per second');
  add(verb, CONNECTION, '--limit-download <rate>', 'fetch no more than this many KiB per second');
  add(verb, CONNECTION, '--cache-dir <dir>', 'copies of index and listings (default: ~/.cache/salvor, of remote ones)');
  add(verb, CONNECTION, '--no-cache', 'keep no copies and use none');
}

function add(verb: Command, group: string, flags: string, description: string): Option {
  const option = new Option(flags, description).helpGroup(group);
  verb.addOption(option);
  return option;
}
